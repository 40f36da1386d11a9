"""Volumes from points: their integral, their centre, their diameter."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.simulate.volume import centre_of_mass, diameter_of, odd_side, volume_of_points


def test_the_integral_and_the_centre_are_kept() -> None:
    rng = np.random.default_rng(0)
    points, integrals = rng.normal(200.0, 30.0, (50, 3)), rng.uniform(1.0, 5.0, 50)

    volume = volume_of_points(points, integrals, 5.0, 3.0)

    assert volume.density.sum() * 3.0**3 == pytest.approx(integrals.sum(), rel=1e-4)
    np.testing.assert_allclose(centre_of_mass(volume.density), volume.density.shape[0] // 2, atol=0.01)


def test_one_point_is_a_gaussian() -> None:
    volume = volume_of_points(np.zeros((1, 3)), np.ones(1), 8.0, 2.0)
    middle = volume.density.shape[0] // 2

    expected = (2.0 * np.pi * 64.0) ** -1.5 * np.exp(-((np.arange(6) * 2.0) ** 2) / 128.0)

    np.testing.assert_allclose(volume.density[middle, middle, middle : middle + 6], expected, rtol=2e-3)


def test_the_diameter_of_a_ball_is_that_of_the_ball() -> None:
    line = np.arange(65) - 32
    ball = (line[:, None, None] ** 2 + line[:, None] ** 2 + line**2 <= 20**2).astype(np.float32)

    # 99 % of a ball's volume lie within 0.99 ** (1 / 3) of its radius
    assert diameter_of(ball, 2.0) == pytest.approx(80.0 * 0.99 ** (1 / 3), abs=2.0)


@pytest.mark.parametrize(("least", "expected"), [(3.0, 3), (4.2, 5), (7.9, 9), (45.0, 45), (46.0, 49)])
def test_sides_are_odd_and_quick(least: float, expected: int) -> None:
    assert odd_side(least) == expected
