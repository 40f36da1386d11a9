"""Choose the threshold on validation micrographs, never on those that a result is reported for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import LabelsError, PicksError, SettingsError
from cryoglean.evaluate.curves import Curve, precision_recall_curve
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.zones import set_scenes
from cryoglean.picks import Picks

Cut = Literal["auto", "f1", "count"]

FEW_PARTICLES = 60  # below this many validation particles the best F1 is mostly luck
_GRID = 256
_BANDWIDTH = 0.1  # in log(number of picks): F1 is smoothed over some ten per cent of the picks
_REFINE = 0.05  # in log(number of picks): how far the cut may move from the smoothed best to the best near it


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """A threshold and why it was chosen.

    Args:
        threshold: picks with a score of at least this are kept.
        rule: `f1` or `count`.
        f1: pooled F1 of the validation micrographs at exactly this threshold.
        reason: one sentence for the report.
    """

    threshold: float
    rule: Literal["f1", "count"]
    f1: float
    reason: str


def choose_threshold(
    picks: Picks, truth: Picks, rules: Rules, *, rule: Cut = "auto", ignore: Picks | None = None
) -> ChosenThreshold:
    """Choose the threshold from scored picks on annotated micrographs.

    `f1`: F1, pooled over the micrographs, as a function of the logarithm of the number of picks kept, is smoothed by
    local quadratic regression (Cleveland 1979, doi:10.1080/01621459.1979.10481038, with a Gaussian kernel); the cut
    is the best F1 near the peak of that, in the middle of those equally good. `count`: as many picks as particles.
    `auto`: `count` below `FEW_PARTICLES` validation particles, else `f1`. Each cut lies midway between two scores.

    Args:
        picks: every pick down to the lowest score kept, with scores.
        truth: the particles of the validation micrographs.
        rules: tolerance, border and match rule.
        rule: how to choose.
        ignore: see `set_scenes`.

    Raises:
        LabelsError: no particle counts on the validation micrographs.
        PicksError: the picks have no scores.
        SettingsError: an unknown rule.
    """
    if rule not in ("auto", "f1", "count"):
        raise SettingsError(f"there is no cut '{rule}'", where="pick.cut", fix="Use auto, f1 or count.")
    scenes = set_scenes(picks, truth, rules, ignore)
    if not scenes.has_scores:
        raise PicksError("the picks have no scores", fix="Give scored picks, or keep them all.")
    if not scenes.truth:
        raise LabelsError("no particle counts on the validation micrographs", fix="Hold out labelled micrographs.")
    chosen: Literal["f1", "count"] = rule if rule != "auto" else "count" if scenes.truth < FEW_PARTICLES else "f1"
    curve = precision_recall_curve(scenes.each)
    if not curve.picks.any():
        return ChosenThreshold(0.5, chosen, 0.0, "No pick counts on the validation micrographs; 0.5 is a guess.")
    place = _count_place(curve) if chosen == "count" else _f1_place(curve)
    return ChosenThreshold(_cut_after(curve, place), chosen, float(curve.f1[place]), _reason(curve, place, rule))


def smooth_f1(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """F1 over the logarithm of the number of picks, smoothed.

    Args:
        curve: with at least one pick that counts.

    Returns:
        The number of picks that count, (k,) rising, evenly spaced in its logarithm, and the smoothed F1, (k,).
    """
    counts, rows = np.unique(curve.picks, return_index=True)
    f1 = curve.f1[rows][counts > 0]
    places = np.log(counts[counts > 0])
    low = np.log(max(1.0, min(float(counts[-1]), curve.truth) / 16))
    grid = np.linspace(min(max(low, places[0]), places[-1]), places[-1], _GRID)
    return np.exp(grid), _local_quadratic(grid, np.interp(grid, places, f1))


def _local_quadratic(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value at each x of the parabola that fits y best near it: (k,)."""
    if x[-1] - x[0] < _BANDWIDTH:
        return y
    distance = (x[None, :] - x[:, None]) / _BANDWIDTH
    weight = np.exp(-0.5 * distance**2)
    moments = [(weight * distance**power).sum(axis=1) for power in range(5)]
    left = np.stack([np.stack([moments[i + j] for j in range(3)], axis=-1) for i in range(3)], axis=-2)
    right = np.stack([(weight * distance**power) @ y for power in range(3)], axis=-1)
    return np.asarray((np.linalg.pinv(left) @ right[..., None])[:, 0, 0], dtype=np.float64)


def _f1_place(curve: Curve) -> int:
    counts, smoothed = smooth_f1(curve)
    peak = counts[_middle_of_best(smoothed)]
    near = np.abs(np.log(np.maximum(curve.picks, 1) / peak)) <= _REFINE
    if not near.any():
        return int(np.argmin(np.abs(curve.picks - peak)))
    return _middle_of_best(np.where(near, curve.f1, -1.0))


def _middle_of_best(values: NDArray[np.float64]) -> int:
    """The middle of the longest run of values that are best but for rounding."""
    best = np.flatnonzero(values >= values.max() - 1e-9)
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    longest = max(runs, key=len)
    return int(longest[(len(longest) - 1) // 2])


def _count_place(curve: Curve) -> int:
    return int(np.argmin(np.abs(curve.picks - curve.truth)))


def _cut_after(curve: Curve, place: int) -> float:
    """Midway between the lowest score kept and the highest not kept, so that new scores fall on the right side."""
    kept = float(curve.thresholds[place])
    if place + 1 == len(curve.thresholds):
        return kept
    middle = 0.5 * (kept + float(curve.thresholds[place + 1]))
    return middle if curve.thresholds[place + 1] < middle <= kept else kept


def _reason(curve: Curve, place: int, asked: Cut) -> str:
    few = curve.truth < FEW_PARTICLES
    number = f"{int(curve.picks[place])} picks for {curve.truth} particles"
    if asked == "count" or (asked == "auto" and few):
        why = f"fewer than {FEW_PARTICLES} validation particles" if asked == "auto" else "as asked"
        return f"As many picks as particles ({number}); {why}."
    return f"Best smoothed F1 on the validation micrographs ({number})."
