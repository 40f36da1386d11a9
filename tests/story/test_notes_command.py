"""The command lines of the source notes, word for word but for paths and a smaller effort."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from notes_data import as_coco, make_notes_data
from PIL import Image

from cryoglean.cli.main import run
from cryoglean.dataset import Dataset
from cryoglean.errors import LabelsError, PicksError, SettingsError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.io.picks import read_picks
from cryoglean.picking import load_picker, pick_files
from cryoglean.picks import Picks
from cryoglean.ratios.drawing import draw
from cryoglean.ratios.method import Method, parse_ratios, working_particle_pixels
from cryoglean.ratios.sources import Source, find_annotations, read_coco
from cryoglean.ratios.study import Study
from cryoglean.run import Run

NOTES = (
    "pseudolabel --image-dir data/cryotransformer/images --coords-file data/cryotransformer/coordinates.json "
    "--output-dir OUT --labeled-ratios 0.05,0.10 --target-size 768 --particle-radius 42 --batch-size 2 "
    "--confidence-threshold 0.70 --n-iterations 3"
)
COCO = (
    "pseudolabel --train-data-dir data/train_val_test_data/train "
    "--val-data-dir data/train_val_test_data/val --output-dir OUT --labeled-ratios 0.05,0.10 --batch-size 4"
)
SMALL = (
    " --set learn.steps=6 --set learn.crop_pixels=64 --set learn.validate_every=6 --set learn.precision=float32"
    " --set pick.views=1 --set learn.checkpoint_every_seconds=0 --set unlabelled.most=5 --quiet"
)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `make_notes_data`."""
    root = tmp_path_factory.mktemp("notes")
    make_notes_data(root)
    return root


def words(text: str, data: Path, out: Path) -> list[str]:
    return shlex.split((text + SMALL).replace(" data/", f" {data}/").replace("OUT", str(out)))


@pytest.fixture(scope="session")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notes' first command leaves."""
    folder = tmp_path_factory.mktemp("pseudolabel_test")
    assert run(words(NOTES, data, folder)) == 0
    return folder


@pytest.fixture(scope="session")
def balanced(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the class-balanced one leaves, as the notes had it, two rounds."""
    folder = tmp_path_factory.mktemp("pseudolabel_6k_balanced")
    text = COCO + " --strategy class_balanced --variant notes --n-iterations 2 --target-particle-ratio 0.04"
    assert run(words(text, data, folder)) == 0
    return folder


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def stamps(folder: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in sorted(folder.rglob("*"))}


def test_the_notes_files_are_there_with_what_they_promise(out: Path) -> None:
    five, ten = (read(out / f"pseudolabel_ratio_{percent}.json") for percent in (5, 10))

    assert [one["n_labeled"] for one in (five, ten)] == [1, 2]
    assert [one["labeled_ratio"] for one in (five, ten)] == [0.05, 0.1]
    assert 9 <= five["n_labeled_particles"] < ten["n_labeled_particles"] <= 26
    for one in (five, ten):
        parts = [set(one["split"][role]) for role in ("labeled", "unlabeled", "validation", "test")]
        assert [len(part) for part in parts] == [one[f"n_{r}"] for r in ("labeled", "unlabeled", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 26
        assert 1 <= len(one["iterations"]) <= 3
        assert one["gain"]["f1"] == pytest.approx(one["pseudolabel"]["f1"] - one["supervised"]["f1"], abs=2e-6)
        assert one["gain"]["said"][0] in "+-"
    assert set(five["split"]["labeled"]) < set(ten["split"]["labeled"])
    assert five["split"]["test"] == ten["split"]["test"]


def test_the_options_reach_the_engine(out: Path) -> None:
    settings = yaml.safe_load((out / "ratio_5" / "pseudo_label" / "settings.yaml").read_text())

    assert settings["options"] == {"rounds": 3, "trust_above": 0.7, "variant": "corrected"}
    assert settings["learn"]["batch"] == settings["unlabelled"]["batch"] == 2
    assert settings["prepare"]["particle_pixels"] == 20.0  # 84 of 420 pixels: never larger than the network learned it
    assert read(out / "ratio_5" / "pseudo_label" / "dataset.json")["diameter_angstrom"] == 84.0


@pytest.mark.parametrize(("key", "strategy"), [("supervised", "supervised"), ("pseudolabel", "pseudo_label")])
def test_the_numbers_are_those_of_the_test_picks(out: Path, key: str, strategy: str) -> None:
    result = read(out / "pseudolabel_ratio_10.json")
    picks = read_picks(out / result["runs"][strategy] / "picks" / "test.csv")
    truth = read_picks(out / "ratio_10" / "test.csv")
    rules = Rules(diameter_pixels=84, border_pixels=42, shapes=dict.fromkeys(truth.micrographs, (420, 420)))

    found = evaluate_picks(picks, truth, rules, threshold=result[key]["threshold"]).total

    assert set(truth.micrographs) == set(result["split"]["test"])
    assert (found.truth, found.picks) == (result[key]["truth"], result[key]["picks"])
    assert found.f1 == pytest.approx(result[key]["f1"], abs=1e-6)
    assert result[key]["threshold"] == pytest.approx(
        Run(out / result["runs"][strategy]).summary()["threshold"], abs=1e-6
    )


def test_the_baseline_is_what_the_rounds_began_with(out: Path) -> None:
    result = read(out / "pseudolabel_ratio_5.json")
    first = result["iterations"][0]

    before = result["supervised"]["validation"]["average_precision"]
    assert first["validation"]["average_precision_before"] == pytest.approx(before, abs=1e-6)
    assert {"precision", "recall", "f1"} <= first["validation"].keys()
    assert first["pseudo_labels"]["n_offered"] == result["unlabeled_used"] == 5
    if not result["best_iteration"]:
        assert result["pseudolabel"]["f1"] == result["supervised"]["f1"]


def test_the_summary_has_a_row_for_each_ratio(out: Path) -> None:
    summary = read(out / "pseudolabel_summary.json")

    assert [row["file"] for row in summary["results"]] == ["pseudolabel_ratio_5.json", "pseudolabel_ratio_10.json"]
    for row in summary["results"]:
        result = read(out / row["file"])
        assert row["gain_f1"] == result["gain"]["f1"]
        assert row["supervised_recall"] == result["supervised"]["recall"]


def test_the_same_command_again_does_nothing(out: Path, data: Path) -> None:
    before = stamps(out)

    assert run(words(NOTES, data, out)) == 0

    assert stamps(out) == before


def test_other_options_do_not_mix_into_the_same_folder(
    out: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stamps(out)

    assert run(words(NOTES.replace("0.70", "0.80"), data, out)) == 1

    assert "another --output-dir" in capsys.readouterr().err
    assert stamps(out) == before


def test_a_run_in_it_is_a_run_like_any_other(out: Path, data: Path, tmp_path: Path) -> None:
    folder = out / "ratio_5" / "pseudo_label"
    picture = next((data / "cryotransformer" / "images").iterdir())

    assert run(["report", str(folder)]) == 0
    assert run(["doctor", str(folder)]) in (0, 3)
    assert run(["pick", str(folder), str(picture), "--out", str(tmp_path / "picks.star"), "--quiet"]) == 0

    page = (folder / "report.html").read_text()
    assert "84 pixels across" in page
    assert " nm" not in page  # nobody knows how large a pixel is
    assert list(read_picks(tmp_path / "picks.star").micrographs) == [picture.stem]


def test_pixel_sizes_may_be_given_by_name(out: Path, data: Path, tmp_path: Path) -> None:
    picker, threshold = load_picker(Run(out / "ratio_5" / "supervised"))
    paths = sorted((data / "cryotransformer" / "images").iterdir())[:2]
    names = [path.stem for path in paths]

    pick_files(picker, paths, tmp_path / "one.csv", threshold, pixel_size_angstrom=1.0)
    pick_files(picker, paths, tmp_path / "each.csv", threshold, pixel_size_angstrom=dict.fromkeys(names, 1.0))
    harvest = pick_files(picker, paths, tmp_path / "some.csv", threshold, pixel_size_angstrom={names[0]: 0.5})

    assert (tmp_path / "one.csv").read_text() == (tmp_path / "each.csv").read_text()
    assert "pixel size is not in the header" in harvest.skipped[names[1]]
    assert list(read_picks(tmp_path / "some.csv").micrographs) == names[:1]


def test_the_class_balanced_command(balanced: Path) -> None:
    five, ten = (read(balanced / f"balanced_pseudolabel_ratio_{percent}.json") for percent in (5, 10))

    assert (balanced / "balanced_pseudolabel_summary.json").exists()
    assert [one["n_labeled"] for one in (five, ten)] == [1, 2]
    for one in (five, ten):
        assert one["n_validation"] == one["n_test"] == 2
        assert one["size"]["particle_diameter_pixels"] == 84.0  # from the boxes
        assert one["strategy_options"]["particle"] == 0.6
        assert one["strategy_options"]["background"] == 0.8
        assert one["strategy_options"]["target"] == pytest.approx(0.04 * 0.36)
        assert [told["iteration"] for told in one["iterations"]] == [1, 2]
        assert all(told["pseudo_labels"]["n_pseudo_labels"] <= 2 * one["n_labeled"] for told in one["iterations"])
        dummy = min(each for part in one["split"].values() for each in part)
        assert dummy in one["split"]["unlabeled"]  # a box of no size: nobody annotated it


def test_killed_and_gone_on_with_it_is_the_same(out: Path, data: Path, tmp_path: Path) -> None:
    begun = tmp_path / "ratio_5" / "pseudo_label" / "checkpoint"
    command = [sys.executable, "-m", "cryoglean", *words(NOTES.replace("0.05,0.10", "0.05"), data, tmp_path)]
    environment = {**os.environ, "CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline and not list(begun.glob("*.safetensors")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "pseudolabel_ratio_5.json").exists()

    subprocess.run(command, env=environment, check=True, timeout=120)

    left_out = {"seconds", "findings"}
    again, unbroken = (read(folder / "pseudolabel_ratio_5.json") for folder in (tmp_path, out))
    assert {k: v for k, v in again.items() if k not in left_out} == {
        k: v for k, v in unbroken.items() if k not in left_out
    }


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("0.05,0.10", "0.01", 2, "1 % of 24 training micrographs is less than one. Give 0.0417 or more"),
        ("0.05,0.10", "5,10", 2, "Write 0.05 for 5 %"),
        ("0.05,0.10", "five", 2, "Write 0.05 for 5 %"),
        ("coordinates.json", "nothing.json", 1, "nothing.json"),
        ("--coords-file data/cryotransformer/coordinates.json", "", 2, "--coords-file"),
        ("--particle-radius 42", "", 2, "--particle-radius"),
        ("--particle-radius 42", "--particle-radius -1", 2, "--particle-radius"),
        ("--target-size 768", "--target-size 20", 2, "--target-size"),
        ("--batch-size 2", "--batch-size 0", 2, "learn.batch"),
        ("--confidence-threshold 0.70", "--confidence-threshold 7", 2, "trust_above"),
        ("--confidence-threshold 0.70", "--confidence-threshold-particle 0.6", 2, "--confidence-threshold-particle"),
        ("--n-iterations 3", "--n-iterations 0", 2, "rounds"),
        ("--n-iterations 3", "--train-data-dir data", 2, "not both"),
        ("--n-iterations 3", "--set strategy=darp", 2, "--strategy"),
        ("--image-dir data/cryotransformer/images", "--image-dir data/nowhere", 1, "nowhere"),
    ],
)
def test_mistakes_are_told_before_any_work(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: int, said: str
) -> None:
    assert old in NOTES

    assert run(words(NOTES.replace(old, new), data, tmp_path / "out")) == code

    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def with_coordinates(file: Path, data: Path) -> int:
    """The notes' command with another file of coordinates; its exit code."""
    command = NOTES.replace("data/cryotransformer/coordinates.json", str(file))
    return run(words(command, data, file.parent))


def test_coordinates_of_other_pictures_match_none(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "coordinates.json").write_text('{"other.jpg": [[1, 2]]}')

    assert with_coordinates(tmp_path / "coordinates.json", data) == 1

    assert "no label matches a micrograph" in capsys.readouterr().err


def test_coordinates_of_larger_pictures_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = json.loads((data / "cryotransformer" / "coordinates.json").read_text())
    larger = {name: (np.array(xy) * 5).tolist() for name, xy in known.items()}
    (tmp_path / "coordinates.json").write_text(json.dumps(larger))

    assert with_coordinates(tmp_path / "coordinates.json", data) == 1

    assert "lie outside its 420 x 420 pixels" in capsys.readouterr().err


def test_a_broken_test_picture_is_told_before_the_training(
    out: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data / "cryotransformer", tmp_path / "cryotransformer")
    (name, *_) = read(out / "pseudolabel_ratio_5.json")["split"]["test"]
    picture = tmp_path / "cryotransformer" / "images" / f"{name}.jpg"
    picture.write_bytes(picture.read_bytes()[:3000])

    assert run(words(NOTES, tmp_path, tmp_path / "out")) == 1

    assert name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def make_source(count: int, held: int = 0, annotated: int | None = None) -> Source:
    names = [f"mic{place:04d}" for place in range(count)]
    known = names[: count if annotated is None else annotated]
    picks = Picks(np.array(known, dtype=np.str_), np.ones((len(known), 2)))
    paths = {name: Path(f"{name}.jpg") for name in names}
    judges = frozenset(names[-held:]) if held else None
    return Source(paths, judges, frozenset(known), picks, dict.fromkeys(names, 84.0))


@pytest.mark.parametrize(
    ("count", "held", "ratio", "labelled", "unlabelled"),
    [(1000, 0, 0.05, 45, 855), (1000, 0, 0.10, 90, 810), (5706, 534, 0.05, 258, 4914), (5706, 534, 0.10, 517, 4655)],
)
def test_as_many_are_labelled_as_in_the_notes(
    count: int, held: int, ratio: float, labelled: int, unlabelled: int
) -> None:
    made = draw(make_source(count, held), ratio, 0)

    assert (len(made.labeled), len(made.unlabeled)) == (labelled, unlabelled)
    assert len(made.validation) == 50
    assert len(made.validation) + len(made.test) == (held or 100)


def test_labelled_ones_are_nested_and_a_seed_moves_only_them() -> None:
    source = make_source(200)
    few, many, other = draw(source, 0.05, 0), draw(source, 0.3, 0), draw(source, 0.05, 1)

    assert set(few.labeled) < set(many.labeled)
    assert set(few.labeled) != set(other.labeled)
    assert (few.validation, few.test) == (other.validation, other.test)


def test_what_nobody_annotated_is_never_labelled_nor_judged() -> None:
    made = draw(make_source(100, annotated=30), 0.2, 0)

    assert len(made.labeled) == 19
    assert all(int(name[3:]) < 30 for name in (*made.labeled, *made.validation, *made.test))
    with pytest.raises(LabelsError, match="27 are annotated"):
        draw(make_source(100, annotated=30), 0.5, 0)
    with pytest.raises(LabelsError, match="can't be divided"):
        draw(make_source(2), 0.5, 0)


@pytest.mark.parametrize(
    ("diameter", "side", "target", "expected"),
    [
        (84, 3838, 768, 16.81),
        (84, 3838, None, 20.0),
        (84, 512, 768, 20.0),
        (84, 3838, 3838, 20.0),
        (30, 1000, 500, 15.0),
    ],
)
def test_the_size_of_a_particle_for_the_network(
    diameter: float, side: int, target: int | None, expected: float
) -> None:
    assert working_particle_pixels(diameter, side, target) == expected


def test_a_particle_that_would_vanish_is_refused() -> None:
    with pytest.raises(SettingsError, match="Give 275 or more"):
        working_particle_pixels(84, 3838, 200)
    with pytest.raises(SettingsError, match="Check --particle-radius"):
        working_particle_pixels(5, 3838, 3838)


def test_ratios_are_sorted_and_each_once() -> None:
    assert parse_ratios(" 0.10, 0.05,0.10,") == (0.05, 0.1)
    with pytest.raises(SettingsError, match="there is none"):
        parse_ratios(" , ")


def test_each_micrograph_is_brought_to_the_size_of_its_own_particles(tmp_path: Path) -> None:
    source = make_source(40)
    diameters = {name: 84.0 if place < 30 else 168.0 for place, name in enumerate(source.diameters)}
    source = Source(source.paths, None, source.annotated, source.picks, diameters)
    dataset = Study.plan(source, Method(), 0.1, tmp_path).dataset()

    again = Dataset.from_json(json.loads(json.dumps(dataset.to_json())), dataset.labels)

    assert dataset.diameter_angstrom == 84.0
    assert {name: again.diameter_pixels_of(name) for name in diameters} == diameters
    assert again.shown_pixel_size is None


def test_boxes_say_how_large_particles_are(tmp_path: Path) -> None:
    for role, side in (("train", 10), ("val", 30)):
        (tmp_path / role).mkdir()
        for place in range(2):
            Image.new("L", (64, 64)).save(tmp_path / role / f"{role}{place}.png")
        found = as_coco({f"{role}0.png": [[5, 5, side, side], [0, 0, side // 2, side]], f"{role}1.png": []})
        (tmp_path / role / "_annotations.coco.json").write_text(json.dumps(found))

    source = read_coco(tmp_path / "train", tmp_path / "val")

    assert source.diameters == {"train0": 10.0, "train1": 20.0, "val0": 30.0, "val1": 20.0}
    assert source.held == {"val0", "val1"}
    assert source.picks.on("train0").xy[0].tolist() == [10.0, 10.0]


def test_where_annotations_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(PicksError, match=r"instances_train\.json"):
        find_annotations(tmp_path / "train", "--train-data-dir")
    (tmp_path / "train" / "batch_0.npz").touch()
    with pytest.raises(PicksError, match="give the pictures that they were made from"):
        find_annotations(tmp_path / "train", "--train-data-dir")
    for place in ("annotations/instances_train.json", "train/annotations/some.json", "train/_annotations.coco.json"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).touch()
        assert find_annotations(tmp_path / "train", "--train-data-dir") == tmp_path / place
    (tmp_path / "train" / "other.json").touch()
    with pytest.raises(PicksError, match="it holds 2 JSON files"):
        find_annotations(tmp_path / "train", "--train-data-dir")
