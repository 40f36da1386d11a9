"""Scores against the share of true picks."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import PicksError
from cryoglean.evaluate.calibration import fit_platt, label_scores, reliability
from cryoglean.evaluate.score import Rules
from cryoglean.evaluate.zones import set_scenes

from .making import table


def drawn(seed=0, count=4000, power=1.0):
    """Scores, and picks that are true with the probability score ** power."""
    random = np.random.default_rng(seed)
    scores = random.random(count)
    return scores, random.random(count) < scores**power


def test_calibrated_scores_have_a_small_error_and_boastful_ones_a_large():
    """With P(true) = s^3 the error of uniform scores is the mean of s - s^3, 1/4."""
    honest, boastful = reliability(*drawn()), reliability(*drawn(power=3.0))

    assert honest.expected_calibration_error < 0.03
    assert boastful.expected_calibration_error == pytest.approx(0.25, abs=0.02)


def test_bins_by_hand():
    """Two bins: scores .2 and .4 with one true; score 1 alone, true."""
    result = reliability(np.array([0.2, 0.4, 1.0]), np.array([True, False, True]), bins=2)

    assert result.mean_score.tolist() == pytest.approx([0.3, 1.0])
    assert result.share_true.tolist() == [0.5, 1.0]
    assert result.expected_calibration_error == pytest.approx(2 / 3 * 0.2)


def test_platt_finds_the_curve_that_the_labels_were_drawn_from():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, 20_000)
    is_true = random.random(20_000) < 1 / (1 + np.exp(-(1.7 * logits - 0.6)))

    platt = fit_platt(logits, is_true)

    assert (platt.slope, platt.intercept) == (pytest.approx(1.7, abs=0.08), pytest.approx(-0.6, abs=0.06))


def test_platt_mends_boastful_scores():
    scores, is_true = drawn(power=3.0)

    mended = fit_platt(scores, is_true)(scores)

    assert reliability(mended, is_true).expected_calibration_error < 0.05


@pytest.mark.parametrize("labels", [[True] * 5, [False] * 5, [False, False, False, True, True]])
def test_platt_stays_finite_where_the_scores_tell_all(labels):
    platt = fit_platt(np.array([0.1, 0.2, 0.3, 0.8, 0.9]), np.array(labels))

    assert np.isfinite([platt.slope, platt.intercept]).all()


def test_labels_leave_ignored_picks_out():
    picks = table([(0, 0), (50, 0), (90, 0)], [0.9, 0.5, 0.1])
    scenes = set_scenes(picks, table([(1, 0)]), Rules(tolerance_pixels=5), ignore=table([(52, 0)])).each

    scores, is_true = label_scores(scenes)

    assert (scores.tolist(), is_true.tolist()) == ([0.9, 0.1], [True, False])


@pytest.mark.parametrize(("scores", "labels"), [([], []), ([0.5], [True, False]), ([1.5], [True])])
def test_what_can_not_be_binned_is_refused(scores, labels):
    with pytest.raises(PicksError):
        reliability(np.array(scores), np.array(labels, dtype=bool))
