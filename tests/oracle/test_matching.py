"""Matching against scipy's assignment, brute force, and real published picks."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from cryoglean.evaluate.definitions import evaluate_by
from cryoglean.evaluate.match import match_picks
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

BGAL = Path(__file__).parents[3] / "shared" / "data" / "bgal_10017"


def crowd(seed):
    """Picks, truth and a tolerance at which almost every match is contested; now and then on a lattice, to tie."""
    random = np.random.default_rng(seed)
    picks, truth = random.random((random.integers(1, 70), 2)) * 60, random.random((random.integers(1, 70), 2)) * 60
    return (picks.round(), truth.round(), 8.0) if seed % 3 == 0 else (picks, truth, random.uniform(1, 15))


@pytest.mark.parametrize("seed", range(40))
def test_assignment_costs_as_little_as_scipy_finds_on_the_whole_matrix(seed):
    """Topaz's cost min(d² - r², 0) over all picks and particles at once; ours is solved cluster by cluster."""
    picks, truth, tolerance = crowd(seed)
    cost = np.minimum(cdist(picks, truth) ** 2 - tolerance**2, 0)
    rows, columns = linear_sum_assignment(cost)

    matches = match_picks(picks, truth, tolerance, rule="hungarian", strict=True)

    assert cost[matches.pick_indices, matches.truth_indices].sum() == pytest.approx(cost[rows, columns].sum())
    assert (matches.distances_pixels < tolerance).all()
    if seed % 3:  # without ties the assignment itself is unique
        expected = {pair for pair in zip(rows, columns, strict=True) if cost[pair] < 0}
        assert set(zip(matches.pick_indices, matches.truth_indices, strict=True)) == expected


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_greedy_takes_the_smallest_distance_left_again_and_again(seed, strict):
    """Brute force: find the least distance in the matrix, take it, cross out its row and column, repeat."""
    picks, truth, tolerance = crowd(seed)
    distance = np.hypot(*(picks[:, None] - truth[None]).transpose(2, 0, 1))
    expected = []
    while distance.size and (least := distance.min()) <= tolerance and not (strict and least == tolerance):
        # among equals: the first particle, then the first pick
        column, row = np.argwhere(np.isclose(distance.T, least, rtol=0, atol=0))[0]
        expected.append((row, column))
        distance[row], distance[:, column] = np.inf, np.inf

    matches = match_picks(picks, truth, tolerance, strict=strict)

    assert set(zip(matches.pick_indices, matches.truth_indices, strict=True)) == set(expected)
    assert np.array_equal(matches.pick_indices, np.sort(matches.pick_indices))


@pytest.mark.parametrize("seed", range(20))
def test_greedy_finds_at_least_half_of_the_most_that_can_be_found(seed):
    """A greedy matching is maximal, so at least half of a maximum one."""
    picks, truth, tolerance = crowd(seed)
    near = cdist(picks, truth) <= tolerance
    rows, columns = linear_sum_assignment(near, maximize=True)
    most = int(near[rows, columns].sum())

    assert most / 2 <= len(match_picks(picks, truth, tolerance)) <= most


def read(name, picker=None):
    """Picks of one of the CSV files beside the project."""
    with (BGAL / name).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if picker is None or row["picker"] == picker]
    return Picks(
        np.array([micrograph_name(row["micrograph"]) for row in rows]),
        np.array([[float(row["x"]), float(row["y"])] for row in rows]),
        np.array([float(row["score"]) for row in rows]) if "score" in rows[0] else None,
    )


@pytest.fixture(scope="module")
def bgal():
    """Truth, ignore points and rules of EMPIAR-10017."""
    if not BGAL.exists():
        pytest.skip(f"{BGAL} is absent")
    truth = read("coordinates.csv")
    shapes = dict.fromkeys(truth.micrographs, (1536, 1536))
    return truth, read("ignore_consensus_extras.csv"), Rules(diameter_pixels=40.5, border_pixels=56, shapes=shapes)


@pytest.mark.parametrize(
    ("picker", "published"), [("cryolo_repic", 0.892), ("topaz_repic", 0.782), ("deeppicker_repic", 0.335)]
)
def test_published_picks_score_as_measured_elsewhere(bgal, picker, published):
    """peers.md, table B: F1 on 12 micrographs of EMPIAR-10017 at 0.5 diameters, no border, no ignore points."""
    truth, _, rules = bgal
    picks = read("other_pickers.csv", picker)
    plain = Rules(diameter_pixels=40.5, shapes=rules.shapes)

    result = evaluate_picks(picks, truth.of(picks.micrographs), plain).to_json()

    # other micrographs of the same set: the scatter between them is about 0.02
    assert result["f1"] == pytest.approx(published, abs=0.03)
    assert not result["orientation"]["looks_flipped"]


@pytest.mark.parametrize(
    ("picker", "low", "high"),
    [("cryolo_repic", 0.94, 0.98), ("topaz_repic", 0.86, 0.91), ("deeppicker_repic", 0.3, 0.42)],
)
def test_border_and_ignore_points_lift_published_picks(bgal, picker, low, high):
    """Recommended use: 56 px border, consensus extras ignored. Measured here 2026-11-21: .963, .883, .366."""
    truth, ignore, rules = bgal
    picks = read("other_pickers.csv", picker)
    result = evaluate_picks(picks, truth.of(picks.micrographs), rules, ignore=ignore).to_json()

    assert low < result["f1"] < high
    interval = result["intervals"]["f1"]
    assert interval[0] < result["f1"] < interval[1]


def test_upside_down_picks_are_noticed_on_real_data(bgal):
    """peers.md #23-25: coordinates flipped in y are the commonest mistake between programs."""
    truth, _, rules = bgal
    picks = read("other_pickers.csv", "cryolo_repic")
    flipped = Picks(picks.micrograph, picks.xy * [1, -1] + [0, 1535], picks.score)

    assert evaluate_picks(flipped, truth.of(picks.micrographs), rules).to_json()["orientation"]["looks_flipped"]


@pytest.mark.parametrize(
    ("picker", "pooled", "maximum"), [("topaz_repic", 0.781, 0.840), ("deeppicker_repic", 0.335, 0.430)]
)
def test_maximum_over_micrographs_flatters_as_found_in_peers(bgal, picker, pooled, maximum):
    """peers.md D3: with the very same picks the maximum lifts F1 from .781 to .840 and from .335 to .430."""
    truth, _, rules = bgal
    picks = read("other_pickers.csv", picker)
    plain = Rules(diameter_pixels=40.5, shapes=rules.shapes)

    honest, flattered = (
        evaluate_by(name, picks, truth.of(picks.micrographs), plain)["f1"] for name in ("pixel", "cryosegnet")
    )

    assert honest == pytest.approx(pooled, abs=0.06)
    assert flattered == pytest.approx(maximum, abs=0.06)
    assert flattered > honest + 0.03
