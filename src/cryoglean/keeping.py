"""The run folder while a training fills it: is it free, set it up, keep the model, tell the events."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.dataset import Dataset
from cryoglean.durable import (
    append_json_line,
    write_arrays_atomically,
    write_json_atomically,
    write_text_atomically,
)
from cryoglean.environment import describe_environment
from cryoglean.errors import RunError
from cryoglean.evaluate.threshold import ChosenThreshold
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.learn.checkpoint import save_tensors
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.loop import Tell
from cryoglean.picks import Picks
from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.recipe import Trained
from cryoglean.run import Run
from cryoglean.settings import Settings, read_settings
from cryoglean.task import Task

_EXAMPLES = 3
_SECONDS_BETWEEN_NOTES = 2.0


def is_done(dataset: Dataset, settings: Settings, run: Run, *, resumes: bool) -> bool:
    """Check that the folder is free or belongs to the same training; True if that is finished.

    Raises:
        RunError: it holds another training, one of patches that have changed since, or it may not be resumed.
    """
    if not run.settings_file.exists():
        return False
    if not resumes:
        raise RunError("it already holds a run", where=run.folder, fix="Give another --out, or --resume this one.")
    started = Dataset.from_json(run.read_json(run.dataset_file), read_picks(run.labels_file))
    if _has_other_patches(started, dataset):
        (file,) = dataset.paths.values()
        raise RunError(
            f"it was started with other patches: the content of {file} has changed since", where=run.folder,
            fix="Put the old file back, or give another --out.",
        )  # fmt: skip
    same_data = _without_source(replace(dataset, content_digest=started.content_digest)) == _without_source(started)
    same_labels = _are_same(started.labels, dataset.labels)
    if read_settings(run.settings_file) != settings or not same_data or not same_labels:
        raise RunError(
            "it was started with other settings, micrographs or labels", where=run.folder,
            fix="Resume with the same command, or give another --out.",
        )  # fmt: skip
    return run.is_finished


def _without_source(dataset: Dataset) -> dict[str, Any]:
    """What decides the training; how the data were brought together shows in micrographs, roles and labels."""
    return replace(dataset, source=None).to_json()


def set_up(dataset: Dataset, settings: Settings, run: Run, hardware: Hardware) -> None:
    """Write what the training is made from, before it starts."""
    run.write_json(run.environment_file, describe_environment(hardware.describe()))
    run.write_json(run.dataset_file, dataset.to_json())
    write_picks(dataset.labels, run.labels_file)
    write_text_atomically(run.settings_file, settings.to_yaml())


def set_free(run: Run) -> None:
    """Take back what `set_up` wrote and a training began: the folder is free for another one."""
    files = (run.settings_file, run.dataset_file, run.labels_file, run.environment_file, run.events_file)
    for file in (*files, run.prior_file, run.findings_file, run.findings_pictures_file):
        file.unlink(missing_ok=True)
    shutil.rmtree(run.checkpoint_folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty: it holds things that are not ours
        run.folder.rmdir()


def describe_outcome(task: Task, trained: Trained, chosen: ChosenThreshold) -> dict[str, Any]:
    """What the summary of every training says, whatever it was judged by."""
    return {
        "labels": task.settings.labels.kind,
        "rounds": list(trained.rounds),
        "gate": trained.gate,
        "threshold": chosen.threshold,
        "threshold_rule": chosen.rule,
        "threshold_reason": chosen.reason,
        "best_step": trained.best_step,
        "particles_are_dark": task.preparation.particles_are_dark,
        "train": list(task.split.train),
    }


def keep(run: Run, trained: Trained, summary: dict[str, Any]) -> None:
    """Write the model, then the summary: a run with a summary is finished."""
    write_picks(trained.validation_picks, run.validation_picks_file)
    save_tensors(run.weights_file, dict(trained.picker.network.state_dict()), {})
    run.write_json(run.model_file, {**trained.picker.to_json(), "threshold": summary["threshold"]})
    run.write_json(run.summary_file, summary)
    for file in run.checkpoint_folder.glob("*.safetensors"):
        file.unlink()
    run.spent_file.unlink(missing_ok=True)


def keep_pseudo_labels(run: Run, number: int, micrographs: Sequence[LearnedMicrograph]) -> None:
    """Write the pseudo-labels of a few micrographs of a round, to be looked at: picture, y and w as bytes."""
    chosen = micrographs[:: max(len(micrographs) // _EXAMPLES, 1)][:_EXAMPLES]
    arrays: dict[str, NDArray[np.uint8]] = {}
    for one in chosen:
        arrays[f"{one.name}/image"] = ((one.image.numpy() + 5) * 25.5).clip(0, 255).astype(np.uint8)
        arrays[f"{one.name}/y"] = (one.y.numpy() * 255).round().astype(np.uint8)
        arrays[f"{one.name}/w"] = (one.w.numpy() * 255).round().astype(np.uint8)
    write_arrays_atomically(run.pseudo_labels_file(number), arrays)


class Clock:
    """What a training takes, in seconds, the time before interruptions included.

    Args:
        run: of the training; what it took is noted beside its checkpoints now and then.
    """

    def __init__(self, run: Run) -> None:
        self._file = run.spent_file
        goes_on = run.settings_file.exists() and self._file.exists()
        self._before: dict[str, float] = run.read_json(self._file) if goes_on else {}
        self._begun = {"wall_seconds": time.monotonic(), "cpu_seconds": time.process_time()}
        self._noted = time.monotonic()

    def note(self) -> None:
        """Keep what was taken so far, unless that was done a moment ago."""
        if time.monotonic() - self._noted > _SECONDS_BETWEEN_NOTES:
            write_json_atomically(self._file, self.seconds())
            self._noted = time.monotonic()

    def seconds(self) -> dict[str, float]:
        """`wall_seconds` and `cpu_seconds` until now."""
        now = {"wall_seconds": time.monotonic(), "cpu_seconds": time.process_time()}
        return {name: self._before.get(name, 0.0) + now[name] - begun for name, begun in self._begun.items()}


def tell_all(run: Run, tell: Tell | None, clock: Clock) -> Tell:
    """A listener that writes each event to the run folder and passes it on."""

    def both(event: dict[str, Any]) -> None:
        append_json_line(run.events_file, event)
        clock.note()
        if tell is not None:
            tell(event)

    return both


def _has_other_patches(started: Dataset, given: Dataset) -> bool:
    """Whether one and the same file holds something else; older runs do not say what it held."""
    digests = (started.content_digest, given.content_digest)
    return started.paths == given.paths and None not in digests and digests[0] != digests[1]


def _are_same(kept: Picks, given: Picks) -> bool:
    """Whether two tables of labels agree to the precision that files keep."""
    return (
        len(kept) == len(given)
        and bool((kept.micrograph == given.micrograph).all())
        and set(kept.micrographs) == set(given.micrographs)
        and np.allclose(kept.xy, given.xy, rtol=0, atol=1e-5)
    )
