"""The command line from outside: exit codes, one-line errors, roles of micrographs, what scripts read."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import train_words
from PIL import Image

from cryoglean.cli.main import run
from cryoglean.dataset import Dataset, LabelFiles, ParticleSize
from cryoglean.errors import LabelsError
from cryoglean.gather import gather_dataset
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks

SIZE = ParticleSize(180.0)
Capture = pytest.CaptureFixture[str]


def call(*words: object) -> int:
    return run([str(word) for word in words])


def refused(capsys: Capture, code: int, *words: object) -> str:
    """The one line that says why a command did nothing."""
    capsys.readouterr()

    assert call(*words) == code

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    return said.err


def train_with(data: Path, out: Path, *more: object, labels: Path | None = None) -> list[object]:
    picks = labels or data / "labels.csv"
    return ["train", data / "micrographs", "--picks", picks, "--diameter-angstrom=180", "--out", out, "--quiet", *more]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], 'Unknown command "trian"'),
        (["train", "--bogus"], "Unknown option: --bogus"),
        (["train", ".", "--diameter-angstrom", "100", "--out", "x"], "--picks requires"),
        (["train", ".", "--picks", "x.csv", "--diameter-angstrom", "abc", "--out", "x"], '"abc"'),
        (["train", ".", "--picks", "x", "--diameter-angstrom", "9", "--out", "x", "--effort", "quik"], "quick"),
        (["list", "moleculs"], '"moleculs"'),
        (["simulate", "x", "--micrographs", "many"], '"many"'),
        (["simulate", "x", "--micrographs", "0"], "--micrographs: it is 0. Give 1 or more."),
        (["simulate", "x", "--micrographs", "1", "--seed", "-1"], "--seed: it is -1. Give 0 or more."),
        (["simulate", "x", "--micrographs", "1", "--molecule", "feritin"], "Did you mean ferritin?"),
        (["simulate", "x", "--micrographs", "1", "--set", "ice_angstroms=3"], "Did you mean ice_angstrom"),
        (["simulate", "x", "--micrographs", "1", "--set", "ice_angstrom=-3"], "greater than 0"),
        (["simulate", "x", "--micrographs", "1", "--structure", "none.pdb"], "none.pdb"),
        (["demo", "--out", "x", "--seed", "-1"], "seed = -1"),
    ],
)
def test_wrong_usage_is_2_with_a_line_that_says_what_was_meant(
    words: list[str], says: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert says in refused(capsys, 2, *words)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--strategy=supervized", "Did you mean supervised?"),
        ("--preset=seed_5_percnt", "Did you mean seed_5_percent?"),
        ("--set=learn.stepps=3", "Did you mean learn.steps"),
        ("--set=learn.steps=0", "learn.steps = 0"),
        ("--set=learn.steps", "not name=value"),
        ("--set=model.name=unett", "Did you mean unet?"),
        ("--set=loss.terms=[bce,dise]", "Did you mean dice?"),
        ("--seed=-1", "seed = -1"),
        ("--diameter-angstrom=0", "--diameter-angstrom: it is 0.0"),
        ("--diameter-angstrom=-5", "--diameter-angstrom: it is -5.0"),
        ("--diameter-angstrom=nan", "--diameter-angstrom: it is nan"),
        ("--diameter-angstrom=inf", "--diameter-angstrom: it is inf"),
        ("--pixel-size-angstrom=0", "--pixel-size-angstrom: it is 0.0"),
        ("--pixel-size-angstrom=nan", "--pixel-size-angstrom: it is nan"),
    ],
)
def test_a_training_with_an_impossible_option_makes_no_folder(
    option: str, says: str, easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = [word for word in train_with(easy_data, tmp_path / "run") if not str(word).startswith(option.split("=")[0])]

    assert says in refused(capsys, 2, *words, option)

    assert not (tmp_path / "run").exists()


def test_two_wrong_settings_are_named_at_once(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    said = refused(
        capsys, 2, *train_with(easy_data, tmp_path / "run"), "--set", "learn.batch=0", "--set", "augment.noize=1"
    )

    assert "learn.batch" in said
    assert "augment.noise" in said


@pytest.mark.parametrize("missing", ["micrographs", "picks"])
def test_a_missing_file_is_named(missing: str, easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    nowhere = tmp_path / "nowhere.csv"
    micrographs = nowhere if missing == "micrographs" else easy_data / "micrographs"
    labels = nowhere if missing == "picks" else easy_data / "labels.csv"

    said = refused(
        capsys, 1, "train", micrographs, "--picks", labels, "--diameter-angstrom", 180, "--out", tmp_path / "run"
    )

    assert str(nowhere) in said


def labels_of_first(data: Path) -> Picks:
    return read_picks(data / "one.csv")


def test_labels_that_match_no_micrograph_show_both_sides(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    one = labels_of_first(easy_data)
    other = replace(one, micrograph=np.full(len(one), "May08_03.05.02"), micrographs=("May08_03.05.02",))
    write_picks(other, tmp_path / "other.csv")

    said = refused(capsys, 1, *train_with(easy_data, tmp_path / "run", labels=tmp_path / "other.csv"))

    assert "'May08_03.05.02'" in said
    assert "'simulated_0000'" in said


@pytest.mark.parametrize("contrast", ["auto", "dark"])
def test_labels_outside_the_micrograph_are_refused(
    contrast: str, easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Such as coordinates of the unbinned micrograph."""
    one = labels_of_first(easy_data)
    write_picks(replace(one, xy=one.xy * 4), tmp_path / "far.csv")

    said = refused(
        capsys, 1,
        *train_with(easy_data, tmp_path / "run", "--set", f"prepare.contrast={contrast}", labels=tmp_path / "far.csv"),
    )  # fmt: skip

    assert "simulated_0000" in said
    assert "outside its 384 x 384 pixels" in said


def test_labels_on_empty_ice_are_refused(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    one = labels_of_first(easy_data)
    rng = np.random.default_rng(0)
    write_picks(replace(one, xy=rng.uniform(40, 344, one.xy.shape)), tmp_path / "random.csv")

    said = refused(capsys, 1, *train_with(easy_data, tmp_path / "run", labels=tmp_path / "random.csv"))

    assert "as bright as their surroundings" in said
    assert "prepare.contrast" in said


def test_labels_that_could_not_choose_a_threshold_are_refused_before_the_training(
    easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Here the border is wider than the micrograph."""
    words = train_with(easy_data, tmp_path / "run", "--set", "prepare.border_diameters=9")

    assert "far enough from the edge" in refused(capsys, 1, *words)

    assert not (tmp_path / "run").exists()


def test_a_mistake_in_the_data_leaves_the_run_folder_free(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The corrected command may use the same --out."""
    out = tmp_path / "run"
    refused(capsys, 1, *train_with(easy_data, out, "--diameter-angstrom=3000")[:4], "--diameter-angstrom=3000",
            "--out", out)  # fmt: skip

    assert call(*train_with(easy_data, out, "--set", "learn.steps=8", "--set", "learn.crop_pixels=64")) == 0


def test_a_micrograph_without_pixel_size_asks_for_it(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    pixels = read_micrograph(easy_data / "micrographs" / "simulated_0000.mrc").pixels
    save_as_picture(pixels, tmp_path / "simulated_0000.png")

    said = refused(capsys, 1, "train", tmp_path, "--picks", easy_data / "one.csv", "--diameter-angstrom", 180,
                   "--out", tmp_path / "run")  # fmt: skip

    assert "simulated_0000.png" in said
    assert "Give --pixel-size-angstrom" in said


def save_as_picture(pixels: np.ndarray, path: Path) -> None:
    low, high = np.percentile(pixels, [0.1, 99.9])
    Image.fromarray((np.clip((pixels - low) / (high - low), 0, 1) * 255).astype(np.uint8)).save(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_pictures_without_header_work_with_a_pixel_size(suffix: str, easy_data: Path, tmp_path: Path) -> None:
    """From training to picking; picking takes the pixel size from the training."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in read_picks(easy_data / "labels.csv").micrographs:
        save_as_picture(read_micrograph(easy_data / "micrographs" / f"{name}.mrc").pixels, folder / f"{name}.{suffix}")

    assert call("train", folder, "--picks", easy_data / "labels.csv", "--diameter-angstrom", 180, "--out",
                tmp_path / "run", "--pixel-size-angstrom", 4, "--quiet", "--set", "learn.steps=8",
                "--set", "learn.crop_pixels=64", "--set", "pick.views=1") == 0  # fmt: skip
    assert call("pick", tmp_path / "run", folder, "--out", tmp_path / "picks.star", "--quiet") == 0

    text = (tmp_path / "picks.star").read_text()
    assert "_rlnCoordinateX" in text


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--out", "picks.foo"], 1, "no format has the suffix '.foo'"),
        (["--out", "picks.csv", "--threshold=nan"], 2, "--threshold: it is nan. Give a score from 0 to 1."),
        (["--out", "picks.csv", "--threshold=2"], 2, "--threshold: it is 2.0"),
        (["--out", "picks.csv", "--pixel-size-angstrom=0"], 2, "--pixel-size-angstrom: it is 0.0"),
        (["--out", "picks.csv", "--pixel-size-angstrom=inf"], 2, "--pixel-size-angstrom: it is inf"),
        (["--out", "picks.csv", "--views=3"], 2, "--views"),
        (["--out", "picks.csv", "--pixel-size-angstrom=0.1"], 1, "smaller than two particles"),
    ],
)
def test_picking_with_an_impossible_option_writes_nothing(
    words: list[str], code: int, says: str, easy_data: Path, easy_run: Path,
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    assert says in refused(capsys, code, "pick", easy_run, easy_data / "micrographs", "--quiet", *words)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["pick", "report"])
def test_a_folder_that_is_no_finished_run_is_refused(
    command: str, easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    more = [easy_data / "micrographs", "--out", tmp_path / "picks.csv"] if command == "pick" else []

    said = refused(capsys, 1, command, tmp_path, *more)

    assert str(tmp_path) in said
    assert "Give the folder of a finished `cryoglean train`" in said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--diameter-angstrom=180"], 2, "Give --diameter-pixels, or --diameter-angstrom and --pixel-size-angstrom"),
        (["--diameter-angstrom=180", "--pixel-size-angstrom=0"], 2, "--pixel-size-angstrom: it is 0.0"),
        (["--diameter-pixels=-3"], 2, "diameter_pixels is -3.0"),
        (["--diameter-pixels=45", "--border-pixels=20"], 1, "the size of the micrograph is not known"),
        (["--diameter-pixels=45", "--definition=topas"], 2, "Did you mean topaz?"),
        (["--diameter-pixels=45", "--threshold=nan"], 2, "the threshold is nan"),
    ],
)
def test_an_evaluation_that_can_not_be_made_is_refused(
    words: list[str], code: int, says: str, easy_data: Path, easy_picks: Path, capsys: Capture
) -> None:
    assert says in refused(capsys, code, "evaluate", easy_picks, "--truth", easy_data / "truth.csv", *words)


def test_an_evaluation_without_any_diameter_is_refused(
    easy_data: Path, easy_picks: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_picks(replace(read_picks(easy_data / "truth.csv"), diameter_pixels=None), tmp_path / "truth.csv")

    said = refused(capsys, 2, "evaluate", easy_picks, "--truth", tmp_path / "truth.csv")

    assert "the particle's diameter in pixels is not known" in said


@pytest.mark.parametrize("definition", ["default", "topaz", "rapick", "coco", "cryo_emmae", "pixel", "cryosegnet"])
def test_the_json_of_an_evaluation_has_its_fixed_keys(
    definition: str, easy_data: Path, easy_picks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "evaluation.json"

    code = call("evaluate", easy_picks, "--truth", easy_data / "truth.csv", "--diameter-pixels", 45, "--quiet",
                "--json", out, "--definition", definition, "--micrographs", easy_data / "micrographs")  # fmt: skip

    result = json.loads(out.read_text())
    assert code == 0
    assert 0.5 < result["f1"] <= 1.0
    if definition == "default":
        fixed = (
            "f1 precision recall best_f1 average_precision true_positives picks truth threshold tolerance_pixels"
            " intervals per_micrograph"
        )
        assert set(fixed.split()) <= set(result)
        assert result["tolerance_pixels"] == 22.5
        assert result["truth"] == len(read_picks(easy_data / "truth.csv"))
        assert len(result["per_micrograph"]) == 4


def test_show_draws_a_png_and_names_picks_of_another_micrograph(
    easy_data: Path, easy_picks: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = easy_data / "micrographs"

    code = call("show", "micrograph", folder / "simulated_0003.mrc", "--picks", easy_picks, "--truth",
                easy_data / "truth.csv", "--out", tmp_path / "a.png")  # fmt: skip

    assert code == 0
    assert Image.open(tmp_path / "a.png").size[0] > 100
    said = refused(
        capsys, 1, "show", "micrograph", folder / "simulated_0000.mrc", "--picks", easy_picks, "--out", "b.png"
    )
    assert "nothing on the micrograph 'simulated_0000'" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out=a.jpg"], "Call it .png."),
        (["--out=a.png", "--diameter-pixels=nan"], "--diameter-pixels: it is nan"),
        (["--out=a.png", "--diameter-pixels=0"], "--diameter-pixels: it is 0.0"),
        (["--out=a.png", "--pixel-size-angstrom=inf"], "--pixel-size-angstrom: it is inf"),
    ],
)
def test_what_can_not_be_drawn_is_refused(words: list[str], says: str, easy_data: Path, capsys: Capture) -> None:
    path = easy_data / "micrographs" / "simulated_0000.mrc"

    assert says in refused(capsys, 2, "show", "micrograph", path, *words)


COMMANDS = ("demo", "simulate", "train", "pick", "evaluate", "report", "list", "show")
LISTED = {
    "strategies": "supervised", "formats": "star", "models": "unet", "losses": "focal",
    "presets": "standard", "molecules": "ferritin", "definitions": "coco", "settings": "learn.steps",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "member"), LISTED.items())
def test_list_shows_each_thing_with_a_sentence(kind: str, member: str, capsys: Capture) -> None:
    assert call("list", kind) == 0
    lines = capsys.readouterr().out.splitlines()
    assert call("list", kind, "--json") == 0
    rows = json.loads(capsys.readouterr().out)

    assert member in rows
    assert [line.split()[0] for line in lines] == list(rows)
    assert all(summary.strip() for summary in rows.values())


def test_the_version_is_that_of_the_package(capsys: Capture) -> None:
    from importlib.metadata import version

    assert call("--version") == 0

    assert capsys.readouterr().out.strip() == version("cryoglean")


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_is_there_for_every_command(command: list[str], capsys: Capture) -> None:
    assert call(*command, "--help") == 0

    assert "Usage: cryoglean" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["list", "presets"]])
def test_help_needs_no_heavy_library(words: list[str]) -> None:
    """So that it comes at once."""
    code = (
        "import sys; from cryoglean.cli.main import run; code = run(sys.argv[1:]); "
        "print('loaded', [name for name in ('torch', 'scipy', 'matplotlib', 'pandas') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded []"


def test_a_closed_pipe_is_no_traceback() -> None:
    """As in `cryoglean list settings | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cryoglean", "list", "settings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.wait(timeout=60)

    assert b"Traceback" not in said


def test_simulate_makes_micrographs_with_their_truth(tmp_path: Path, capsys: Capture) -> None:
    words = ["--set", "shape_pixels=[256, 320]", "--set", "particles_per_micrograph=8", "--quiet"]

    assert call("simulate", tmp_path / "a", "--micrographs", 2, "--seed", 3, "--molecule", "globule", *words) == 0
    assert call("simulate", tmp_path / "b", "--micrographs", 1, "--seed", 3, "--molecule", "globule", *words) == 0

    assert capsys.readouterr().out == ""
    first, again = (read_micrograph(tmp_path / name / "simulated_0000.mrc") for name in "ab")
    assert first.shape == (256, 320)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert set(read_picks(tmp_path / "a" / "coordinates.csv").micrographs) <= {"simulated_0000", "simulated_0001"}


def test_simulated_micrographs_may_be_empty(tmp_path: Path, capsys: Capture) -> None:
    words = ["--set", "shape_pixels=[128, 128]", "--set", "particles_per_micrograph=0"]

    assert call("simulate", tmp_path, "--micrographs", 1, *words) == 0

    assert "without a particle" in capsys.readouterr().out


def test_train_and_pick_say_json_for_scripts(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["--json", "--set", "learn.steps=8", "--set", "learn.crop_pixels=64", "--set", "pick.views=1"]
    capsys.readouterr()

    assert call(*train_with(easy_data, tmp_path / "run"), *words) == 0
    summary = json.loads(capsys.readouterr().out)
    first = easy_data / "micrographs" / "simulated_0005.mrc"
    assert call("pick", tmp_path / "run", first, "--out", tmp_path / "p.csv", "--json", "--threshold=0.01") == 0
    harvest = json.loads(capsys.readouterr().out)

    assert {"threshold", "threshold_rule", "validation", "train", "wall_seconds"} <= set(summary)
    assert harvest["micrographs"] == 1
    assert harvest["picks"] == len(read_picks(tmp_path / "p.csv"))
    assert harvest["skipped"] == {}


def gathered(micrographs: list[str | Path], labels: LabelFiles) -> Dataset:
    return gather_dataset(micrographs, SIZE, labels)[0]


def as_facts(dataset: Dataset) -> tuple[Any, ...]:
    order = np.lexsort((*dataset.labels.xy.T, dataset.labels.micrograph))
    return (dict(dataset.roles), dataset.labels.micrograph[order].tolist(), dataset.labels.xy[order].tolist())


@pytest.mark.parametrize("way", ["glob", "files", "star"])
def test_folder_glob_files_and_star_mean_the_same_micrographs(way: str, easy_data: Path, tmp_path: Path) -> None:
    folder = easy_data / "micrographs"
    files = sorted(folder.glob("*.mrc"))
    star = tmp_path / "micrographs.star"
    star.write_text("data_micrographs\n\nloop_\n_rlnMicrographName #1\n" + "".join(f"{file}\n" for file in files))
    given: dict[str, list[str | Path]] = {"glob": [f"{folder}/*.mrc"], "files": [*files], "star": [star]}
    labels = LabelFiles(easy_data / "labels.csv")

    assert as_facts(gathered(given[way], labels)) == as_facts(gathered([folder], labels))


@pytest.mark.parametrize("suffix", ["star", "json"])
def test_labels_of_every_format_give_the_same_data_set(suffix: str, easy_data: Path, tmp_path: Path) -> None:
    write_picks(read_picks(easy_data / "labels.csv"), tmp_path / f"labels.{suffix}")
    folder: list[str | Path] = [easy_data / "micrographs"]

    one = gathered(folder, LabelFiles(easy_data / "labels.csv"))
    other = gathered(folder, LabelFiles(tmp_path / f"labels.{suffix}"))

    assert as_facts(one)[:2] == as_facts(other)[:2]
    np.testing.assert_allclose(as_facts(one)[2], as_facts(other)[2], atol=1e-5)


def some_labels(data: Path, out: Path, *places: int) -> Path:
    table = read_picks(data / "micrographs" / "coordinates.csv")
    write_picks(table.of([table.micrographs[place] for place in places]), out)
    return out


def test_each_micrograph_has_one_role(easy_data: Path, tmp_path: Path) -> None:
    """Validation wins over --picks; test and unlabelled micrographs bring no labels in."""
    labels = LabelFiles(
        some_labels(easy_data, tmp_path / "train.csv", 0, 1, 2),
        some_labels(easy_data, tmp_path / "validation.csv", 2),
        some_labels(easy_data, tmp_path / "test.csv", 3, 4),
    )

    dataset = gathered([easy_data / "micrographs"], labels)

    roles = [dataset.roles[f"simulated_000{place}"] for place in range(6)]
    assert roles == ["train", "train", "validation", "test", "test", "unlabelled"]
    assert set(dataset.labels.micrographs) == {f"simulated_000{place}" for place in (0, 1, 2)}


@pytest.mark.parametrize("other", ["train", "validation"])
def test_a_test_micrograph_may_have_no_other_role(other: str, easy_data: Path, tmp_path: Path) -> None:
    both = some_labels(easy_data, tmp_path / "test.csv", 1, 3)
    first = some_labels(easy_data, tmp_path / "a.csv", 0, 1 if other == "train" else 2)
    second = some_labels(easy_data, tmp_path / "b.csv", 1 if other == "validation" else 5)

    with pytest.raises(LabelsError, match=f"simulated_0001: it is for {other} and for test"):
        gathered([easy_data / "micrographs"], LabelFiles(first, second, both))


def test_labels_of_absent_micrographs_are_noted(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    labels = some_labels(easy_data, tmp_path / "labels.csv", 0, 1, 5)
    files = sorted((easy_data / "micrographs").glob("*.mrc"))[:2]

    code = call("train", *files, "--picks", labels, "--diameter-angstrom", 180, "--out", tmp_path / "run", "--quiet",
                "--set", "learn.steps=8", "--set", "learn.crop_pixels=64", "--set", "pick.views=1")  # fmt: skip

    assert code == 0
    assert "1 labelled micrographs are not among those given: simulated_0005" in capsys.readouterr().err


def test_two_files_of_one_name_are_refused(easy_data: Path, tmp_path: Path, capsys: Capture) -> None:
    micrograph = read_micrograph(easy_data / "micrographs" / "simulated_0000.mrc")
    write_micrograph(micrograph, tmp_path / "simulated_0000.mrc")

    said = refused(capsys, 1, *train_with(easy_data, tmp_path / "run"), tmp_path)

    assert "two files are the micrograph 'simulated_0000'" in said


def test_a_finished_run_is_not_trained_again(easy_data: Path, easy_run: Path, capsys: Capture) -> None:
    assert "already holds a run" in refused(capsys, 1, *train_words(easy_data, easy_run))


def test_python_minus_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "cryoglean", "trian"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith('error: Unknown command "trian"')
