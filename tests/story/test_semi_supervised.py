"""Unlabelled micrographs through the whole line: chosen, prepared, labelled by a teacher, learned from, reported."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cryoglean
from cryoglean.cli.main import run
from cryoglean.dataset import Dataset, ParticleSize
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.run import Run
from cryoglean.settings import choose_settings

SMALL = [
    "learn.steps=30", "learn.crop_pixels=96", "learn.validate_every=15", "learn.precision=float32", "pick.views=1",
    "learn.checkpoint_every_seconds=0",
]  # fmt: skip


def words(data: Path, out: Path, *more: object, validation: Path | None = None) -> list[str]:
    said = ["train", data / "micrographs", "--picks", data / "labels.csv", "--diameter-angstrom", 180, "--out", out]
    if validation is not None:
        said += ["--validation", validation]
    return [*map(str, said), *(word for one in SMALL for word in ("--set", one)), "--quiet", *map(str, more)]


@pytest.fixture(scope="module")
def validation(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of the third micrograph; the other three stay unlabelled."""
    out = tmp_path_factory.mktemp("held") / "validation.csv"
    table = read_picks(easy_data / "truth.csv")
    write_picks(table.of(table.micrographs[:1]), out)
    return out


@pytest.fixture(scope="module")
def semi_run(easy_data: Path, validation: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Pseudo-labels as the notes made them: that round always counts."""
    out = tmp_path_factory.mktemp("semi") / "run"
    more = ("--strategy", "limited", "--set", "options.variant=notes", "--set", "options.ratio=3")
    assert run(words(easy_data, out, *more, validation=validation)) == 0
    return Run(out)


def test_with_unlabelled_micrographs_the_recommended_strategy_is_the_default(
    easy_data: Path, validation: Path, tmp_path: Path
) -> None:
    assert run(words(easy_data, tmp_path / "run", validation=validation)) == 0
    alone = sorted((easy_data / "micrographs").glob("*.mrc"))[:2]
    cryoglean.train(alone, easy_data / "labels.csv", 180, tmp_path / "alone", settings=[*SMALL, "learn.steps=5"])

    summary = Run(tmp_path / "run").summary()
    assert (summary["strategy"], summary["unlabelled"]) == ("recommended", 3)
    assert Run(tmp_path / "alone").summary()["strategy"] == "supervised"


def test_the_teacher_s_labels_are_described_and_kept_to_be_looked_at(semi_run: Run) -> None:
    (told,) = semi_run.summary()["rounds"]

    assert told["counts"]
    assert set(told["particles"]) == {f"simulated_000{place}" for place in (3, 4, 5)}
    assert told["kept"] == told["offered"] == 3
    assert 0 <= told["particle_usage"] <= told["usage"] <= 1
    assert told["particle_usage"] + told["background_usage"] == pytest.approx(told["usage"])
    assert 0 <= told["precision"] <= 1
    arrays = np.load(semi_run.pseudo_labels_file(1))
    assert {key.split("/")[1] for key in arrays} == {"image", "y", "w"}
    assert {event["phase"] for event in semi_run.events("phase")} == {"final", "final-round-1"}


def test_the_report_tells_of_the_round(semi_run: Run) -> None:
    page = cryoglean.report(semi_run.folder).read_text(encoding="utf-8")

    assert "Unlabelled micrographs" in page


def test_with_folds_the_final_network_goes_through_the_rounds_that_counted(easy_data: Path, tmp_path: Path) -> None:
    more = ("--strategy", "low_threshold")
    assert run(words(easy_data, tmp_path / "run", *more, "--set", "learn.steps=15")) == 0

    phases = [event["phase"] for event in Run(tmp_path / "run").events("phase")]
    summary = Run(tmp_path / "run").summary()
    counted = sum(one["counts"] for one in summary["rounds"])
    expected = ["fold-1", "fold-2", "fold-1-round-1", "fold-2-round-1", "final"]
    assert phases == expected + ["final-round-1"] * counted
    assert summary["is_cross_validated"]


def test_an_unlabelled_micrograph_that_can_t_be_read_is_left_out_and_said_to_be(
    easy_data: Path, validation: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mrc"
    broken.write_bytes(b"no picture")
    said = words(easy_data, tmp_path / "run", "--strategy", "mean_teacher", validation=validation)
    said.insert(2, str(broken))

    assert run(said) == 0

    (event,) = Run(tmp_path / "run").events("unlabelled")
    assert (event["given"], event["used"]) == (4, 3)
    assert "broken" in event["skipped"]


def test_without_a_usable_one_it_is_the_supervised_network_and_says_so(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.mrc"
    broken.write_bytes(b"no picture")
    labelled = sorted((easy_data / "micrographs").glob("*.mrc"))[:2]
    said = [word for word in words(easy_data, tmp_path / "run", "--set", "learn.steps=5") if word != "--quiet"]

    assert run([said[0], *map(str, labelled), str(broken), *said[2:]]) == 0

    assert Run(tmp_path / "run").summary()["strategy"] == "recommended"
    assert "is the supervised network" in capsys.readouterr().out
    assert "nothing to learn from but" in cryoglean.report(tmp_path / "run").read_text(encoding="utf-8")


def test_a_round_without_pseudo_labels_does_not_count(easy_data: Path, validation: Path, tmp_path: Path) -> None:
    """It would be another training on the labels alone, and its luck would be taken for a gain."""
    more = ("--strategy", "pseudo_label", "--set", "options.variant=notes", "--set", "options.trust_above=1.0",
            "--set", "options.rounds=1", "--set", "learn.steps=5")  # fmt: skip

    assert run(words(easy_data, tmp_path / "run", *more, validation=validation)) == 0

    (told,) = Run(tmp_path / "run").summary()["rounds"]
    assert (told["kept"], told["counts"], told["gain"]) == (0, False, 0.0)
    assert [event["phase"] for event in Run(tmp_path / "run").events("phase")] == ["final"]


def test_no_more_are_looked_at_than_asked_for(easy_data: Path, validation: Path, tmp_path: Path) -> None:
    more = ("--strategy", "mean_teacher", "--set", "unlabelled.most=2", "--set", "learn.steps=4")

    assert run(words(easy_data, tmp_path / "run", *more, validation=validation)) == 0

    assert Run(tmp_path / "run").summary()["unlabelled"] == 2


@pytest.mark.parametrize(
    ("assignment", "said"),
    [("options.varaint=notes", "variant"), ("options.variant=wrong", "corrected"), ("strategy=recomended", "recomm")],
)
def test_a_wrong_option_is_refused_before_anything_is_read(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], assignment: str, said: str
) -> None:
    strategy = () if assignment.startswith("strategy") else ("--set", "strategy=limited")

    assert run(words(easy_data, tmp_path / "run", *strategy, "--set", assignment)) != 0

    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("strategy", ["prior_teacher", "ensemble"])
def test_a_killed_round_is_resumed_to_the_same_weights(
    easy_data: Path, validation: Path, tmp_path: Path, strategy: str
) -> None:
    """Memory of the online teacher, members and rounds are all in the checkpoints."""
    environment = {**os.environ, "CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def command(out: Path) -> list[str]:
        known = words(easy_data, out, "--strategy", strategy, "--set", "learn.steps=12", validation=validation)
        return [sys.executable, "-m", "cryoglean", *known, "--resume"]

    subprocess.run(command(tmp_path / "whole"), check=True, env=environment, timeout=300)
    for steps in (17, 21):
        process = subprocess.Popen(command(tmp_path / "killed"), env=environment)
        events = tmp_path / "killed" / "events.jsonl"
        while process.poll() is None and (not events.exists() or events.read_text().count('"step", ') < steps):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(tmp_path / "killed"), check=True, env=environment, timeout=300)

    whole, killed = (
        hashlib.sha256(Run(tmp_path / name).weights_file.read_bytes()).hexdigest() for name in ("whole", "killed")
    )
    assert whole == killed
    summaries = [json.loads(Run(tmp_path / name).summary_file.read_text()) for name in ("whole", "killed")]
    assert summaries[0]["rounds"] == summaries[1]["rounds"]


def test_the_data_set_knows_who_is_unlabelled(easy_data: Path) -> None:
    from cryoglean.dataset import LabelFiles
    from cryoglean.gather import gather_dataset

    dataset, _ = gather_dataset(
        [easy_data / "micrographs"],
        ParticleSize(180),
        LabelFiles(easy_data / "labels.csv", test=easy_data / "truth.csv"),
    )

    assert isinstance(dataset, Dataset)
    assert dataset.names("unlabelled") == ()
    assert choose_settings().strategy == "auto"
