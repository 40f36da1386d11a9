"""The share of particles from the bin of highest scores that is purest: the best-bin estimate.

Above some score there are only particles. There the unlabelled scores are as frequent as the particles' times their
share, so the ratio of the two shares above the cut is the share of particles (Garg 2021, arXiv 2111.00980, here with
cuts at the labelled scores only). If no bin is pure, the ratio is too large, and nothing in the scores alone can prove
that one is pure: the estimate is an upper bound. So a value is given only where labelled particles and the rest lie
far apart. `docs/explain/priors.md` has the experiments behind the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoglean.prior.counting import Counts, Drawn, count_scores, shares_above
from cryoglean.prior.estimate import Estimate, Evidence, checked_scores

MINIMUM_SEPARATION = 0.78
MINIMUM_LABELS = 15
_FEW = 50  # labelled particles, below which the reason mentions how few they are
_DELTA = 0.1  # the bound holds with probability 1 - delta
_GAMMA = 0.01

Shares = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The best bin of some counts, and of the same counts drawn anew.

    Args:
        ratio: of the counts themselves, in [0, 1].
        evidence: of the counts themselves.
        ratios: (draws,) at the best cut of each draw, at least 0.
        purer: (draws,) the same in the upper half of the bin; see `purer_ratio`.
        drawn: the counts that were drawn.
    """

    ratio: float
    evidence: Evidence
    ratios: Shares
    purer: Shares
    drawn: Drawn

    @property
    def is_apart(self) -> bool:
        """Whether labelled particles and the rest lie far enough apart for a value."""
        found = self.evidence
        return found.separation >= MINIMUM_SEPARATION and not _may_be_luck(found)


def estimate_best_bin(
    positive_scores: ArrayLike,
    unlabelled_scores: ArrayLike,
    *,
    positive_groups: ArrayLike | None = None,
    unlabelled_groups: ArrayLike | None = None,
    draws: int = 400,
    seed: int = 0,
) -> Estimate:
    """The share of particles among the unlabelled.

    The scores must come from networks that did not learn from what they score (out of fold). The labelled particles
    must be a fair draw of all of them: if only the clearest were clicked, the estimate is too low.

    The interval is that of 95 % of the estimates with the micrographs drawn anew (without groups, or with one: single
    scores, too narrow where micrographs differ); its lower end also allows for a bin of which only the upper half is
    pure. It covers the luck of which particles and micrographs were seen. It does not cover things that score as high
    as particles and are none, labels that are no fair draw, or the luck of training.

    Args:
        positive_scores: (n,) of labelled particles; any scale, higher for particles.
        unlabelled_scores: (m,) on the same scale.
        positive_groups: (n,) micrograph of each.
        unlabelled_groups: (m,) likewise; give both or none.
        draws: for the interval, at least 1.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        The estimate, with the cut, and the share of labelled particles above it, as its evidence.

    Raises:
        LabelsError: no scores, scores that are not finite, or groups that don't fit.

    Example:
        >>> estimate_best_bin([5, 6, 7, 8] * 20, [1, 2, 3] * 100 + [5, 6, 7, 8] * 25).value
        0.25
    """
    positive = checked_scores(positive_scores, "labelled particles")
    unlabelled = checked_scores(unlabelled_scores, "the unlabelled")
    fit = fit_best_bin(count_scores(positive, unlabelled, positive_groups, unlabelled_groups), draws, seed)
    low = min(float(np.quantile(np.minimum(fit.ratios, fit.purer), 0.025)), fit.ratio)
    high = min(max(float(np.quantile(fit.ratios, 0.975)), fit.ratio), 1.0)
    if fit.is_apart:
        return Estimate(fit.ratio, low, high, _say_why(fit.evidence), fit.ratio, fit.evidence)
    return Estimate(None, 0.0, high, say_why_not(fit.evidence), fit.ratio, fit.evidence)


def fit_best_bin(counts: Counts, draws: int, seed: int) -> Fit:
    """The best bin of counts, and of counts drawn anew.

    Args:
        counts: with at least one labelled and one unlabelled score.
        draws: at least 1.
        seed: of the draws.
    """
    above = shares_above(counts.positive.sum(axis=0)), shares_above(counts.unlabelled.sum(axis=0))
    sizes = int(counts.positive.sum()), int(counts.unlabelled.sum())
    ratio, place = best_ratio(*above, sizes)
    drawn = counts.draw(draws, seed)
    drawn_above = shares_above(drawn.positive), shares_above(drawn.unlabelled)
    ratios, places = best_ratio(*drawn_above, sizes)
    evidence = Evidence(
        cut=float(counts.cuts[place[0]]),
        share_above=float(above[0][place[0]]),
        separation=float(separate(*above, ratio)[0]),
        separation_low=float(np.quantile(separate(*drawn_above, ratios), 0.025)),
        positives=sizes[0],
        unlabelled=sizes[1],
    )
    return Fit(min(float(ratio[0]), 1.0), evidence, ratios, purer_ratio(*drawn_above, places), drawn)


def best_ratio(above_positive: Shares, above_unlabelled: Shares, sizes: tuple[int, int]) -> tuple[Shares, Places]:
    """The ratio of shares at the cut where ratio and its error bound together are least.

    Args:
        above_positive: (k,) or (draws, k) share of labelled scores at or above each cut.
        above_unlabelled: likewise.
        sizes: numbers of labelled and unlabelled scores.

    Returns:
        The ratio, and the place of the cut, both (draws,).
    """
    positive, unlabelled = np.atleast_2d(above_positive), np.atleast_2d(above_unlabelled)
    error = (1 + _GAMMA) * sum(np.sqrt(np.log(4 / _DELTA) / (2 * size)) for size in sizes)
    safe = np.maximum(positive, 1e-12)
    place = np.where(positive > 0, (unlabelled + error) / safe, np.inf).argmin(axis=1)
    row = np.arange(len(place))
    return unlabelled[row, place] / safe[row, place], place


def purer_ratio(above_positive: Shares, above_unlabelled: Shares, place: Places) -> Shares:
    """The ratio in the upper half of the bin: above the highest cut that keeps half of its labelled scores.

    Where the bin is pure, it is the same but for chance; where it is not, it is less.

    Args:
        above_positive: see `best_ratio`.
        above_unlabelled: see `best_ratio`.
        place: (draws,) of the cut below the bin.
    """
    positive, unlabelled = np.atleast_2d(above_positive), np.atleast_2d(above_unlabelled)
    row = np.arange(len(place))
    half = positive[row, place][:, None] / 2
    higher = (positive >= half - 1e-12).sum(axis=1) - 1
    return np.asarray(unlabelled[row, higher] / np.maximum(positive[row, higher], 1e-12), dtype=np.float64)


def separate(above_positive: Shares, above_unlabelled: Shares, ratio: Shares) -> Shares:
    """How far particles and the rest lie apart: the largest difference of their shares above a cut, in [0, 1].

    The rest is the unlabelled less the particles in it, were their share `ratio`. The difference is largest at the
    same cut as that of labelled and unlabelled, and 1 / (1 - ratio) times as large.

    Args:
        above_positive: see `best_ratio`.
        above_unlabelled: see `best_ratio`.
        ratio: (draws,).
    """
    largest = (np.atleast_2d(above_positive) - np.atleast_2d(above_unlabelled)).max(axis=1)
    return np.asarray(np.clip(largest / np.maximum(1 - ratio, 1e-9), 0.0, 1.0), dtype=np.float64)


def _may_be_luck(found: Evidence) -> bool:
    """Whether the scores may differ by luck: few labels look parted, since the best of many cuts is taken.

    The draws repeat that luck, so their 2.5 % quantile must be the higher the fewer labels there are.
    """
    return found.positives < MINIMUM_LABELS or found.separation_low < 0.5 + 0.9 / np.sqrt(found.positives)


def say_why_not(found: Evidence) -> str:
    """A sentence why there is no value.

    Args:
        found: of a fit that is not apart.
    """
    if found.separation >= MINIMUM_SEPARATION:
        return (
            f"Not identifiable: with {found.positives:,} labelled particles it may be luck that they score so "
            "differently from the rest; label more."
        )
    return (
        "Not identifiable: the scores of particles and of the rest overlap, so that there is only an upper bound (at "
        f"the cut that parts them best, the shares above it differ by {found.separation:.0%}; "
        f"{MINIMUM_SEPARATION:.0%} is needed)."
    )


def _say_why(found: Evidence) -> str:
    few = f" Only {found.positives} labelled particles: the interval is wide." if found.positives < _FEW else ""
    return f"The scores of particles and of the rest differ clearly ({found.separation:.0%} at the best cut).{few}"
