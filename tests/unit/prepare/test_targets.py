"""Painting targets."""

import numpy as np
import pytest
import torch

from cryoglean.prepare.normalize import Prepared
from cryoglean.prepare.rescale import Scale
from cryoglean.prepare.targets import mask_border, paint_targets
from cryoglean.settings import TargetSettings


def blank(height: int = 60, width: int = 80) -> Prepared:
    return Prepared(
        "one", torch.zeros(height, width), torch.ones(height, width, dtype=torch.bool), Scale(1, 1), (height, width)
    )


@pytest.mark.parametrize(("radius", "pixels"), [(1, 5), (3, 29), (8, 197)])
def test_a_disc_has_as_many_pixels_as_a_disc_has(radius: int, pixels: int) -> None:
    """checks.md U12: 5, 29, 197 for radius 1, 3, 8 (Topaz 0.3 counts 15, 203, 3349)."""
    settings = TargetSettings(core_diameters=radius / 20 + 1e-9, ring_diameters=0.45)

    y, _ = paint_targets(blank(), np.array([[40.0, 30.0]]), 20.0, settings)

    assert int(y.sum()) == pixels


def test_core_counts_ring_is_ignored_and_the_rest_is_background() -> None:
    y, w = paint_targets(blank(), np.array([[40.0, 30.0]]), 20.0, TargetSettings())

    assert (float(y[30, 40]), float(w[30, 40])) == (1, 1)
    assert (float(y[30, 48]), float(w[30, 48])) == (0, 0)
    assert (float(y[30, 51]), float(w[30, 51])) == (0, 1)


def test_foreground_agrees_with_the_count_of_particles() -> None:
    """N pi r^2 / H W within 30 % (methods.md 0), here with little overlap."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(10, 390, size=(40, 2))

    y, _ = paint_targets(blank(400, 400), xy, 20.0, TargetSettings())

    assert float(y.mean()) == pytest.approx(40 * np.pi * 6**2 / 400**2, rel=0.3)


def test_a_gaussian_is_highest_at_the_particle_and_ignores_nothing() -> None:
    y, w = paint_targets(blank(), np.array([[40.0, 30.0]]), 20.0, TargetSettings(shape="gaussian"))

    assert float(y[30, 40]) == 1
    assert float(y[30, 46]) == pytest.approx(np.exp(-0.5 * 2.4**2), abs=1e-4)
    assert bool((w == 1).all())


def test_no_particle_paints_only_background() -> None:
    y, w = paint_targets(blank(), np.empty((0, 2)), 20.0, TargetSettings())

    assert float(y.sum()) == 0
    assert bool((w == 1).all())


def test_pixels_that_are_not_valid_do_not_count() -> None:
    prepared = blank()
    prepared.valid[:, :40] = False

    _, w = paint_targets(prepared, np.array([[20.0, 30.0]]), 20.0, TargetSettings())

    assert float(w[:, :40].sum()) == 0


def test_the_border_does_not_count() -> None:
    w = mask_border(torch.ones(30, 40), 5)

    assert float(w.sum()) == 20 * 30
    assert torch.equal(mask_border(w, 0), w)
