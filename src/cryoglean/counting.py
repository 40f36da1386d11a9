"""How many particles there are where not all are labelled, and a threshold by that number where none are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from cryoglean.errors import LabelsError, RunError
from cryoglean.evaluate.threshold import ChosenThreshold
from cryoglean.labelling import count_density
from cryoglean.learn.picker import Picker
from cryoglean.picks import Picks
from cryoglean.prepare.split import Region
from cryoglean.prior.best_bin import MINIMUM_LABELS
from cryoglean.task import Task

MOST = 24
"""Micrographs that a number is estimated or a threshold by number is chosen on."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many particles are expected, and who says so.

    Args:
        density: particles a rescaled pixel.
        source: `user`, `validation labels`, `labels` or `best bin`.
        per_micrograph: the same as particles on a training micrograph, its edges included.
        interval: lower and upper end of the 95 % interval of `per_micrograph`; None where nothing was estimated.
        reason: how it was estimated, in a sentence.
    """

    density: float
    source: str
    per_micrograph: float
    interval: tuple[float, float] | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """All but the density, which depends on the scale."""
        told: dict[str, Any] = {"per_micrograph": round(self.per_micrograph, 1), "source": self.source}
        if self.interval is not None:
            told |= {"interval": [round(end, 1) for end in self.interval], "reason": self.reason}
        return told

    def to_kept(self) -> dict[str, Any]:
        """All of it, for `prior.json`."""
        return {"density": self.density, **self.to_json()}

    @classmethod
    def from_kept(cls, content: Mapping[str, Any]) -> Expected:
        """What `to_kept` made; the density exactly as it was.

        Raises:
            RunError: something is missing in it.
        """
        try:
            low, high = content["interval"]
            return cls(
                content["density"], content["source"], content["per_micrograph"], (low, high), content["reason"]
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"it lacks {error}", where="prior.json", fix="Train again.") from error


def expect_particles(task: Task) -> Expected | None:
    """From the user, else from completely labelled validation micrographs, else what is labelled if that is all.

    Returns:
        The number; None where labels are sparse and nobody says it, so that it must be estimated.

    Raises:
        LabelsError: it would have to be estimated from too few clicks.
    """
    pixels = micrograph_pixels(task)
    said = task.settings.labels.per_micrograph
    if said is not None:
        return Expected(said / pixels, "user", said)
    if task.is_sparse and not task.split.validation:
        _check_enough(task)
        return None
    known = task.split.validation if task.is_sparse else task.split.train
    density = count_density(task, tuple(Region(name) for name in known))
    return Expected(density, "validation labels" if task.is_sparse else "labels", density * pixels)


def micrograph_pixels(task: Task) -> float:
    """Rescaled pixels of a training micrograph, its edges included, on the average."""
    return float(np.mean([task.prepared[name].image.numel() for name in task.split.train]))


def unjudged_names(task: Task) -> list[str]:
    """The clicked micrographs, and unlabelled ones up to 24 in all."""
    clicked = sorted(set(task.split.train))
    return [*clicked, *sorted(task.unlabelled)][: max(MOST, len(clicked))]


def pick_unjudged(picker: Picker, task: Task) -> Picks:
    """Picks on clicked and unlabelled micrographs, at most 24 of them, the clicked ones first."""
    pictures = {**task.prepared, **task.unlabelled}
    return Picks.concatenate(picker.pick(pictures[name]) for name in unjudged_names(task))


def choose_by_count(picks: Picks, expected: float) -> ChosenThreshold:
    """The threshold that keeps as many picks as particles are expected.

    Args:
        picks: with scores.
        expected: on all micrographs of the picks together.
    """
    scores = np.sort(picks.score if picks.score is not None else np.zeros(0))[::-1]
    kept = min(max(round(expected), 1), len(scores))
    if not kept:
        return ChosenThreshold(0.5, "count", 0.0, "No pick at all on the clicked micrographs; 0.5 is a guess.")
    following = scores[kept] if kept < len(scores) else scores[kept - 1]
    reason = f"As many picks as particles are expected ({kept} of {expected:.0f}); nothing is completely labelled."
    return ChosenThreshold(float((scores[kept - 1] + following) / 2), "count", 0.0, reason)


def summarise_clicks(task: Task, picks: Picks, threshold: float) -> dict[str, Any]:
    """How many picks there are and how many clicks they find: all that can be said without complete labels.

    Args:
        task: see `Task`.
        picks: see `pick_unjudged`.
        threshold: of the picks.
    """
    kept = picks.above(threshold)
    found = [_found(kept.on(name), task, name) for name in task.split.train]
    clicks = [len(task.labels.on(name)) for name in task.split.train]
    return {
        "micrographs": len(picks.micrographs),
        "picks": len(kept),
        "clicks": sum(clicks),
        "clicks_found": sum(found),
        "picks_per_micrograph": _per_micrograph(kept, picks.micrographs),
    }


def _check_enough(task: Task) -> None:
    if len(task.labels) < MINIMUM_LABELS:
        raise LabelsError(
            f"labels are sparse, nobody says how many particles a micrograph holds, and {len(task.labels)} clicks are "
            f"too few to estimate it ({MINIMUM_LABELS} are the least)", where="--picks",
            fix="Give --per-micrograph with about that number, or --validation with micrographs labelled completely.",
        )  # fmt: skip


def _per_micrograph(picks: Picks, names: Sequence[str]) -> Mapping[str, int]:
    return {name: len(picks.on(name)) for name in names}


def _found(picks: Picks, task: Task, name: str) -> int:
    """Clicks that have a pick within half a diameter."""
    clicks = task.labels.on(name).xy
    if not len(clicks) or not len(picks):
        return 0
    distance, _ = cKDTree(picks.xy).query(clicks)
    return int(np.count_nonzero(distance <= 0.5 * task.diameter_pixels(name)))
