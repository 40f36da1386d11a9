"""How many particles there are where not all are labelled, and a threshold by that number where none are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from cryoglean.errors import LabelsError
from cryoglean.evaluate.threshold import ChosenThreshold
from cryoglean.labelling import count_density
from cryoglean.learn.picker import Picker
from cryoglean.picks import Picks
from cryoglean.prepare.split import Region
from cryoglean.task import Task

_MOST = 24  # micrographs that a threshold by number is chosen on


@dataclass(frozen=True, slots=True)
class Expected:
    """How many particles are expected, and who says so.

    Args:
        density: particles a rescaled pixel.
        source: `user`, `validation labels` or `labels`.
        per_micrograph: the same as particles on a training micrograph, its edges included.
    """

    density: float
    source: str
    per_micrograph: float

    def to_json(self) -> dict[str, Any]:
        """All but the density, which depends on the scale."""
        return {"per_micrograph": round(self.per_micrograph, 1), "source": self.source}


def expect_particles(task: Task) -> Expected:
    """From the user, else from completely labelled validation micrographs, else what is labelled if that is all.

    Raises:
        LabelsError: labels are sparse and nobody says how many particles there are.
    """
    pixels = float(np.mean([task.prepared[name].image.numel() for name in task.split.train]))
    said = task.settings.labels.per_micrograph
    if said is not None:
        return Expected(said / pixels, "user", said)
    if task.is_sparse and not task.split.validation:
        raise LabelsError(
            "labels are sparse, and nobody says how many particles a micrograph holds", where="--picks",
            fix="Give --per-micrograph with about that number, or --validation with micrographs labelled completely.",
        )  # fmt: skip
    known = task.split.validation if task.is_sparse else task.split.train
    density = count_density(task, tuple(Region(name) for name in known))
    return Expected(density, "validation labels" if task.is_sparse else "labels", density * pixels)


def pick_unjudged(picker: Picker, task: Task) -> Picks:
    """Picks on clicked and unlabelled micrographs, at most 24 of them, the clicked ones first."""
    clicked = sorted(set(task.split.train))
    names = [*clicked, *sorted(set(task.unlabelled))][: max(_MOST, len(clicked))]
    return Picks.concatenate(picker.pick({**task.prepared, **task.unlabelled}[name]) for name in names)


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


def _per_micrograph(picks: Picks, names: Sequence[str]) -> Mapping[str, int]:
    return {name: len(picks.on(name)) for name in names}


def _found(picks: Picks, task: Task, name: str) -> int:
    """Clicks that have a pick within half a diameter."""
    clicks = task.labels.on(name).xy
    if not len(clicks) or not len(picks):
        return 0
    distance, _ = cKDTree(picks.xy).query(clicks)
    return int(np.count_nonzero(distance <= 0.5 * task.diameter_pixels(name)))
