"""Elkan & Noto's estimate: exact where nothing can be mistaken, too high elsewhere, and never a value."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.elkan_noto import estimate_elkan_noto


@pytest.mark.parametrize("share", [0.04, 0.2, 0.5, 1.0])
def test_probabilities_of_particles_that_cannot_be_mistaken_give_the_share(share):
    """100 labelled and 1000 unlabelled: the probability of being labelled is 100 / (100 + share * 1000)."""
    estimate = estimate_elkan_noto(np.full(100, 100 / (100 + share * 1000)), 1000)

    assert estimate.ratio == pytest.approx(share)
    assert estimate.high == pytest.approx(share)


def test_overlap_makes_it_too_high():
    """True probabilities for unit Gaussians at distance 2, share .1."""
    random = np.random.default_rng(0)
    score = random.normal(2, 1, 5000)
    background = 0.9 * np.exp(-2 * score + 2)
    probabilities = 1 / (1 + (0.1 + background))  # as many labelled as unlabelled

    estimate = estimate_elkan_noto(probabilities, 5000)

    assert 0.13 < estimate.ratio < 0.4


def test_it_gives_an_upper_bound_and_no_value():
    estimate = estimate_elkan_noto([0.5, 0.4, 0.6], 30)

    assert estimate.value is None
    assert not estimate.is_identifiable
    assert estimate.low == 0
    assert estimate.high > estimate.ratio == pytest.approx(0.1)
    assert "too high" in estimate.reason


def test_the_bound_is_wider_when_micrographs_differ():
    probabilities = np.repeat([0.2, 0.3, 0.6, 0.7], 50)

    single = estimate_elkan_noto(probabilities, 1000)
    grouped = estimate_elkan_noto(probabilities, 1000, positive_groups=np.repeat(list("abcd"), 50))

    assert grouped.ratio == single.ratio
    assert grouped.high > 1.2 * single.high


def test_it_never_says_more_than_everything():
    assert estimate_elkan_noto([0.01, 0.02], 3).high == 1.0


@pytest.mark.parametrize(("probabilities", "unlabelled"), [([0.0], 5), ([1.1], 5), ([0.5], 0), ([], 5)])
def test_what_is_no_probability_is_refused(probabilities, unlabelled):
    with pytest.raises(LabelsError):
        estimate_elkan_noto(probabilities, unlabelled)
