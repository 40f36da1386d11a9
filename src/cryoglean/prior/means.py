"""A mean over things on micrographs, with an interval from drawing the micrographs anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cryoglean.errors import LabelsError
from cryoglean.prior.estimate import checked_scores


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its 95 % interval.

    Args:
        value: the mean.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


def average_micrographs(values: ArrayLike, groups: ArrayLike | None = None, *, draws: int = 400, seed: int = 0) -> Mean:
    """The mean of values, micrographs drawn with replacement for the interval.

    Args:
        values: (n,) one for each thing: a probability for each pixel, or a number of particles for each micrograph.
        groups: (n,) micrograph of each; without, or with one micrograph, the values are drawn singly.
        draws: at least 1.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        LabelsError: no value, one that is not finite, or not one group for each.
    """
    numbers = checked_scores(values, "the mean")
    given = np.arange(len(numbers)) if groups is None else np.asarray(groups)
    if given.shape != numbers.shape:
        raise LabelsError(
            f"{len(given)} groups for {len(numbers)} values", where="prior estimate", fix="Give one for each."
        )
    names, number = np.unique(given, return_inverse=True)
    if len(names) < 2:
        names = number = np.arange(len(numbers))
    sums = np.bincount(number, numbers)
    sizes = np.bincount(number).astype(np.float64)
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(names), len(names)) for _ in range(draws)]
    low, high = np.quantile([sums[one].sum() / sizes[one].sum() for one in drawn], [0.025, 0.975])
    return Mean(float(numbers.mean()), float(low), float(high))
