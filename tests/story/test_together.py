"""One training in two processes, started by torch's own launcher: the steps of one process with as many micro-steps."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import train_words
from safetensors.torch import load_file

from cryoglean.cli.main import run
from cryoglean.pipeline import train
from cryoglean.run import Run

LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "cryoglean"]


def words_of(data: Path, out: Path) -> list[str]:
    """A training with streams of both kinds and two micro-steps."""
    words = [word for word in train_words(data, out) if word != "--quiet"]
    words[words.index("supervised")] = "mean_teacher"
    sizes = ("steps=12", "accumulate=2", "batch=2", "validate_every=6", "checkpoint_every_seconds=0")
    return [*words, *(word for size in sizes for word in ("--set", f"learn.{size}"))]


@pytest.fixture(scope="module")
def alone(easy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    assert run(words_of(easy_data, out)) == 0
    return Run(out)


def launch(words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*LAUNCHER, *words], capture_output=True, text=True, timeout=240)


def assert_same_training(one: Run, other: Run) -> None:
    """The same steps up to rounding; later phases have a teacher, whose running statistics were averaged on the way."""
    first, *_ = phases = list(dict.fromkeys(event["phase"] for event in one.events("step")))
    assert len(phases) > 1
    for phase in phases:
        losses, others = (
            torch.tensor([event["loss"] for event in each.events("step") if event["phase"] == phase])
            for each in (one, other)
        )
        torch.testing.assert_close(others, losses, rtol=1e-3 if phase == first else 0.3, atol=0)
    weights, others = load_file(one.weights_file), load_file(other.weights_file)
    for name, value in weights.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(others[name], value, rtol=1e-2, atol=1e-3)
    assert other.is_finished
    assert not list(other.checkpoint_folder.glob("*"))


def test_two_processes_learn_what_one_does_and_one_speaks(alone: Run, easy_data: Path, tmp_path: Path) -> None:
    done = launch(words_of(easy_data, tmp_path / "run"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next: cryoglean pick") == 1
    assert_same_training(alone, Run(tmp_path / "run"))


def test_two_processes_go_on_where_one_was_interrupted(
    alone: Run, easy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    steps: list[int] = []

    def interrupted(*arguments: object, **named: object) -> Run:
        def stop(event: dict[str, object]) -> None:
            steps.append(1) if event["event"] == "step" else None
            if len(steps) == 8:
                raise KeyboardInterrupt

        return train(*arguments, **{**named, "tell": stop})  # type: ignore[arg-type]

    monkeypatch.setattr("cryoglean.pipeline.train", interrupted)
    assert run(words_of(easy_data, out)) == 130

    done = launch([*words_of(easy_data, out), "--resume"])

    assert done.returncode == 0, done.stderr
    assert_same_training(alone, Run(out))


def test_the_launcher_starts_nothing_but_trainings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert run(["pick", "run", "micrographs", "--out", "p.star"]) == 2
    assert "--workers" in capsys.readouterr().err
