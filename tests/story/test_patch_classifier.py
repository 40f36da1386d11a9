"""The patch classifier through the command line: from clicks, behind its gate, and from a file of patches."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cryoglean
from cryoglean import keeping
from cryoglean.cli.main import run
from cryoglean.dataset import LabelFiles, ParticleSize
from cryoglean.errors import SettingsError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.patches import Patches, read_npz_patches, write_npz_patches
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.run import Run

Capture = pytest.CaptureFixture[str]
DIAMETER_PIXELS, SIDE = 45, 112
SMALL = [
    "learn.steps=50", "learn.validate_every=25", "learn.precision=float32", "pick.views=1", "learn.batch=16",
    "unlabelled.batch=24",
]  # fmt: skip
FEW = ("--quiet", "--set", "loss.prior=0.1", "--set", "learn.steps=4")
PRESET = ["--preset", "fixmatch_pu", *(word for one in SMALL for word in ("--set", one))]


def words(data: Path, out: Path, picks: Path, *more: object) -> list[str]:
    said = ["train", data / "micrographs", "--picks", picks, "--diameter-angstrom", 180, "--out", out, *PRESET, *more]
    return [str(word) for word in said]


@pytest.fixture(scope="module")
def validation(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Complete labels of the third micrograph."""
    out = tmp_path_factory.mktemp("held") / "validation.csv"
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:1]), out)
    return out


@pytest.fixture(scope="module")
def trained(easy_data: Path, validation: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """From the first two micrographs' labels as clicks."""
    out = tmp_path_factory.mktemp("patches") / "run"
    assert run(words(easy_data, out, easy_data / "labels.csv", "--validation", validation, "--quiet")) == 0
    return Run(out)


def interrupt(command: list[str], at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a training and stop it when it has told the first event of a kind."""
    append = keeping.append_json_line

    def stop(path: Path, event: dict[str, object]) -> None:
        append(path, event)
        if event["event"] == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "append_json_line", stop)
        assert run(command) == 130


def average_precision(picks: Path, easy_data: Path) -> float:
    truth = read_picks(easy_data / "truth.csv")
    unseen = truth.micrographs[1:]
    found = evaluate_picks(read_picks(picks).of(unseen), truth.of(unseen), Rules()).curve
    assert found is not None
    return found.average_precision or 0.0


def test_behind_an_open_gate_it_goes_on_picks_and_is_reported(trained: Run, easy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.csv"

    assert run(["pick", str(trained.folder), str(easy_data / "micrographs"), "--out", str(out), "--quiet"]) == 0
    assert run(["report", str(trained.folder)]) == 0

    summary = trained.summary()
    assert summary["strategy"] == "fixmatch_pu"
    assert summary["gate"]["passed"]
    assert summary["gate"]["measured_on"] == "validation"
    assert summary["gate"]["auc"] > 0.8
    assert len(summary["rounds"]) == 1
    assert average_precision(out, easy_data) > 0.7
    validations = trained.events("validation")
    assert {event["phase"] for event in validations} == {"final", "final-round-1"}
    assert all(0 <= event["auc"] <= 1 for event in validations)
    taught = [event for event in trained.events("step") if "taught.usage" in event]
    assert taught
    assert all(0 <= event[f"taught.{name}"] <= 1 for event in taught for name in ("particle_usage", "background_usage"))


def test_an_interrupted_run_goes_on_to_the_same_gate(
    trained: Run, easy_data: Path, validation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped when the gate has been told, and measures it again."""
    command = words(easy_data, tmp_path / "run", easy_data / "labels.csv", "--validation", validation, "--quiet")

    interrupt(command, "gate", monkeypatch)
    assert run([*command, "--resume"]) == 0

    again = Run(tmp_path / "run")
    assert again.summary()["gate"] == trained.summary()["gate"]
    assert again.summary()["rounds"] == trained.summary()["rounds"]
    assert [event["phase"] for event in again.events("validation") if event["phase"] == "final"] == ["final"] * 2


def test_clicks_that_are_nowhere_keep_the_gate_shut_and_it_says_what_to_check(
    easy_data: Path, validation: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A bad result is told, not raised; the network before is kept and could pick."""
    table = read_picks(easy_data / "labels.csv")
    anywhere = np.random.default_rng(1).uniform(40, 340, (len(table), 2))
    write_picks(Picks(table.micrograph, anywhere), tmp_path / "shuffled.csv")
    more = ("--validation", validation, "--set", "prepare.contrast=dark")

    assert run(words(easy_data, tmp_path / "run", tmp_path / "shuffled.csv", *more)) == 0

    said = capsys.readouterr().out
    summary = Run(tmp_path / "run").summary()
    assert not summary["gate"]["passed"]
    assert summary["rounds"] == []
    assert "does not rank particles above the rest" in said
    for word in ("cryoglean show patches", "--pixel-size-angstrom", "prepare.contrast", "number of labels"):
        assert word in said


@pytest.fixture(scope="module")
def patches_file(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Around the labels of the first two micrographs, and anywhere on them."""
    table, rng = read_picks(easy_data / "labels.csv"), np.random.default_rng(0)
    positive, unlabelled = [], []
    for name in table.micrographs:
        pixels = read_micrograph(easy_data / "micrographs" / f"{name}.mrc").pixels
        middle = SIDE // 2
        anywhere = rng.uniform(middle, 384 - middle, (120, 2))
        for kept, xy in ((positive, table.on(name).xy), (unlabelled, anywhere)):
            for x, y in np.rint(xy).astype(int):
                if middle <= min(x, y) and max(x, y) + middle <= 384:
                    kept.append(pixels[y - middle : y + middle, x - middle : x + middle])
    out = tmp_path_factory.mktemp("cut") / "cut.npz"
    write_npz_patches(Patches(np.array(positive), np.array(unlabelled)), out)
    return out


def patch_words(file: Path, out: Path, *more: object) -> list[str]:
    size = ["--diameter-angstrom", 180, "--pixel-size-angstrom", 4]
    return [str(word) for word in ("train", file, *size, "--out", out, *PRESET, *more)]


def test_a_file_of_patches_is_enough_to_pick_micrographs(
    patches_file: Path, easy_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, picks = tmp_path / "run", tmp_path / "picks.csv"

    assert run(patch_words(patches_file, out, "--labels", "sparse", "--set", "loss.prior=0.1")) == 0
    said = capsys.readouterr().out
    assert run(["pick", str(out), str(easy_data / "micrographs"), "--out", str(picks), "--quiet"]) == 0
    assert run(["report", str(out)]) == 0

    summary = Run(out).summary()
    told = summary["patches"]
    assert told["held_unlabelled"] == 60
    assert told["unlabelled"] == 180
    assert told["auc"] > 0.8
    assert summary["gate"]["passed"]
    assert summary["clicks"]["clicks_found"] >= 0.5 * told["held_positive"]
    assert average_precision(picks, easy_data) > 0.6
    assert "positive and 180 unlabelled patches" in said
    page = Run(out).report_file.read_text(encoding="utf-8")
    assert "180 unlabelled patches (cut.npz)" in page
    assert "The first network ranks particles above the rest" in page
    assert "micrographs;" not in said


def test_a_torch_file_is_as_good_and_is_resumed_to_the_same_end(patches_file: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    with np.load(patches_file) as arrays:
        content = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    torch.save({"patches": content}, tmp_path / "cut.pt")
    summaries = []
    for name, file in (("npz", patches_file), ("pt", tmp_path / "cut.pt")):
        assert run(patch_words(file, tmp_path / name, *FEW)) == 0
        assert run(patch_words(file, tmp_path / name, *FEW, "--resume")) == 0
        told = json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))
        summaries.append({key: value for key, value in told.items() if "seconds" not in key})

    assert summaries[0] == summaries[1]


@pytest.fixture
def interrupted(patches_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """A file of patches of its own, and the command of a training from it that was stopped at its first step."""
    file = tmp_path / "own.npz"
    shutil.copy(patches_file, file)
    command = patch_words(file, tmp_path / "run", *FEW)
    interrupt(command, "step", monkeypatch)
    return file, command


@pytest.mark.parametrize("part", ["positive", "unlabelled"])
def test_patches_rewritten_since_a_training_began_are_refused(
    part: str, interrupted: tuple[Path, list[str]], tmp_path: Path, capsys: Capture
) -> None:
    """As many, as large, in the same file, but one pixel of one kind is another one."""
    file, command = interrupted
    patches = read_npz_patches(file)
    getattr(patches, part)[0, 0, 0] += 1
    write_npz_patches(patches, file)

    assert run([*command, "--resume"]) == 1

    said = capsys.readouterr().err
    assert f"{tmp_path / 'run'}: it was started with other patches" in said
    assert str(file) in said
    assert not Run(tmp_path / "run").is_finished


def test_a_finished_run_of_other_patches_is_no_result_of_these(
    interrupted: tuple[Path, list[str]], capsys: Capture
) -> None:
    file, command = interrupted
    assert run([*command, "--resume"]) == 0
    patches = read_npz_patches(file)
    write_npz_patches(replace(patches, positive=patches.positive[::-1]), file)

    assert run([*command, "--resume"]) == 1

    assert "other patches" in capsys.readouterr().err


def test_the_same_patches_in_a_file_written_otherwise_are_the_same(interrupted: tuple[Path, list[str]]) -> None:
    file, command = interrupted
    patches = read_npz_patches(file)
    np.savez(file, positive=patches.positive[:, None], unlabeled=patches.unlabelled.astype(np.float64))

    assert run([*command, "--resume"]) == 0


def test_a_run_from_before_patches_were_told_apart_goes_on(interrupted: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Its description of the data has no digest; from now on it has one."""
    _, command = interrupted
    kept = Run(tmp_path / "run")
    told = kept.read_json(kept.dataset_file)
    digest = told.pop("content_digest")
    kept.write_json(kept.dataset_file, told)

    assert run([*command, "--resume"]) == 0

    assert kept.read_json(kept.dataset_file)["content_digest"] == digest


FEW_SETTINGS = [*SMALL, "loss.prior=0.1", "learn.steps=4"]
SIZE = ParticleSize(180, 4)


def test_python_learns_from_patches_as_the_command_does(patches_file: Path, tmp_path: Path) -> None:
    assert run(patch_words(patches_file, tmp_path / "shell", *FEW)) == 0

    python = cryoglean.train(
        str(patches_file), None, SIZE, tmp_path / "python", effort="fixmatch_pu", settings=FEW_SETTINGS
    )
    again = cryoglean.train([patches_file], None, SIZE, tmp_path / "shell", effort="fixmatch_pu", settings=FEW_SETTINGS)

    told = [{key: value for key, value in one.summary().items() if "seconds" not in key} for one in (python, again)]
    assert told[0]["patches"]["unlabelled"] == 180
    assert told[0] == told[1]
    assert python.weights_file.read_bytes() == again.weights_file.read_bytes()


@pytest.mark.parametrize(
    ("micrographs", "labels", "says"),
    [
        (["cut.npz"], "labels.csv", r"labels: they are for micrographs\. cut\.npz needs none; give None\."),
        (["cut.pt"], LabelFiles(Path("labels.csv")), r"cut\.pt needs none"),
        (["cut.npz", "micrographs"], None, r"micrographs: 2 files were given\. Give one file of patches\."),
        (["micrographs"], None, r"--picks requires a file of labels\. .* only a file of patches"),
    ],
)
def test_python_is_told_where_labels_belong_and_where_not(
    micrographs: list[str], labels: str | LabelFiles | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=says):
        cryoglean.train(micrographs, labels, SIZE, tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "loss.prior"),
        (("--labels", "complete", "--set", "loss.prior=0.1"), "--labels sparse"),
        (("--strategy", "supervised", "--set", "loss.prior=0.1"), "none is background"),
        (("--set", "model.name=lean", "--set", "loss.prior=0.1"), "small_cnn_patch"),
        (("--picks", "x.csv", "--set", "loss.prior=0.1"), "--picks"),
        (("--per-micrograph", 20, "--set", "loss.prior=0.1"), "--per-micrograph"),
        (("--set", "split.folds=3", "--set", "loss.prior=0.1"), "split.folds"),
        (("--diameter-angstrom", 400, "--set", "loss.prior=0.1"), "diameters"),
    ],
)
def test_what_does_not_fit_patches_is_refused_before_anything_is_written(
    more: tuple[object, ...], says: str, patches_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    base = patch_words(patches_file, tmp_path / "run")
    if "--diameter-angstrom" in more:
        place = base.index("--diameter-angstrom")
        base = base[:place] + base[place + 2 :]

    assert run([*base, *map(str, more)]) in {1, 2}

    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_patches_without_a_pixel_size_are_refused(patches_file: Path, tmp_path: Path, capsys: Capture) -> None:
    base = patch_words(patches_file, tmp_path / "run", "--set", "loss.prior=0.1")
    place = base.index("--pixel-size-angstrom")

    assert run(base[:place] + base[place + 2 :]) == 2

    assert "--pixel-size-angstrom" in capsys.readouterr().err
