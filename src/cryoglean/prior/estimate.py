"""An estimate of the share of particles, or the sentence that says why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoglean.errors import LabelsError


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a best-bin estimate was made from.

    Args:
        cut: score from which on things lie in the bin that was used.
        share_above: share of the labelled particles at or above the cut, in (0, 1].
        separation: how far particles and the rest lie apart, in [0, 1]: share of the labelled particles above the cut
            that parts them best, less the share of the rest there.
        separation_low: 2.5 % quantile of it over the draws.
        positives: number of labelled scores.
        unlabelled: number of unlabelled scores.
    """

    cut: float
    share_above: float
    separation: float
    separation_low: float
    positives: int
    unlabelled: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Share of particles among unlabelled things.

    Args:
        value: in [0, 1]; None when it can't be told.
        low: lower end of the 95 % interval; 0 when it can't be told.
        high: upper end; when the share can't be told, it is at most about this much.
        reason: a sentence why there is a value, or why there is none.
        ratio: what the formula gave, whether or not it can be believed, in [0, 1].
        evidence: what it was made from; None where no bin was used.
    """

    value: float | None
    low: float
    high: float
    reason: str
    ratio: float
    evidence: Evidence | None = None

    @property
    def is_identifiable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


def checked_scores(scores: ArrayLike, what: str) -> NDArray[np.float64]:
    """The scores as (n,) numbers.

    Args:
        scores: one for each thing.
        what: whose scores they are, in the message.

    Raises:
        LabelsError: there is none, or one is not finite, or they are not one list.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise LabelsError(
            f"the scores of {what} are {array.shape} numbers, {int((~np.isfinite(array)).sum())} of them not finite",
            where="prior estimate",
            fix="Give one finite score for each of at least one.",
        )
    return array
