"""Opinions in words, and when they disagree."""

from __future__ import annotations

import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.best_bin import estimate_best_bin
from cryoglean.prior.elkan_noto import estimate_elkan_noto
from cryoglean.prior.kinds import CountPrior, PatchPrior, PixelPrior
from cryoglean.prior.means import average_micrographs
from cryoglean.prior.opinions import (
    HEADER,
    Opinion,
    disagreements,
    judge_opinions,
    opinion_of_estimate,
    opinion_of_mean,
    opinion_rows,
    user_opinion,
)


def best_bin(value, low, high, kind="count"):
    return Opinion("best bin", kind, value, low, high, "because")


def test_what_the_user_says_is_taken_from_half_to_twice():
    said = user_opinion(120)

    assert (said.value, said.low, said.high, said.kind) == (120, 60, 240, "count")
    assert said.to_prior() == CountPrior(120)


def test_rows_are_plain_words():
    opinions = [user_opinion(120), best_bin(None, 0.0, 400.0), best_bin(0.0342, 0.02, 0.21, "pixel")]

    rows = opinion_rows(opinions)

    assert [len(row) for row in rows] == [len(HEADER)] * 3
    assert rows[0][:3] == ("user", "120 particles a micrograph", "60–240")
    assert rows[1][:3] == ("best bin", "not identifiable, at most 400 particles a micrograph", "–")
    assert rows[2][1:] == ("3.4 % of the pixels", "2 %–21 %", "because")


def test_intervals_that_meet_agree():
    opinions = [user_opinion(100), best_bin(150.0, 120.0, 300.0)]

    assert disagreements(opinions) == []
    assert judge_opinions(opinions) == "user and best bin agree within their intervals."


def test_intervals_apart_disagree_in_a_sentence_whatever_the_order():
    opinions = [best_bin(900.0, 700.0, 1100.0), user_opinion(100)]
    sentence = "best bin says more (900 particles a micrograph) than user (100 particles a micrograph)"

    assert disagreements(opinions) == disagreements(opinions[::-1])
    assert judge_opinions(opinions).startswith(sentence)


def test_a_value_above_another_sources_upper_bound_disagrees_and_below_agrees():
    bound = opinion_of_estimate("Elkan-Noto", "pixel", estimate_elkan_noto([0.5] * 10, 100))

    assert bound.high == pytest.approx(0.1)
    assert len(disagreements([bound, best_bin(0.3, 0.2, 0.4, "pixel")])) == 1
    assert disagreements([bound, best_bin(0.05, 0.02, 0.4, "pixel")]) == []


def test_different_kinds_are_neither_compared_nor_judged():
    opinions = [user_opinion(100), best_bin(0.04, 0.03, 0.05, "pixel")]

    assert disagreements(opinions) == []
    with pytest.raises(LabelsError, match="one kind"):
        judge_opinions(opinions)
    with pytest.raises(LabelsError, match="one kind"):
        judge_opinions([])


def test_when_nobody_can_tell_the_least_upper_bound_is_said():
    opinions = [best_bin(None, 0.0, 400.0), Opinion("Elkan-Noto", "count", None, 0.0, 300.0, "")]

    assert judge_opinions(opinions) == "No source can tell; at most 300 particles a micrograph."


def test_one_source_alone_is_named():
    opinions = [best_bin(None, 0.0, 400.0), user_opinion(100)]

    assert judge_opinions(opinions) == "Only one source can tell (user): 100 particles a micrograph."


def test_a_count_becomes_a_pixel_prior_with_the_share_of_one_core():
    as_pixels = user_opinion(100).rescale("pixel", 29 / 58_000)

    assert isinstance(as_pixels.to_prior(), PixelPrior)
    assert as_pixels.value == pytest.approx(0.05)
    assert (as_pixels.low, as_pixels.high) == (pytest.approx(0.025), pytest.approx(0.1))
    assert user_opinion(100).rescale("patch", 1.0).to_prior() == PatchPrior(1.0)
    assert best_bin(None, 0.0, 10.0).rescale("pixel", 0.01).to_prior() is None


def test_estimates_and_means_become_opinions():
    estimate = estimate_best_bin([5.0, 6.0] * 40, [5.0, 6.0] * 20 + [0.0] * 160)
    mean = average_micrographs([90.0, 100.0, 110.0])

    by_bin = opinion_of_estimate("best bin", "patch", estimate)
    by_labels = opinion_of_mean("validation labels", "count", mean, "Three micrographs.")

    assert (by_bin.value, by_bin.is_identifiable) == (pytest.approx(0.2), True)
    assert (by_bin.low, by_bin.high, by_bin.reason) == (estimate.low, estimate.high, estimate.reason)
    assert by_labels.value == 100
    assert by_labels.low < 100 < by_labels.high


def test_a_negative_number_of_particles_is_refused():
    with pytest.raises(LabelsError):
        user_opinion(-3)
