"""How many scores lie at or above each of some cuts, and the same counts with the micrographs drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoglean.errors import LabelsError

_CUTS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Counts between cuts, drawn anew.

    Args:
        positive: (draws, k + 1) labelled scores.
        unlabelled: (draws, k + 1) unlabelled scores.
        weights: (draws, groups) how often each group was drawn; None where single scores were drawn.
    """

    positive: NDArray[np.float64]
    unlabelled: NDArray[np.float64]
    weights: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Scores counted between cuts, for each group.

    Args:
        cuts: (k,) rising; the lowest one is the lowest labelled score.
        positive: (groups, k + 1) labelled scores below the first cut, from the first to the second, and so on.
        unlabelled: (groups, k + 1) likewise.
        names: (groups,) of the groups, rising; empty where they aren't known, and then there is one group.
    """

    cuts: NDArray[np.float64]
    positive: NDArray[np.float64]
    unlabelled: NDArray[np.float64]
    names: NDArray[np.str_]

    def draw(self, draws: int, seed: int) -> Drawn:
        """Groups drawn with replacement, or single scores where fewer than two groups are known.

        Draws without any labelled or any unlabelled score are left out; if none is left, all groups count once.

        Args:
            draws: at least 1.
            seed: of the draws.
        """
        random = np.random.default_rng(seed)
        number = len(self.names)
        if number < 2:
            single = [_draw_scores(random, side.sum(axis=0), draws) for side in (self.positive, self.unlabelled)]
            return Drawn(single[0], single[1], None)
        weights = random.multinomial(number, np.full(number, 1 / number), size=draws).astype(np.float64)
        full = (weights @ self.positive.sum(axis=1) > 0) & (weights @ self.unlabelled.sum(axis=1) > 0)
        weights = weights[full] if full.any() else np.ones((1, number))
        return Drawn(weights @ self.positive, weights @ self.unlabelled, weights)


def count_scores(
    positive: NDArray[np.float64],
    unlabelled: NDArray[np.float64],
    positive_groups: ArrayLike | None = None,
    unlabelled_groups: ArrayLike | None = None,
    other_groups: ArrayLike = (),
) -> Counts:
    """Count scores between the labelled scores (with more than 512 of these, between their quantiles).

    Args:
        positive: (n,) scores of labelled particles.
        unlabelled: (m,) scores.
        positive_groups: (n,) micrograph of each; None when not known.
        unlabelled_groups: (m,) likewise; a name in both is the same micrograph, drawn together.
        other_groups: names of micrographs that may have no score at all.

    Raises:
        LabelsError: groups are given for one of the two only, or not one for each score.
    """
    cuts = np.unique(positive)
    if len(cuts) > _CUTS:
        cuts = np.unique(np.quantile(positive, np.linspace(0, 1, _CUTS), method="inverted_cdf"))
    if positive_groups is None and unlabelled_groups is None:
        return Counts(cuts, _between(positive, cuts), _between(unlabelled, cuts), np.empty(0, dtype=str))
    given = [np.asarray([] if one is None else one) for one in (positive_groups, unlabelled_groups)]
    if [one.shape for one in given] != [positive.shape, unlabelled.shape]:
        raise LabelsError(
            f"{len(given[0])} and {len(given[1])} groups for {len(positive)} and {len(unlabelled)} scores",
            where="prior estimate",
            fix="Give the micrograph of each labelled and of each unlabelled score, or of none.",
        )
    every = np.concatenate([*(one.astype(str) for one in given), np.asarray(other_groups).astype(str)])
    names, number = np.unique(every, return_inverse=True)
    first, second = number[: len(positive)], number[len(positive) : len(positive) + len(unlabelled)]
    size = len(names)
    return Counts(cuts, _between(positive, cuts, first, size), _between(unlabelled, cuts, second, size), names)


def shares_above(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of scores at or above each cut: (..., k) in [0, 1] from counts between cuts (..., k + 1)."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray((total - counts.cumsum(axis=-1)[..., :-1]) / total, dtype=np.float64)


def _between(
    scores: NDArray[np.float64], cuts: NDArray[np.float64], group: NDArray[np.intp] | None = None, groups: int = 1
) -> NDArray[np.float64]:
    place = np.searchsorted(cuts, scores, side="right")
    flat = place if group is None else group * (len(cuts) + 1) + place
    return np.bincount(flat, minlength=groups * (len(cuts) + 1)).reshape(groups, -1).astype(np.float64)


def _draw_scores(random: np.random.Generator, counts: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Drawing single scores with replacement and counting them again is a multinomial over the counts."""
    return random.multinomial(int(counts.sum()), counts / counts.sum(), size=draws).astype(np.float64)
