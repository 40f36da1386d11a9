"""Intervals over micrographs."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.evaluate.bootstrap import bootstrap_intervals
from cryoglean.evaluate.curves import Tally, all_steps, pool_steps, tally
from cryoglean.evaluate.score import Rules
from cryoglean.evaluate.zones import set_scenes

from .making import crowd


def test_interval_of_a_share_is_as_wide_as_the_binomial_says():
    """1,000 micrographs with one particle each, 70 % found: recall's deviation is sqrt(.7 * .3 / 1000)."""
    tallies = [Tally(int(i % 10 < 7), 0, 1) for i in range(1000)]

    low, high = bootstrap_intervals(tallies, None, draws=4000)["recall"]

    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert (low, high) == (pytest.approx(0.7 - half, abs=0.004), pytest.approx(0.7 + half, abs=0.004))


def test_interval_holds_the_true_value_in_about_95_of_100_repeats():
    """Forty micrographs with 50 particles and recalls of their own around .8; 200 repeats, binomial error 1.5 %."""
    random = np.random.default_rng(0)
    inside = 0
    for repeat in range(200):
        found = random.binomial(50, random.beta(16, 4, 40))
        low, high = bootstrap_intervals([Tally(int(n), 0, 50) for n in found], None, draws=400, seed=repeat)["recall"]
        inside += low <= 0.8 <= high

    assert 0.88 <= inside / 200 <= 0.99


def test_equal_micrographs_leave_no_doubt():
    intervals = bootstrap_intervals([Tally(3, 1, 5)] * 6, None)

    assert intervals["precision"] == (0.75, 0.75)
    assert intervals["recall"] == (0.6, 0.6)
    assert intervals["f1"] == (pytest.approx(6 / 9), pytest.approx(6 / 9))


def test_average_precision_of_a_draw_is_that_of_the_drawn_micrographs():
    """Against a loop that pools the drawn micrographs' steps, with the same seed."""
    picks, truth = crowd(np.random.default_rng(3), picks=200, truth=100, side=400, micrographs=5)
    scenes = set_scenes(picks, truth, Rules(tolerance_pixels=15)).each
    steps = all_steps(scenes)
    drawn = np.random.default_rng(7).multinomial(5, np.full(5, 0.2), size=50)
    values = []
    for counts in drawn:
        chosen = np.repeat(np.arange(5), counts)
        values.append(pool_steps([steps[i] for i in chosen], sum(scenes[i].truth for i in chosen)).average_precision)

    intervals = bootstrap_intervals([tally(scene) for scene in scenes], steps, draws=50, seed=7)

    assert intervals["average_precision"] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_same_seed_gives_the_same_interval_and_another_seed_another():
    tallies = [Tally(i, 3, 20) for i in range(10)]

    first, again, other = (bootstrap_intervals(tallies, None, seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize(("tallies", "draws"), [([Tally(1, 0, 1)], 100), ([Tally(1, 0, 1)] * 3, 0)])
def test_one_micrograph_or_no_draw_gives_no_interval(tallies, draws):
    assert set(bootstrap_intervals(tallies, None, draws=draws).values()) == {None}
