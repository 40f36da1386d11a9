"""Junk: what it does to the wave, and where particles may not lie."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.simulate.junk import Junk, scatter_junk
from cryoglean.simulate.settings import SimulationSettings, simulation_settings

_NONE = {"aggregates": 0.0, "fragments": 0.0, "ice_crystals": 0.0, "carbon_edge": 0.0, "gold_beads": 0.0}


def _scatter(values: dict[str, float], seed: int = 0) -> Junk:
    settings: SimulationSettings = simulation_settings({**_NONE, **values})
    return scatter_junk(np.random.default_rng(seed), (300, 400), 150.0, settings)


def test_none_wanted_is_none_made() -> None:
    junk = _scatter({})

    assert not junk.covered.any()
    assert not junk.phase.any()
    assert junk.free(50.0).all()


@pytest.mark.parametrize("kind", ["aggregates", "fragments", "ice_crystals", "gold_beads"])
def test_each_kind_adds_phase_where_it_says_that_it_lies(kind: str) -> None:
    junk = _scatter({kind: 6.0})

    assert junk.covered.any()
    assert junk.phase[junk.covered].mean() > 20.0 * np.abs(junk.phase[~junk.covered]).mean()
    assert junk.absorption.min() >= 0.0


def test_gold_is_nearly_black() -> None:
    junk = _scatter({"gold_beads": 5.0})

    assert np.exp(-2.0 * junk.absorption.max()) < 0.5


def test_carbon_covers_a_part_and_leaves_a_hole() -> None:
    shares = [_scatter({"carbon_edge": 1.0}, seed).covered.mean() for seed in range(12)]

    assert min(shares) > 0.0
    assert max(shares) < 0.7


def test_carbon_comes_as_often_as_it_should() -> None:
    seen = np.mean([_scatter({"carbon_edge": 0.3}, seed).covered.any() for seed in range(150)])

    assert seen == pytest.approx(0.3, abs=0.12)


def test_free_ground_keeps_its_distance_from_junk() -> None:
    covered = np.zeros((60, 60), bool)
    covered[30, 30] = True
    empty = np.zeros((60, 60), np.float32)

    free = Junk(empty, empty, covered).free(10.0)

    y, x = np.mgrid[:60, :60] - 30
    np.testing.assert_array_equal(free, np.hypot(x, y) >= 10.0)
