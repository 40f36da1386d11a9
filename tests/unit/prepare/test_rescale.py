"""Rescaling by Fourier cropping."""

import numpy as np
import pytest
import torch

from cryoglean.prepare.rescale import Scale, rescale


def wave(height: int, width: int, cycles_x: int, cycles_y: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.cos(2 * np.pi * (cycles_x * x / width + cycles_y * y / height)).astype(np.float32)


def test_a_wave_below_the_new_nyquist_keeps_its_values_at_the_scaled_places() -> None:
    """Pixel j of the small picture is what the big one says at j / scale."""
    small, scale = rescale(wave(120, 160, 5, 3), 0.5)

    y, x = np.mgrid[: small.shape[0], : small.shape[1]]
    expected = np.cos(2 * np.pi * (5 * x / scale.x / 160 + 3 * y / scale.y / 120))
    assert small.shape == (60, 80)
    np.testing.assert_allclose(small.numpy(), expected, atol=1e-5)


def test_a_wave_above_the_new_nyquist_disappears_instead_of_aliasing() -> None:
    small, _ = rescale(wave(128, 128, 50, 0), 0.5)

    assert float(small.abs().max()) < 1e-5


@pytest.mark.parametrize("factor", [0.13, 0.3817, 0.5, 0.77, 1.0, 1.4])
@pytest.mark.parametrize("shape", [(200, 311), (257, 128), (97, 97)])
def test_the_scale_is_what_was_asked_for_and_the_mean_is_kept(shape: tuple[int, int], factor: float) -> None:
    rng = np.random.default_rng(0)
    pixels = (rng.normal(size=shape) + 7).astype(np.float32)

    small, scale = rescale(pixels, factor)

    # a length is whole: on 97 pixels the nearest ratio can be half a pixel off
    assert scale.x == pytest.approx(factor, rel=0.03)
    assert scale.y == pytest.approx(factor, rel=0.03)
    assert small.shape == (int((shape[0] - 1) * scale.y) + 1, int((shape[1] - 1) * scale.x) + 1)
    assert float(small.mean()) == pytest.approx(7, abs=0.1)


def test_a_spot_moves_to_its_scaled_place() -> None:
    """A Gaussian spot at (81.5, 40.25) has its centre of mass at the scaled place."""
    y, x = np.mgrid[:150, :200]
    spot = np.exp(-((x - 81.5) ** 2 + (y - 40.25) ** 2) / (2 * 6.0**2)).astype(np.float32)

    small, scale = rescale(spot, 0.37)

    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    mass = small.numpy().clip(0.02) - 0.02
    centre = np.array([[(mass * columns).sum() / mass.sum(), (mass * rows).sum() / mass.sum()]])
    np.testing.assert_allclose(scale.to_original(centre), [[81.5, 40.25]], atol=0.1)


def test_coordinates_survive_there_and_back() -> None:
    scale = Scale(x=0.371, y=0.372)
    xy = np.array([[0.0, 0.0], [12.25, 900.5]])

    np.testing.assert_allclose(scale.to_original(scale.to_rescaled(xy)), xy, rtol=1e-12)


def test_factor_one_gives_the_picture_back() -> None:
    pixels = np.random.default_rng(1).normal(size=(96, 120)).astype(np.float32)

    small, _ = rescale(pixels, 1.0)

    torch.testing.assert_close(small, torch.from_numpy(pixels), atol=1e-5, rtol=0)
