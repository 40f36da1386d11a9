"""Killed and resumed: the same weights and the same picks as unbroken."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryoglean.errors import RunError
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

SETTINGS = [
    *("--set", "learn.steps=24", "--set", "learn.crop_pixels=64", "--set", "learn.validate_every=8"),
    *("--set", "learn.checkpoint_every_seconds=0", "--set", "pick.views=1"),
]
ENVIRONMENT = {**os.environ, "CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small micrographs, the first two labelled."""
    folder = tmp_path_factory.mktemp("data")
    settings = SimulationSettings(molecule="tetramer", shape_pixels=(384, 384), particles_per_micrograph=25)
    picks = simulate_folder(folder, 6, 0, settings)
    write_picks(picks.of(picks.micrographs[:2]), folder / "labels.csv")
    return folder


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "cryoglean", *map(str, words)]


def train_command(micrographs: Path, out: Path, *more: str) -> list[str]:
    return command(
        "train", micrographs, "--picks", micrographs / "labels.csv", "--diameter-angstrom", 180,
        "--out", out, "--quiet", *SETTINGS, *more,
    )  # fmt: skip


def run(words: list[str]) -> None:
    subprocess.run(words, check=True, env=ENVIRONMENT, timeout=300)


def kill_after(words: list[str], is_time: object, grace_seconds: float) -> int:
    """Start, wait until a condition holds, then kill without warning."""
    process = subprocess.Popen(words, env=ENVIRONMENT)
    deadline = time.monotonic() + 240
    while process.poll() is None and not is_time() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.01)
    time.sleep(grace_seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def kill_half_way(words: list[str], out: Path, lines: int) -> Path:
    """Kill a picking after so many finished micrographs; again if it was faster than the kill. Gives its journal."""
    journal = out.parent / f".{out.name}.partial" / "picks.jsonl"
    for _ in range(10):
        code = kill_after(words, lambda: journal.exists() and journal.read_bytes().count(b"\n") >= lines, 0.0)
        if code == -signal.SIGKILL and journal.exists():
            return journal
        out.unlink(missing_ok=True)
    pytest.fail("ten times the picking was faster than the kill")


def weights(run_folder: Path) -> str:
    return hashlib.sha256((run_folder / "model.safetensors").read_bytes()).hexdigest()


def steps(run_folder: Path) -> int:
    file = run_folder / "events.jsonl"
    return file.read_text().count('"step", ') if file.exists() else 0


@pytest.fixture(scope="module")
def unbroken(micrographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    run(train_command(micrographs, out))
    return out


def kill_and_resume(micrographs: Path, out: Path, moments: list[int]) -> None:
    """Kill a training whenever it has told so many steps more, then let it finish."""
    for moment in moments:
        target = steps(out) + moment
        code = kill_after(
            train_command(micrographs, out, "--resume"),
            lambda target=target: steps(out) >= target,
            random.random() / 50,
        )
        assert code in (-signal.SIGKILL, 0)
    run(train_command(micrographs, out, "--resume"))


def test_a_training_killed_in_each_phase_ends_with_the_same_weights(
    micrographs: Path, unbroken: Path, tmp_path: Path
) -> None:
    """Two folds and a final training of 24 steps each; killed twice, once in the folds and once later."""
    kill_and_resume(micrographs, tmp_path / "run", [9, 32])

    assert weights(tmp_path / "run") == weights(unbroken)
    first, second = (json.loads((out / "summary.json").read_text()) for out in (unbroken, tmp_path / "run"))
    assert first["threshold"] == second["threshold"]
    assert first["validation"] == second["validation"]


@pytest.mark.slow
def test_a_training_killed_at_ten_random_moments_ends_with_the_same_weights(
    micrographs: Path, unbroken: Path, tmp_path: Path
) -> None:
    random.seed(0)
    kill_and_resume(micrographs, tmp_path / "run", [random.randint(0, 9) for _ in range(10)])

    assert weights(tmp_path / "run") == weights(unbroken)


def test_resuming_with_other_settings_is_refused(micrographs: Path, unbroken: Path) -> None:
    words = train_command(micrographs, unbroken, "--resume", "--seed", "5")

    result = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "other settings" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_finished_run_is_not_overwritten(micrographs: Path, unbroken: Path) -> None:
    before = weights(unbroken)

    result = subprocess.run(
        train_command(micrographs, unbroken), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert "already holds a run" in result.stderr
    assert weights(unbroken) == before


@pytest.mark.parametrize("suffix", ["star", "csv", "json"])
def test_picking_killed_half_way_ends_with_the_same_file(
    micrographs: Path, unbroken: Path, tmp_path: Path, suffix: str
) -> None:
    whole, broken = tmp_path / f"whole.{suffix}", tmp_path / "broken" / f"whole.{suffix}"
    run(command("pick", unbroken, micrographs, "--out", whole, "--threshold", "0.05", "--quiet"))
    words = command("pick", unbroken, micrographs, "--out", broken, "--threshold", "0.05", "--quiet")

    journal = kill_half_way(words, broken, 2)
    run(words)

    assert broken.read_bytes() == whole.read_bytes()
    assert not journal.exists()
    assert len(read_picks(broken)) > 0


def test_a_journal_torn_in_the_middle_of_a_line_is_mended(micrographs: Path, unbroken: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken" / "whole.csv"
    run(command("pick", unbroken, micrographs, "--out", whole, "--quiet"))
    words = command("pick", unbroken, micrographs, "--out", broken, "--quiet")
    journal = kill_half_way(words, broken, 3)
    torn = journal.read_bytes()
    journal.write_bytes(torn[: torn.rindex(b"\n") - 20])

    run(words)

    assert broken.read_bytes() == whole.read_bytes()


def test_unreadable_micrographs_are_named_and_skipped(micrographs: Path, unbroken: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mrc").write_bytes(b"not a micrograph")
    words = command("pick", unbroken, micrographs, tmp_path / "broken.mrc", "--out", tmp_path / "picks.csv", "--json")

    result = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    said = json.loads(result.stdout)
    assert result.returncode == 0
    assert said["micrographs"] == 6
    assert list(said["skipped"]) == ["broken"]
    assert "broken.mrc" in said["skipped"]["broken"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    from cryoglean.picking import load_picker
    from cryoglean.run import Run

    with pytest.raises(RunError, match=r"model\.json is missing"):
        load_picker(Run(tmp_path))
