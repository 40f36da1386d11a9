"""The fixed preparation, validity and contrast."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cryoglean.errors import LabelsError, MicrographError
from cryoglean.micrograph import Micrograph
from cryoglean.prepare.contrast import measure_contrast
from cryoglean.prepare.normalize import Preparation
from cryoglean.prepare.validity import fill_invalid, find_valid, shrink_valid

PREPARATION = Preparation(
    diameter_angstrom=100.0, particle_pixels=20.0, high_pass_diameters=1.5, clip=5.0, particles_are_dark=False
)


def noise(shape: tuple[int, int] = (400, 500), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def micrograph(pixels: np.ndarray, pixel_size: float | None = 2.5) -> Micrograph:
    return Micrograph("one", pixels.astype(np.float32), pixel_size)


def test_gain_and_offset_of_the_camera_do_not_matter() -> None:
    """6800 + 0.01 n is the same picture as n (Ucsf_stack_1142_DW has such an offset)."""
    plain = PREPARATION.apply(micrograph(noise()))
    odd = PREPARATION.apply(micrograph(6800 + 0.5 * noise()))

    torch.testing.assert_close(odd.image, plain.image, atol=2e-2, rtol=0)


def test_the_same_micrograph_is_prepared_bit_for_bit_the_same() -> None:
    first, second = (PREPARATION.apply(micrograph(noise())) for _ in range(2))

    assert torch.equal(first.image, second.image)


def test_a_preparation_restored_from_its_json_does_the_same() -> None:
    restored = Preparation(**PREPARATION.to_json())

    assert torch.equal(restored.apply(micrograph(noise())).image, PREPARATION.apply(micrograph(noise())).image)


def test_values_are_robustly_standard_and_clipped() -> None:
    pixels = noise()
    pixels[:20, :20] += 1000

    image = PREPARATION.apply(micrograph(pixels)).image

    assert float(image.median()) == pytest.approx(0, abs=0.05)
    assert float(image.abs().max()) <= 5
    assert float((image.abs() < 1).float().mean()) == pytest.approx(0.683, abs=0.03)


def test_a_slow_gradient_is_taken_off() -> None:
    ramp = np.linspace(0, 20, 500, dtype=np.float32)[None].repeat(400, axis=0)

    image = PREPARATION.apply(micrograph(noise() + ramp)).image

    thirds = image[:, 60:-60].chunk(3, dim=1)  # near the edge the local mean is one-sided
    assert abs(float(thirds[0].mean() - thirds[2].mean())) < 0.1


def test_particles_become_bright_whatever_the_contrast() -> None:
    dark = replace(PREPARATION, particles_are_dark=True).apply(micrograph(-noise()))

    torch.testing.assert_close(dark.image, PREPARATION.apply(micrograph(noise())).image, atol=1e-4, rtol=0)


def test_nan_and_constant_areas_are_not_valid_and_do_not_shift_the_rest() -> None:
    pixels = noise()
    clean = PREPARATION.apply(micrograph(pixels))
    pixels[100:160, 200:260] = np.nan
    pixels[300:, :100] = 3.0

    prepared = PREPARATION.apply(micrograph(pixels))

    assert not bool(prepared.valid[65, 115])
    assert not bool(prepared.valid[170, 20])
    assert bool(prepared.valid[20, 200])
    assert bool(torch.isfinite(prepared.image).all())
    far = (slice(0, 40), slice(150, 240))
    torch.testing.assert_close(prepared.image[far], clean.image[far], atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("pixels", "pixel_size", "words"),
    [
        (noise(), None, "--pixel-size-angstrom"),
        (np.full((400, 400), 7.0), 2.5, "no contrast"),
        (noise((50, 300)), 2.5, "smaller than two particles"),
        (np.full((400, 400), np.nan), 2.5, "no contrast"),
    ],
)
def test_what_can_not_be_prepared_is_refused_with_the_way_out(
    pixels: np.ndarray, pixel_size: float | None, words: str
) -> None:
    with pytest.raises(MicrographError, match=words):
        PREPARATION.apply(micrograph(pixels, pixel_size))


def test_constant_blocks_are_found_and_noise_is_not() -> None:
    pixels = noise((64, 64))
    pixels[16:32, 32:48] = 1.0

    valid = find_valid(pixels, block_pixels=8)

    assert not valid[16:32, 32:48].any()
    assert valid.sum() == 64 * 64 - 16 * 16


def test_filling_uses_the_median_of_what_is_valid() -> None:
    pixels = np.array([[1.0, 2.0, 9.0], [np.nan, 2.0, 3.0]], dtype=np.float32)

    filled = fill_invalid(pixels, np.isfinite(pixels))

    assert filled[1, 0] == 2.0


def test_a_mask_keeps_its_place_when_shrunk() -> None:
    valid = np.ones((100, 100), dtype=bool)
    valid[40:60, 20:30] = False

    small = shrink_valid(valid, (50, 50), (0.5, 0.5))

    assert not small[20:30, 10:15].any()
    assert small.sum() == 2500 - 50


def particles(amplitude: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    pixels = noise((600, 600), seed=3)
    xy = rng.uniform(80, 520, size=(30, 2))
    y, x = np.mgrid[:600, :600]
    for centre in xy:
        pixels[np.hypot(x - centre[0], y - centre[1]) < 18] += amplitude
    return pixels, xy


@pytest.mark.parametrize("amplitude", [-1.0, 1.0])
def test_the_labels_say_whether_particles_are_dark(amplitude: float) -> None:
    pixels, xy = particles(amplitude)
    prepared = PREPARATION.apply(micrograph(pixels))

    contrast = measure_contrast([prepared], [prepared.scale.to_rescaled(xy)], 20.0)

    assert contrast.is_dark == (amplitude < 0)
    assert abs(contrast.standard_errors) > 10


def test_labels_on_empty_ice_are_refused() -> None:
    prepared = PREPARATION.apply(micrograph(noise((600, 600))))
    xy = prepared.scale.to_rescaled(np.random.default_rng(0).uniform(80, 520, size=(30, 2)))

    with pytest.raises(LabelsError, match="as bright as their surroundings"):
        measure_contrast([prepared], [xy], 20.0)


def test_labels_outside_the_micrograph_are_refused() -> None:
    prepared = PREPARATION.apply(micrograph(noise()))

    with pytest.raises(LabelsError, match="fewer than two"):
        measure_contrast([prepared], [np.array([[5000.0, 5000.0]])], 20.0)
