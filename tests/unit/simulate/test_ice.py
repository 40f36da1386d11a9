"""Ice: thickness, what it swallows, granularity."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.simulate.ice import ice_thickness, motion_decay, smooth_noise, solvent_phase, transmission


def test_no_gradient_is_flat_ice() -> None:
    thickness = ice_thickness(np.random.default_rng(0), (64, 80), 300.0, 0.0)

    np.testing.assert_allclose(thickness, 300.0, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_ice_stays_within_its_gradient(seed: int) -> None:
    thickness = ice_thickness(np.random.default_rng(seed), (64, 80), 300.0, 0.2)

    assert np.abs(thickness / 300.0 - 1.0).max() <= 0.2 + 0.1 + 1e-6
    assert thickness.std() > 0.0


def test_one_attenuation_length_leaves_one_in_e() -> None:
    assert transmission(np.array([[0.0, 3220.0]], np.float32)) == pytest.approx(np.array([[1.0, np.exp(-1)]]))


def test_granularity_grows_with_the_root_of_the_thickness_and_falls_with_the_pixel() -> None:
    def deviation(thickness: float, pixel_size: float) -> float:
        ice = np.full((256, 256), thickness, np.float32)
        return float(solvent_phase(np.random.default_rng(0), ice, pixel_size, 300.0, 1e-9).std())

    assert deviation(800.0, 4.0) == pytest.approx(2.0 * deviation(200.0, 4.0), rel=1e-3)
    assert deviation(400.0, 8.0) == pytest.approx(0.5 * deviation(400.0, 4.0), rel=1e-3)


def test_granularity_is_that_of_counting_molecules() -> None:
    """Throw water molecules as an ideal gas (structure factor 1) and compare the deviation of their projection."""
    rng = np.random.default_rng(0)
    pixel_size, thickness = 4.0, 400.0
    per_pixel = 0.0314 * thickness * pixel_size**2
    gas = rng.poisson(per_pixel, 40000) * (4.6 / 0.0314) / pixel_size**2 * 0.6526e-3

    noise = solvent_phase(rng, np.full((256, 256), thickness, np.float32), pixel_size, 300.0, 1e-9)

    assert noise.std() == pytest.approx(gas.std() * 0.062**0.5, rel=0.02)


def test_motion_decay_is_the_mean_over_the_dose() -> None:
    """Sum the correlation exp(-D q² |s - t|) over all pairs of moments, and compare."""
    moments = (np.arange(600) + 0.5) / 600 * 30.0
    for frequency in (0.01, 0.05, 0.1, 0.2):
        rate = (2.0 * np.pi * frequency) ** 2 / 6.0
        expected = np.exp(-rate * np.abs(moments[:, None] - moments[None, :])).mean()

        assert motion_decay(np.array([frequency**2]), 30.0)[0] == pytest.approx(expected, rel=5e-3)


def test_smooth_noise_is_normalised_and_smooth() -> None:
    noise = smooth_noise(np.random.default_rng(0), (128, 100), 10.0)

    assert noise.std() == pytest.approx(1.0, abs=1e-4)
    assert noise.mean() == pytest.approx(0.0, abs=1e-4)
    assert np.diff(noise, axis=0).std() < 0.2
