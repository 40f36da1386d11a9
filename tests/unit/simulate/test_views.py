"""Views turned, mirrored and put between the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.simulate.molecules import build_molecule
from cryoglean.simulate.symmetry import random_rotations
from cryoglean.simulate.views import paste, project, random_views, turned_view


@pytest.mark.parametrize("side", ["front", "back"])
@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_turned_view_shows_the_rotation_that_it_claims(quarter_turns: int, side: str) -> None:
    volume = build_molecule("globule", 5.0)
    views = project(volume, random_rotations(np.random.default_rng(0), 1))

    picture, rotation = turned_view(views, 0, quarter_turns, is_mirrored=side == "back")
    again = project(volume, rotation[None]).pictures[0]

    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.corrcoef(picture.ravel(), again.ravel())[0, 1] > 0.9995


@pytest.mark.parametrize("xy", [(40.0, 30.0), (40.5, 30.25), (37.13, 41.87)])
def test_the_centre_of_mass_lies_where_it_was_put(xy: tuple[float, float]) -> None:
    views = random_views(build_molecule("ferritin", 5.0), 1, 0)
    canvas = np.zeros((80, 90), np.float32)

    paste(canvas, views.pictures, np.array([xy]))

    y, x = np.mgrid[:80, :90]
    found = np.array([(canvas * x).sum(), (canvas * y).sum()]) / canvas.sum()
    np.testing.assert_allclose(found, xy, atol=0.02)
    assert canvas.sum() == pytest.approx(float(views.pictures.sum()), rel=1e-4)


def test_what_hangs_over_the_edge_is_cut_off() -> None:
    picture = np.ones((1, 5, 5), np.float32)
    canvas = np.zeros((10, 10), np.float32)

    paste(canvas, np.repeat(picture, 3, axis=0), np.array([[0.0, 0.0], [9.0, 9.0], [-20.0, 4.0]]))

    assert canvas[:3, :3].sum() == pytest.approx(9.0, abs=1e-4)
    assert canvas.sum() == pytest.approx(18.0, abs=1e-4)


def test_views_are_the_same_for_the_same_seed_only() -> None:
    volume = build_molecule("globule", 8.0)

    np.testing.assert_array_equal(random_views(volume, 3, 1).pictures, random_views(volume, 3, 1).pictures)
    assert not np.array_equal(random_views(volume, 3, 1).pictures, random_views(volume, 3, 2).pictures)
