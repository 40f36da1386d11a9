"""The area under the ROC curve when positives are known and the rest is unlabelled, not negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from cryoglean.errors import LabelsError


def positive_unlabelled_auc(positive_scores: ArrayLike, unlabelled_scores: ArrayLike) -> float:
    """How often a labelled particle scores above an unlabelled thing; equal scores count half.

    Args:
        positive_scores: (n,) of labelled particles.
        unlabelled_scores: (m,) of unlabelled things, particles among them.

    Returns:
        In [0, 1]; even a perfect ranking reaches only `auc_ceiling`.

    Raises:
        LabelsError: one of the two is empty, or a score is not finite.
    """
    sides = [np.asarray(scores, dtype=np.float64).ravel() for scores in (positive_scores, unlabelled_scores)]
    if not all(len(side) and np.isfinite(side).all() for side in sides):
        raise LabelsError(
            "positive or unlabelled scores are missing or not finite", where="AUC", fix="Give finite scores of both."
        )
    n, m = len(sides[0]), len(sides[1])
    ranks = rankdata(np.concatenate(sides))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))


def correct_auc(auc: float, prior: float) -> float:
    """The area under the ROC curve of particles against the rest, from that against the unlabelled.

    Of the unlabelled, the share `prior` are particles, above which a particle scores half of the time:
    (auc - prior / 2) / (1 - prior) (Menon 2015, Learning from corrupted binary labels via class-probability
    estimation, ICML, PMLR 37; Jain 2017, arXiv 1702.00518). Holds if the labelled particles are a fair draw.

    Args:
        auc: of `positive_unlabelled_auc`.
        prior: share of particles among the unlabelled, in [0, 1).

    Returns:
        The area; above 1 by chance, or when the prior is too large.

    Raises:
        LabelsError: the prior is not in [0, 1).

    Example:
        >>> round(correct_auc(0.7479, 0.3), 3)
        0.854
    """
    return (auc - _checked(prior) / 2) / (1 - prior)


def auc_ceiling(prior: float) -> float:
    """The area against the unlabelled that a perfect ranking has: 1 - prior / 2.

    Args:
        prior: share of particles among the unlabelled, in [0, 1).

    Raises:
        LabelsError: the prior is not in [0, 1).
    """
    return 1 - _checked(prior) / 2


def _checked(prior: float) -> float:
    if not 0 <= prior < 1:
        raise LabelsError(f"a prior of {prior:g}", where="AUC", fix="Give a share from 0 to below 1.")
    return prior
