"""One-to-one matching of picks with particles."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import SettingsError
from cryoglean.evaluate.match import match_picks

RULES = ("greedy_distance", "hungarian")


@pytest.mark.parametrize("rule", RULES)
def test_nearer_pick_is_taken_whatever_its_place_in_the_table(rule):
    """Topaz: match_coordinates([[0,0]], [[2,0],[1,0]], 3) -> [0, 1] (peers.md, run there)."""
    matches = match_picks(np.array([[2.0, 0], [1.0, 0]]), np.array([[0.0, 0]]), 3.0, rule=rule, strict=True)

    assert matches.pick_indices.tolist() == [1]
    assert matches.distances_pixels.tolist() == [1.0]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("strict", "expected"), [(True, 0), (False, 1)])
def test_pick_exactly_at_the_tolerance_counts_unless_strict(rule, strict, expected):
    """A 3-4-5 triangle has no rounding; Topaz, which is strict, gives no match at d == r."""
    matches = match_picks(np.array([[3.0, 4.0]]), np.array([[0.0, 0.0]]), 5.0, rule=rule, strict=strict)

    assert len(matches) == expected


@pytest.mark.parametrize("rule", RULES)
def test_two_picks_on_one_particle_are_one_match(rule):
    matches = match_picks(np.array([[0.0, 0], [1.0, 0]]), np.array([[0.0, 0]]), 3.0, rule=rule)

    assert matches.pick_indices.tolist() == [0]


def test_greedy_takes_the_nearest_pair_and_assignment_the_better_whole():
    """Picks at 0 and 2.5, particles at 1 and -1.5: greedy pairs 0 with 1 and strands the others; both can be paired."""
    picks, truth = np.array([[0.0, 0], [2.5, 0]]), np.array([[1.0, 0], [-1.5, 0]])

    greedy = match_picks(picks, truth, 2.5)
    assignment = match_picks(picks, truth, 2.5, rule="hungarian")

    assert (len(greedy), len(assignment)) == (1, 2)


def test_cost_of_topaz_can_prefer_one_near_pair_to_two_far_ones():
    """Costs at r = 10: one pair at d = 0 is -100; two at d = 9 are -38 together."""
    picks, truth = np.array([[0.0, 0], [9.0, 0]]), np.array([[0.0, 0], [-9.0, 0]])

    matches = match_picks(picks, truth, 10.0, rule="hungarian")

    assert list(zip(matches.pick_indices, matches.truth_indices, strict=True)) == [(0, 0)]


def test_ties_are_broken_by_row_and_always_alike():
    """Four picks on a square around one particle, all equally near."""
    picks = np.array([[1.0, 0], [0, 1.0], [-1.0, 0], [0, -1.0]])

    taken = {int(match_picks(picks, np.array([[0.0, 0]]), 2.0).pick_indices[0]) for _ in range(3)}

    assert taken == {0}


def test_each_particle_may_have_its_own_tolerance():
    picks, truth = np.array([[4.0, 0], [104.0, 0]]), np.array([[0.0, 0], [100.0, 0]])

    matches = match_picks(picks, truth, np.array([3.0, 5.0]))

    assert matches.truth_indices.tolist() == [1]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("picks", "truth"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_matches_nothing(rule, picks, truth):
    assert len(match_picks(np.zeros((picks, 2)), np.zeros((truth, 2)), 5.0, rule=rule)) == 0


@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan, np.inf])
def test_useless_tolerance_is_refused(tolerance):
    with pytest.raises(SettingsError, match="tolerance"):
        match_picks(np.zeros((1, 2)), np.zeros((1, 2)), tolerance)
