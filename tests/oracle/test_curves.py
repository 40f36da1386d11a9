"""Average precision and Platt scaling against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.evaluate.calibration import fit_platt, reliability
from cryoglean.evaluate.curves import precision_recall_curve
from cryoglean.evaluate.score import Rules
from cryoglean.evaluate.zones import set_scenes
from cryoglean.picks import Picks

metrics = pytest.importorskip("sklearn.metrics")
calibration = pytest.importorskip("sklearn.calibration")


def uncontested(seed, levels=None):
    """Picks that are each either right on a particle or far from all; every particle has its pick."""
    random = np.random.default_rng(seed)
    is_true = random.random(300) < 0.4
    scores = np.where(is_true, random.normal(1, 1, 300), random.normal(0, 1, 300))
    scores = scores if levels is None else np.round(scores * levels) / levels
    xy = np.stack([np.arange(300) * 50.0, np.zeros(300)], axis=1)
    names = np.array(["a", "b", "c"])[random.integers(0, 3, 300)]
    picks, truth = Picks(names, xy, scores), Picks(names[is_true], xy[is_true], micrographs=("a", "b", "c"))
    return scores, is_true, set_scenes(picks, truth, Rules(tolerance_pixels=10)).each


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learn_where_matching_is_trivial(seed, levels):
    """Both sum precision times change of recall, equal scores in one step."""
    scores, is_true, scenes = uncontested(seed, levels)

    curve = precision_recall_curve(scenes)

    assert curve.average_precision == pytest.approx(metrics.average_precision_score(is_true, scores))


@pytest.mark.parametrize("seed", range(5))
def test_precision_and_recall_are_those_of_scikit_learn_at_every_threshold(seed):
    scores, is_true, scenes = uncontested(seed, levels=4)
    precision, recall, thresholds = metrics.precision_recall_curve(is_true, scores)

    curve = precision_recall_curve(scenes)

    assert curve.thresholds.tolist() == thresholds[::-1].tolist()
    assert curve.precision.tolist() == pytest.approx(precision[-2::-1].tolist())
    assert curve.recall.tolist() == pytest.approx(recall[-2::-1].tolist())


@pytest.mark.parametrize("seed", range(4))
def test_platt_is_that_of_scikit_learn(seed):
    """scikit-learn's calibrator minimises the same sum with the same softened targets: 1 / (1 + exp(a s + b))."""
    scores, is_true, _ = uncontested(seed)
    theirs = calibration.CalibratedClassifierCV  # public door of the module; the fit itself is its sigmoid
    sigmoid = getattr(calibration, "_SigmoidCalibration", None)
    if sigmoid is None:
        pytest.skip(f"this scikit-learn hides the sigmoid of {theirs.__name__}")
    fitted = sigmoid().fit(scores, is_true)

    ours = fit_platt(scores, is_true)

    assert ours(scores) == pytest.approx(fitted.predict(scores), abs=1e-4)


def test_reliability_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    scores = random.random(1000)
    is_true = random.random(1000) < scores**2
    share, mean = calibration.calibration_curve(is_true, scores, n_bins=10)

    ours = reliability(scores, is_true, bins=10)

    assert ours.share_true.tolist() == pytest.approx(share.tolist())
    assert ours.mean_score.tolist() == pytest.approx(mean.tolist())
