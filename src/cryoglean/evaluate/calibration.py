"""Whether a score of 0.8 means that eight in ten picks are particles, and how to make it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from cryoglean.errors import PicksError
from cryoglean.evaluate.curves import match_scene
from cryoglean.evaluate.zones import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Score against the share of true picks, bin by bin; empty bins are left out.

    Args:
        mean_score: (k,) mean score of the picks of each bin.
        share_true: (k,) share of them that are particles, in [0, 1].
        count: (k,) picks in each bin, above 0.
        expected_calibration_error: mean of |share_true - mean_score| over picks, in [0, 1] for scores in [0, 1].
    """

    mean_score: NDArray[np.float64]
    share_true: NDArray[np.float64]
    count: NDArray[np.int64]
    expected_calibration_error: float

    def to_json(self) -> dict[str, Any]:
        """All of it as lists and numbers."""
        return {
            "mean_score": self.mean_score.tolist(),
            "share_true": self.share_true.tolist(),
            "count": self.count.tolist(),
            "expected_calibration_error": self.expected_calibration_error,
        }


@dataclass(frozen=True, slots=True)
class Platt:
    """The probability that a pick is a particle: 1 / (1 + exp(-(slope * score + intercept))).

    Args:
        slope: above 0 when higher scores are surer.
        intercept: the log-odds at score 0.
    """

    slope: float
    intercept: float

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each pick: (n,) in [0, 1] for scores (n,)."""
        return np.asarray(expit(self.slope * np.asarray(scores) + self.intercept), dtype=np.float64)


def label_scores(scenes: Sequence[Scene]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The scores of all picks that count, and whether each is a particle: (n,) and (n,).

    Args:
        scenes: one for each micrograph, with scores; all picks are matched together.

    Raises:
        PicksError: the picks have no scores.
    """
    scores, labels = [np.empty(0)], [np.empty(0, dtype=np.bool_)]
    for scene in scenes:
        if scene.score is None:
            raise PicksError("the picks have no scores", where=scene.name, fix="Calibration needs scored picks.")
        is_true = np.zeros(len(scene.xy), dtype=np.bool_)
        is_true[match_scene(scene).pick_indices] = True
        counts = is_true | ~scene.excused
        scores.append(scene.score[counts])
        labels.append(is_true[counts])
    return np.concatenate(scores), np.concatenate(labels)


def reliability(scores: NDArray[np.float64], is_true: NDArray[np.bool_], bins: int = 10) -> Reliability:
    """Compare scores with the share of true picks in bins of equal width over [0, 1].

    Expected calibration error as in Naeini et al. 2015 (doi:10.1609/aaai.v29i1.9602).

    Args:
        scores: (n,) in [0, 1]; a score of 1 belongs to the last bin.
        is_true: (n,) whether the pick is a particle.
        bins: number of bins, at least 1.

    Raises:
        PicksError: no pick, columns of different length, or a score outside [0, 1].
    """
    scores, is_true = _columns(scores, is_true)
    if scores.min() < 0 or scores.max() > 1:
        raise PicksError("a score is not in [0, 1]", fix="Make probabilities of the scores first, see fit_platt.")
    place = np.minimum((scores * bins).astype(np.intp), bins - 1)
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    count = count[filled]
    mean_score = np.bincount(place, scores, bins)[filled] / count
    share_true = np.bincount(place, is_true, bins)[filled] / count
    error = float((count * np.abs(share_true - mean_score)).sum() / len(scores))
    return Reliability(mean_score, share_true, count, error)


def fit_platt(scores: NDArray[np.float64], is_true: NDArray[np.bool_]) -> Platt:
    """Fit a logistic curve of two parameters that turns scores into probabilities.

    The targets are (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0, so that the fit stays finite when the
    scores separate the picks (Platt 1999; numerics as in Lin, Lin & Weng 2007, doi:10.1007/s10994-007-5018-6).

    Args:
        scores: (n,) any finite numbers.
        is_true: (n,) whether the pick is a particle.

    Raises:
        PicksError: no pick, or columns of different length.
    """
    scores, is_true = _columns(scores, is_true)
    positive = int(is_true.sum())
    target = np.where(is_true, (positive + 1) / (positive + 2), 1 / (len(scores) - positive + 2))
    centre = float(scores.mean())
    width = float(scores.std()) or 1.0
    x = (scores - centre) / width

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * x + parameters[1]
        slack = expit(z) - target
        return float((np.logaddexp(0, z) - target * z).mean()), np.array([(slack * x).mean(), slack.mean()])

    start = np.array([0.0, np.log((positive + 1) / (len(scores) - positive + 1))])
    slope, intercept = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
    return Platt(float(slope / width), float(intercept - slope * centre / width))


def _columns(scores: NDArray[np.float64], is_true: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    is_true = np.asarray(is_true, dtype=np.bool_).reshape(-1)
    if len(scores) != len(is_true) or not len(scores):
        raise PicksError(
            f"there are {len(scores)} scores and {len(is_true)} labels", fix="Give one label for each of the picks."
        )
    return scores, is_true
