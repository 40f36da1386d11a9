"""How sure a score is: percentile intervals from drawing the micrographs anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoglean.evaluate.curves import Steps, Tally

Interval = tuple[float, float]

_LIMIT = 1024  # thresholds of a drawn curve
_CELLS = 4_000_000  # numbers held at once


def bootstrap_intervals(
    tallies: Sequence[Tally],
    steps: Sequence[Steps] | None,
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval | None]:
    """Percentile intervals of the pooled scores, micrographs drawn with replacement.

    Particles of one micrograph share its ice and defocus, so the micrograph is the unit (Efron & Tibshirani 1993,
    An Introduction to the Bootstrap, chapter 13). With few micrographs the intervals are too narrow.

    Args:
        tallies: the counts of each micrograph.
        steps: the curve steps of each micrograph, in the same order; None when the picks have no scores.
        draws: how often to draw; 0 gives no intervals.
        seed: of the random numbers; the same seed gives the same intervals.
        level: share of the draws inside, in (0, 1).

    Returns:
        For f1, precision, recall and average_precision the lower and the upper bound; None with fewer than two
        micrographs, without draws, or where a score is not defined in any draw.
    """
    names = ("f1", "precision", "recall", "average_precision")
    if len(tallies) < 2 or draws < 1:
        return dict.fromkeys(names)
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(tallies), np.full(len(tallies), 1 / len(tallies)), size=draws).astype(np.float64)
    true, picks, truth = (weights @ np.array(column, dtype=np.float64) for column in _columns(tallies))
    values = {
        "f1": _ratio(2 * true, picks + truth),
        "precision": _ratio(true, picks),
        "recall": _ratio(true, truth),
        "average_precision": None if steps is None else average_precisions(steps, weights, truth),
    }
    return {name: _percentiles(values[name], level) for name in names}


def _columns(tallies: Sequence[Tally]) -> tuple[list[int], list[int], list[int]]:
    return ([one.true_positives for one in tallies], [one.picks for one in tallies], [one.truth for one in tallies])


def average_precisions(
    steps: Sequence[Steps], weights: NDArray[np.float64], truth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The average precision of each draw: (draws,); nan where the draw has no particle."""
    distinct = np.unique(np.concatenate([one.scores for one in steps]))[::-1]
    if not len(distinct):
        return _ratio(np.zeros(len(truth)), truth)
    if len(distinct) > _LIMIT:
        distinct = distinct[np.linspace(0, len(distinct) - 1, _LIMIT).round().astype(np.intp)]
    true = np.stack([_cumulate(one.scores, one.true_positives, distinct) for one in steps])
    false = np.stack([_cumulate(one.scores, one.false_positives, distinct) for one in steps])
    size = max(1, _CELLS // len(distinct))
    parts = []
    for start in range(0, len(weights), size):
        some = weights[start : start + size]
        found = some @ true
        precision = found / np.maximum(found + some @ false, 1.0)
        parts.append((precision * np.diff(found, axis=1, prepend=0.0)).sum(axis=1))
    return _ratio(np.concatenate(parts), truth)


def _cumulate(
    scores: NDArray[np.float64], changes: NDArray[np.int64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The count at each threshold (falling), from changes at scores (falling)."""
    total = np.concatenate([[0], changes.cumsum()])
    return np.asarray(total[np.searchsorted(-scores, -thresholds, side="right")], dtype=np.float64)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(below > 0, above / np.maximum(below, 1.0), np.nan)


def _percentiles(values: NDArray[np.float64] | None, level: float) -> Interval | None:
    if values is None or np.isnan(values).all():
        return None
    low, high = np.nanquantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
