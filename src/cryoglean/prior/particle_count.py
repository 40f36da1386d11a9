"""How many particles a micrograph has, from the heights of the peaks of a network's maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import LabelsError
from cryoglean.prior.best_bin import Fit, fit_best_bin, say_why_not
from cryoglean.prior.counting import Counts, count_scores
from cryoglean.prior.estimate import Evidence, checked_scores


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Peaks of the maps of unlabelled micrographs.

    Args:
        heights: (m,) of all peaks down to a low floor, from networks that did not learn from these micrographs.
        micrograph: (m,) name of the micrograph of each.
        micrographs: names of all micrographs that were looked at, those without a peak among them.
    """

    heights: NDArray[np.float64]
    micrograph: NDArray[np.str_]
    micrographs: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Labelled particles, on maps of networks that did not learn from them.

    Args:
        heights: (n,) of the peak that lies on each; anything where there is none.
        is_found: (n,) bool, whether there is such a peak.
        micrograph: (n,) name of the micrograph of each.
    """

    heights: NDArray[np.float64]
    is_found: NDArray[np.bool_]
    micrograph: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class CountEstimate:
    """Particles a micrograph.

    Args:
        value: at least 0; None when it can't be told.
        low: lower end of the 95 % interval; 0 when it can't be told.
        high: upper end; when the number can't be told, it is at most about this much.
        reason: a sentence why there is a value, or why there is none.
        share_of_candidates: of the peaks, how many are particles if the best bin is pure, in [0, 1].
        candidates_per_micrograph: peaks, particles or not.
        share_found: of the held-out particles, how many have a peak, in (0, 1].
        evidence: for the share of peaks.
    """

    value: float | None
    low: float
    high: float
    reason: str
    share_of_candidates: float
    candidates_per_micrograph: float
    share_found: float
    evidence: Evidence

    @property
    def is_identifiable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


def estimate_count(candidates: Candidates, held_out: HeldOut, *, draws: int = 400, seed: int = 0) -> CountEstimate:
    """Share of peaks that are particles (best bin) x peaks a micrograph / share of particles that are peaks at all.

    The interval is as in `estimate_best_bin`, with the number of peaks and the share found drawn along. With one
    micrograph in all, single peaks are drawn, and how micrographs differ is not covered.

    Args:
        candidates: peaks on unlabelled micrographs.
        held_out: labelled particles, a fair draw of all; on the same micrographs or on others of the same kind.
        draws: for the interval, at least 1.
        seed: of the draws.

    Raises:
        LabelsError: no peaks, no held-out particle with a peak, or lists that don't fit.
    """
    heights = checked_scores(candidates.heights, "candidates")
    found = np.asarray(held_out.is_found, dtype=bool)
    _check(candidates, held_out)
    labelled = checked_scores(np.asarray(held_out.heights)[found], "held-out particles with a peak")
    groups = np.asarray(held_out.micrograph)[found], candidates.micrograph
    every = [*candidates.micrographs, *np.asarray(held_out.micrograph).tolist()]
    counts = count_scores(labelled, heights, *groups, every)
    fit = fit_best_bin(counts, draws, seed)
    factors = _draw_factors(counts, fit, candidates, held_out, seed)
    return _describe(fit, factors, len(heights) / len(set(candidates.micrographs)), float(found.mean()))


def _describe(fit: Fit, factors: NDArray[np.float64], each: float, share_found: float) -> CountEstimate:
    """The estimate from the share of peaks, and from peaks a micrograph over the share found, drawn and not."""
    value = fit.ratio * each / share_found
    usable = np.isfinite(factors)
    least = (np.minimum(fit.ratios, fit.purer) * factors)[usable]
    most = (np.minimum(fit.ratios, 1.0) * factors)[usable]
    low, high = (float(np.quantile(side, at)) if len(side) else value for side, at in ((least, 0.025), (most, 0.975)))
    told = fit.ratio, each, share_found, fit.evidence
    if not fit.is_apart:
        return CountEstimate(None, 0.0, max(high, value), say_why_not(fit.evidence), *told)
    reason = (
        f"{fit.ratio:.1%} of {each:,.1f} peaks a micrograph are particles, and {share_found:.0%} of the held-out "
        "particles have a peak."
    )
    return CountEstimate(value, min(low, value), max(high, value), reason, *told)


def _draw_factors(
    counts: Counts, fit: Fit, candidates: Candidates, held_out: HeldOut, seed: int
) -> NDArray[np.float64]:
    """Peaks a micrograph / share found, for each draw; not finite where a draw lacks one or the other."""
    found, total = float(np.sum(held_out.is_found)), len(held_out.is_found)
    weights = fit.drawn.weights
    if weights is None:
        share = np.random.default_rng(seed + 1).binomial(total, found / total, len(fit.ratios)) / total
        return np.asarray(len(candidates.heights) / len(set(candidates.micrographs)) / np.maximum(share, 1 / total))
    labelled = weights @ np.bincount(
        np.searchsorted(counts.names, np.asarray(held_out.micrograph).astype(str)), minlength=len(counts.names)
    )
    looked_at = weights @ np.isin(counts.names, np.asarray(candidates.micrographs).astype(str)).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = (fit.drawn.unlabelled.sum(axis=1) / looked_at) / (fit.drawn.positive.sum(axis=1) / labelled)
    return np.asarray(factors, dtype=np.float64)


def _check(candidates: Candidates, held_out: HeldOut) -> None:
    shapes = {len(held_out.heights), len(held_out.is_found), len(held_out.micrograph)}
    unknown = set(np.asarray(candidates.micrograph).tolist()) - set(candidates.micrographs)
    if len(shapes) > 1 or len(candidates.heights) != len(candidates.micrograph) or unknown:
        raise LabelsError(
            "heights, found and micrographs of the particles, or heights and micrographs of the peaks, don't fit",
            where="particle count",
            fix="Give one of each for every particle and every peak, and name all micrographs.",
        )
