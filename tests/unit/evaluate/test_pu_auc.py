"""The area under the ROC curve against unlabelled things, corrected by the prior."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.evaluate.pu import auc_ceiling, correct_auc, positive_unlabelled_auc


def gaussians(prior, distance=1.5, size=40_000):
    random = np.random.default_rng(0)
    hidden = round(prior * size)
    positive, rest = random.normal(distance, 1, size), random.normal(0, 1, size - hidden)
    return positive, np.concatenate([random.normal(distance, 1, hidden), rest]), rest


@pytest.mark.parametrize("prior", [0.04, 0.3])
def test_the_correction_gives_the_area_against_true_negatives(prior):
    """checks.md S10: within .01."""
    positive, unlabelled, rest = gaussians(prior)

    corrected = correct_auc(positive_unlabelled_auc(positive, unlabelled), prior)

    assert corrected == pytest.approx(positive_unlabelled_auc(positive, rest), abs=0.01)
    assert positive_unlabelled_auc(positive, unlabelled) < corrected


@pytest.mark.parametrize(("prior", "found", "expected"), [(0.3, 0.7479, 0.8542), (0.04, 0.8431, 0.8574)])
def test_the_numbers_of_the_check_are_met(prior, found, expected):
    """checks.md S10, its own rounding."""
    assert correct_auc(found, prior) == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize("prior", [0.0, 0.04, 0.3, 0.9])
def test_a_perfect_ranking_reaches_the_ceiling_and_a_blind_one_a_half(prior):
    hidden = np.full(round(100 * prior), 1.0)
    unlabelled = np.concatenate([hidden, np.zeros(100 - len(hidden))])

    assert positive_unlabelled_auc([1.0], unlabelled) == pytest.approx(auc_ceiling(prior))
    assert correct_auc(auc_ceiling(prior), prior) == pytest.approx(1.0)
    assert correct_auc(0.5, prior) == pytest.approx(0.5)


def test_the_ceiling_at_three_in_ten_is_that_of_the_methods_page():
    assert auc_ceiling(0.3) == 0.85


def test_area_is_that_of_counting_all_pairs_ties_half():
    random = np.random.default_rng(1)
    positive, unlabelled = random.integers(0, 6, 40), random.integers(0, 5, 70)
    pairs = positive[:, None] - unlabelled[None, :]

    assert positive_unlabelled_auc(positive, unlabelled) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


@pytest.mark.parametrize("prior", [-0.1, 1.0, float("nan")])
def test_a_prior_out_of_range_is_refused(prior):
    with pytest.raises(LabelsError):
        correct_auc(0.7, prior)
    with pytest.raises(LabelsError):
        auc_ceiling(prior)


@pytest.mark.parametrize("scores", [([], [1.0]), ([1.0], []), ([np.nan], [1.0]), ([1.0], [np.inf])])
def test_missing_scores_are_refused(scores):
    with pytest.raises(LabelsError):
        positive_unlabelled_auc(*scores)
