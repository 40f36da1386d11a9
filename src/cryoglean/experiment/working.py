"""The work of one cell: train, pick the test micrographs, judge, write the result. It can be killed at any time."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryoglean.doctor.diagnosis import diagnose_training
from cryoglean.durable import has_locked, write_json_atomically
from cryoglean.environment import describe_environment
from cryoglean.errors import CryogleanError, MicrographError, RunError
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.experiment.cell import CELL_FILE, Cell, Truth
from cryoglean.experiment.energy import joules_between, read_counters
from cryoglean.experiment.grid import SUPERVISED
from cryoglean.experiment.room import NO_ROOM, is_out_of_room
from cryoglean.experiment.store import ERROR_FILE, RESULT_FILE, Store, read_result
from cryoglean.io.picks import read_picks
from cryoglean.learn.checkpoint import load_tensors, save_tensors
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.loop import Tell
from cryoglean.logbook import Destination, logged
from cryoglean.picking import load_picker, pick_files
from cryoglean.pipeline import train
from cryoglean.run import Run

BASE_FILE = "base.safetensors"
PICKS_FILE = "test.csv"
"""Picks of the test micrographs, down to the lowest score kept."""
_PATIENCE_SECONDS = 10.0
_FIRST_TRAINING = "final.done.safetensors"
_VALIDATION = ("f1", "precision", "recall", "average_precision")
_SCORES = ("f1", "precision", "recall", "best_f1", "average_precision", "threshold")


def run_cell(
    out: str, folder: str, base: str = "", tell: Tell | None = None, logs: Sequence[Destination] = ()
) -> dict[str, Any]:
    """Bring a cell to its result, from wherever it is.

    Args:
        out: the experiment's folder.
        folder: the cell's, below it.
        base: that of the cell whose first training is taken over, below it; empty: none.
        tell: is told the events of the training.
        logs: of the experiment; the cell is a run of its own there.

    Returns:
        The result.

    Raises:
        RunError: another process is at work on it.
        CryogleanError: what is wrong with it; `error.json` says it, too.
    """
    place = Path(out) / folder
    with _alone(place):
        if (done := read_result(place)) is not None:
            return done
        (place / ERROR_FILE).unlink(missing_ok=True)
        try:
            return _work(Path(out), place, base, tell, logs)
        except Exception as error:
            if is_out_of_room(error):
                raise RunError(NO_ROOM, where=place, fix="Make room, then give the same command again.") from error
            write_json_atomically(place / ERROR_FILE, {"error": str(error) or type(error).__name__})
            raise


def _work(out: Path, place: Path, base: str, tell: Tell | None, logs: Sequence[Destination]) -> dict[str, Any]:
    cell = read_cell(place)
    truth = _read_truth(str(out), cell.data)
    if truth.digest() != cell.digest:  # a process that lives long has read older labels
        _read_truth.cache_clear()
        truth = _read_truth(str(out), cell.data)
        if truth.digest() != cell.digest:
            raise RunError(
                f"the micrographs or labels of {cell.data} have changed since", where=place,
                fix="Run the experiment again: changed data make new cells.",
            )  # fmt: skip
    name = Path(*cell.folder.parts[1:]).as_posix()
    facts = {"cell.data": cell.data, "cell.ratio": cell.ratio, "cell.seed": cell.seed, "cell.line": cell.line}
    with logged(Run(place / "run"), [log.within(name) for log in logs], tell, facts) as book:
        result = _train_and_test(cell, truth, place, out / base / BASE_FILE if base else None, book)
        book.add_scores({name: result[name] for name in _SCORES}, "test")
    write_json_atomically(place / RESULT_FILE, result)
    return result


def _train_and_test(cell: Cell, truth: Truth, place: Path, base: Path | None, tell: Tell) -> dict[str, Any]:
    """The result, from wherever the cell is."""
    run = Run(place / "run")
    counters = {} if run.settings_file.exists() else read_counters()  # of an interrupted cell it is not known
    shared = _take_over(base, run) if base else None
    train(cell.dataset(truth), cell.settings, run, tell=tell, resumes=True)
    diagnose_training(run)
    summary = run.summary()
    if cell.line == SUPERVISED:
        _offer(run, summary, place / BASE_FILE)
    started = time.process_time()
    picks_file = _pick_test(cell, truth, run, place)
    pick_seconds = time.process_time() - started
    own = {"train_cpu_seconds": summary["cpu_seconds"], "train_wall_seconds": summary["wall_seconds"]}
    took = {name: value + (shared or {}).get(name, 0.0) for name, value in own.items()}
    return {
        **_facts(cell), **judge_test(cell, truth, picks_file, summary["threshold"]),
        "validation": {name: summary["validation"][name] for name in _VALIDATION},
        "rounds": summary["rounds"], "best_step": summary["best_step"], "threshold_rule": summary["threshold_rule"],
        **{name: round(value, 2) for name, value in took.items()}, "pick_cpu_seconds": round(pick_seconds, 2),
        "steps": len(run.events("step")) + int((shared or {}).get("steps", 0)),
        "environment": describe_environment(find_hardware(cell.settings.learn.precision).describe()),
        "machine": platform.node(), "machine_joules": joules_between(counters, read_counters()),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def read_cell(place: Path) -> Cell:
    """The cell whose folder this is.

    Args:
        place: the folder.

    Raises:
        RunError: `cell.json` is missing, broken or was changed.
    """
    try:
        return Cell.from_json(json.loads((place / CELL_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise RunError(f"it can't be read ({error})", where=place / CELL_FILE, fix="Remove its folder.") from error
    except CryogleanError as error:
        raise RunError(error.what, where=place / CELL_FILE, fix="Remove its folder.") from error


def _facts(cell: Cell) -> dict[str, Any]:
    text = json.dumps(cell.settings.model_dump(mode="json"), sort_keys=True)
    return {
        "key": cell.key, "data": cell.data, "ratio": cell.ratio, "labelled": len(cell.division.labelled),
        "seed": cell.seed, "line": cell.line, "strategy": cell.settings.strategy, "is_oracle": cell.is_oracle,
        "settings_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
    }  # fmt: skip


def judge_test(cell: Cell, truth: Truth, picks_file: Path, threshold: float) -> dict[str, Any]:
    """The scores on the test, by the default definition, as results have them.

    Args:
        cell: what was trained.
        truth: its data set.
        picks_file: picks of the test micrographs.
        threshold: the lowest score that counts.

    Raises:
        CryogleanError: a file can't be read.
    """
    names = cell.division.test
    rules = truth.rules(names)
    ignore = None if truth.ignore is None else truth.ignore.of(names)
    picks = read_picks(picks_file).of(names)
    found = evaluate_picks(picks, truth.labels.of(names), rules, threshold=threshold, ignore=ignore).to_json()
    columns = ("micrograph", "true_positives", "picks", "truth")
    return {
        **{name: found[name] for name in _SCORES}, "definition": found["definition"],
        "per_micrograph": [{name: row[name] for name in columns} for row in found["per_micrograph"]],
    }  # fmt: skip


def _pick_test(cell: Cell, truth: Truth, run: Run, place: Path) -> Path:
    """Pick the test micrographs once, down to the lowest score kept."""
    file, part = place / PICKS_FILE, place / "test.part.csv"
    if not file.exists():
        picker, _ = load_picker(run)
        paths = [truth.paths[name] for name in cell.division.test]
        made = pick_files(
            picker, paths, part, picker.settings.floor, pixel_size_angstrom=truth.data.pixel_size_angstrom
        )
        for name, reason in made.skipped.items():
            part.unlink()
            raise MicrographError(f"it can't be tested on ({reason})", where=name, fix="Take it out of the data set.")
        part.rename(file)
    return file


def _offer(run: Run, summary: dict[str, Any], file: Path) -> None:
    """Keep the supervised network in the form in which an interrupted training keeps its first phase."""
    tensors = {f"best.{name}": value for name, value in load_tensors(run.weights_file)[0].items()}
    score = max((event["average_precision"] for event in run.events("validation")), default=0.0)
    facts = {name: summary[f"{name}_seconds"] for name in ("cpu", "wall")}
    told = {"train_cpu_seconds": facts["cpu"], "train_wall_seconds": facts["wall"], "steps": len(run.events("step"))}
    save_tensors(file, tensors, {"best_step": summary["best_step"], "best_score": score, **told})


def _take_over(file: Path, run: Run) -> dict[str, Any] | None:
    """Begin a training with the network of another cell; what that one cost."""
    if not file.exists():
        return None
    if not run.settings_file.exists() and not (run.checkpoint_folder / _FIRST_TRAINING).exists():
        run.checkpoint_folder.mkdir(parents=True, exist_ok=True)
        part = run.checkpoint_folder / f".{_FIRST_TRAINING}.part"
        shutil.copy(file, part)
        part.rename(run.checkpoint_folder / _FIRST_TRAINING)
    return dict(load_tensors(file)[1])


@lru_cache(maxsize=4)
def _read_truth(out: str, data: str) -> Truth:
    """Once a process: a worker does many cells of one data set."""
    return Truth.read(Store(Path(out)).grid().data[data])


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Inside, no other process is at work on the cell; one that was killed may need a moment to be gone.

    Raises:
        RunError: one is.
    """
    with (place / "lock").open("w", encoding="utf-8") as file:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not has_locked(file):
            if time.monotonic() > deadline:
                raise RunError("another process is at work on it", where=place, fix="Wait for it.")
            time.sleep(0.1)
        yield
