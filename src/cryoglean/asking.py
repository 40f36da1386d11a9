"""Everybody's opinion of how many particles a micrograph holds, for a finished run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from cryoglean.counting import MOST, Expected
from cryoglean.dataset import Dataset
from cryoglean.errors import LabelsError, RunError
from cryoglean.estimating import Seen, count_seen, see
from cryoglean.evaluate.calibration import fit_platt
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.labelling import count_density
from cryoglean.learn.picker import Picker
from cryoglean.picking import load_picker
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Prepared
from cryoglean.prepare.split import Region, Split
from cryoglean.prepare.targets import paint_targets
from cryoglean.prior.kinds import count_disc_pixels
from cryoglean.prior.means import average_micrographs
from cryoglean.prior.opinions import Opinion, disagreements, judge_opinions, opinion_of_mean, user_opinion
from cryoglean.run import Run
from cryoglean.settings import read_settings
from cryoglean.task import Task

_NO_ELKAN_NOTO = (
    "it needs the probability of being labelled, from a network to which every pixel counts the same; these networks "
    "are shown more of the surroundings of labels."
)
_NOT_HELD = "no micrograph with complete labels was held out of the training."
_NO_UNLABELLED = "the run has no unlabelled micrograph."


@dataclass(frozen=True, slots=True)
class Opinions:
    """What everybody says of the same number.

    Args:
        counts: particles a micrograph, its edges included; one opinion for each source that has one.
        core_share: the share of a micrograph that one particle's core makes up: a count times this is a pixel prior.
        silent: source -> why it says nothing here.
    """

    counts: tuple[Opinion, ...]
    core_share: float
    silent: dict[str, str]

    @property
    def pixels(self) -> tuple[Opinion, ...]:
        """The same opinions as shares of the pixels in cores of particles."""
        return tuple(one.rescale("pixel", self.core_share) for one in self.counts)

    @property
    def verdict(self) -> str:
        """Whether they agree, in a sentence or more."""
        return judge_opinions(self.counts) if self.counts else "Nobody can tell."

    def to_json(self) -> dict[str, Any]:
        """All of it; a `value` of null is not identifiable, and `high` then an upper bound."""
        return {
            "opinions": [
                {
                    "source": count.source,
                    "is_identifiable": count.is_identifiable,
                    "count": _range(count),
                    "pixel_prior": _range(pixel),
                    "reason": count.reason,
                }
                for count, pixel in zip(self.counts, self.pixels, strict=True)
            ],
            "core_share": self.core_share,
            "silent": self.silent,
            "disagreements": disagreements(self.counts),
            "verdict": self.verdict,
        }


def ask_everybody(run: Run) -> Opinions:
    """The user, the labels, the best bin, and the mean probability, each where there is something to ask.

    Args:
        run: finished; its micrographs must still be where they were.

    Raises:
        RunError: the run is not finished, or broken.
        MicrographError: one of its micrographs can't be read any more.
    """
    judged = () if (summary := run.summary())["is_cross_validated"] else tuple(summary["validation_on"])
    asked = _load(run, judged)
    answers: dict[str, Callable[[], Opinion | str]] = {
        "user": lambda: _ask_user(asked),
        "validation labels": lambda: _ask_labels(asked, "validation labels"),
        "labels": lambda: _ask_labels(asked, "labels"),
        "best bin": lambda: _ask_best_bin(asked),
        "mean probability": lambda: _ask_map(asked),
        "Elkan-Noto": lambda: _NO_ELKAN_NOTO,
    }
    said = {source: answer() for source, answer in answers.items()}
    return Opinions(
        tuple(one for one in said.values() if isinstance(one, Opinion)),
        asked.core_share,
        {source: one for source, one in said.items() if isinstance(one, str)},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A finished run, loaded.

    Args:
        run: the folder.
        dataset: what it learned from.
        picker: trained; every peak counts, however low.
        task: its micrographs, prepared; those that were judged validate, all others with labels are trained on.
        pixels: rescaled pixels of a micrograph.
    """

    run: Run
    dataset: Dataset
    picker: Picker
    task: Task
    pixels: float

    @property
    def core_share(self) -> float:
        """The share of a micrograph that the core of one particle makes up."""
        radius = self.task.settings.targets.core_diameters * self.task.preparation.particle_pixels
        return count_disc_pixels(radius) / self.pixels


_LEARNED_FROM = (
    " Beware: the network has learned from its own opinion of these micrographs, and the interval does not know that."
)


def _load(run: Run, judged: Sequence[str]) -> _Asked:
    if run.summary().get("patches"):
        raise RunError("it learned from patches, and has no micrographs to count on", where=run.folder)
    settings = read_settings(run.settings_file)
    dataset = Dataset.from_json(run.read_json(run.dataset_file), read_picks(run.labels_file))
    picker, _ = load_picker(run, settings.learn.precision)
    picker = replace(picker, settings=picker.settings.model_copy(update={"floor": 0.0}))
    train = tuple(name for name in dataset.names("train", "validation") if name not in judged)
    split = Split(train, tuple(judged))
    empty = Task(settings, picker.hardware, picker.preparation, {}, dataset.labels, split, _hear_nothing)
    prepared, unlabelled = (
        {name: picker.preparation.apply(read_micrograph(dataset.paths[name], dataset.pixel_size_of(name)))
         for name in names}
        for names in ((*train, *judged), dataset.names("unlabelled")[:MOST])
    )  # fmt: skip
    task = replace(empty, prepared=prepared, unlabelled=unlabelled)
    pixels = float(np.mean([one.image.numel() for one in prepared.values()]))
    return _Asked(run, dataset, picker, task, pixels)


def _ask_user(asked: _Asked) -> Opinion | str:
    said = asked.task.settings.labels.per_micrograph
    return "you did not say (--per-micrograph)." if said is None else user_opinion(said)


def _ask_labels(asked: _Asked, source: Literal["labels", "validation labels"]) -> Opinion | str:
    """The mean over completely labelled micrographs, edges filled up as densely as the rest."""
    names = asked.dataset.names("validation" if source == "validation labels" else "train")
    if source == "labels" and asked.task.is_sparse:
        return "only some particles are labelled."
    if not names:
        return "no micrographs were given to --validation."
    each = [asked.pixels * count_density(asked.task, (Region(name),)) for name in names]
    reason = f"Every particle of {len(names)} micrograph{'s' if len(names) > 1 else ''} is labelled."
    return opinion_of_mean(source, "count", average_micrographs(each), reason)


def _ask_best_bin(asked: _Asked) -> Opinion | str:
    """As the training estimated it; else from peaks of its network, on which held-out particles lie or not."""
    if asked.run.prior_file.exists():
        kept = Expected.from_kept(asked.run.read_json(asked.run.prior_file))
        low, high = kept.interval or (kept.per_micrograph, kept.per_micrograph)
        return Opinion("best bin", "count", kept.per_micrograph, low, high, kept.reason)
    task, nothing = asked.task, Picks.empty()
    if silent := _is_silent(task):
        return silent
    held = [see(asked.picker, task, name, nothing, task.labels) for name in task.split.validation]
    peaks = [see(asked.picker, task, name, nothing, nothing) for name in task.unlabelled]
    try:
        found = count_seen(task, [Seen(peaks, held)])
    except LabelsError as error:
        return str(error)
    value = None if found.value is None else found.value * asked.pixels
    caution = _LEARNED_FROM if any(one["counts"] for one in asked.run.summary().get("rounds", ())) else ""
    reason = f"{found.reason}{caution}"
    return Opinion("best bin", "count", value, found.low * asked.pixels, found.high * asked.pixels, reason)


def _ask_map(asked: _Asked) -> Opinion | str:
    """The mean probability that a pixel lies in a core, calibrated on held-out micrographs, as a count."""
    task = asked.task
    if silent := _is_silent(task):
        return silent
    shown = [_read_map(asked, task.prepared[name]) for name in task.split.validation]
    truth = [_paint(task, name) for name in task.split.validation]
    platt = fit_platt(
        np.concatenate([one[learnable] for one, learnable in shown]),
        np.concatenate([is_core[learnable] for is_core, (_, learnable) in zip(truth, shown, strict=True)]),
    )
    maps = [_read_map(asked, one) for one in task.unlabelled.values()]
    mean = average_micrographs([float(platt(one[learnable]).mean()) for one, learnable in maps if learnable.any()])
    reason = f"Calibrated on {len(shown)} held-out micrographs; the interval leaves out the luck of that."
    return opinion_of_mean("mean probability", "pixel", mean, reason).rescale("count", 1 / asked.core_share)


def _is_silent(task: Task) -> str:
    if not task.split.validation:
        return _NOT_HELD
    return "" if task.unlabelled else _NO_UNLABELLED


def _read_map(asked: _Asked, prepared: Prepared) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The log-odds of a map, and where it counts."""
    step = slice(None, None, asked.task.stride)
    odds = logit(asked.picker.map(prepared).numpy().astype(np.float64).clip(1e-6, 1 - 1e-6))
    return np.asarray(odds, dtype=np.float64), asked.task.learnable(prepared)[step, step].numpy() > 0


def _paint(task: Task, name: str) -> NDArray[np.bool_]:
    """Where the cores of the labelled particles are; what surrounds them is none."""
    prepared, step = task.prepared[name], slice(None, None, task.stride)
    disc = task.settings.targets.model_copy(update={"shape": "disc"})
    xy = prepared.scale.to_rescaled(task.labels.on(name).xy)
    y, _ = paint_targets(prepared, xy, task.preparation.particle_pixels, disc)
    return np.asarray(y[step, step].numpy() > 0.5)


def _range(opinion: Opinion) -> dict[str, float | None]:
    return {"value": opinion.value, "low": opinion.low, "high": opinion.high}


def _hear_nothing(_event: dict[str, Any]) -> None:
    """Nobody is told of anything here."""
