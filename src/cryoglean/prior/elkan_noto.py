"""The share of particles from how sure a network is that labelled particles are labelled ones (Elkan & Noto)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from cryoglean.errors import LabelsError
from cryoglean.prior.estimate import Estimate, checked_scores
from cryoglean.prior.means import average_micrographs


def estimate_elkan_noto(
    positive_probabilities: ArrayLike,
    unlabelled: int,
    *,
    positive_groups: ArrayLike | None = None,
    draws: int = 400,
    seed: int = 0,
) -> Estimate:
    """An upper bound of the share of particles among the unlabelled, for a cross-check.

    Elkan & Noto 2008 (doi 10.1145/1401890.1401920), their estimator e1: the mean over held-out labelled particles of
    the probability of being labelled. Where a particle can't be mistaken, that probability is n / (n + share * m) for
    n labelled and m unlabelled things, hence share = n / m * (1 - mean) / mean. Where it can, the probability is
    lower, and the share comes out too large (measured on well-parted sets: by .04 to .28). So no value is given, only
    "at most".

    Args:
        positive_probabilities: (n,) in (0, 1], out of fold, of being labelled and not unlabelled, from a network that
            saw all n and m things with equal weight; anything else (weights, a known prior) makes it meaningless.
        unlabelled: m, at least 1.
        positive_groups: (n,) micrograph of each, for the interval.
        draws: for the interval, at least 1.
        seed: of the draws.

    Raises:
        LabelsError: no probability, one outside (0, 1], or nothing unlabelled.
    """
    probabilities = checked_scores(positive_probabilities, "labelled particles")
    if probabilities.min() <= 0 or probabilities.max() > 1 or unlabelled < 1:
        raise LabelsError(
            f"probabilities from {probabilities.min():g} to {probabilities.max():g}, and {unlabelled} unlabelled",
            where="prior estimate",
            fix="Give probabilities above 0 and up to 1, and at least one unlabelled thing.",
        )
    number = len(probabilities)
    mean = average_micrographs(probabilities, positive_groups, draws=draws, seed=seed)
    odds = number / unlabelled
    ratio, high = (float(min(odds * (1 - one) / one, 1.0)) for one in (mean.value, mean.low))
    reason = f"Elkan & Noto's formula gives {ratio:.3f}, which is too high wherever particles can be mistaken."
    return Estimate(None, 0.0, high, reason, ratio)
