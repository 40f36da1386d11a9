"""The simulated micrograph against formulas and sums that were written down elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from cryoglean.simulate.micrograph import simulate_micrograph
from cryoglean.simulate.molecules import build_molecule
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulate.symmetry import random_rotations
from cryoglean.simulate.views import project

_BARE = {
    "particles_per_micrograph": 0.0,
    "aggregates": 0.0,
    "fragments": 0.0,
    "ice_crystals": 0.0,
    "carbon_edge": 0.0,
    "ice_gradient": 0.0,
    "astigmatism_micrometers": 0.0,
    "solvent_noise": 0.0,
    "shape_pixels": (512, 512),
    "views": 8,
    "molecule": "globule",
}


def _settings(**changed: object) -> SimulationSettings:
    return SimulationSettings.model_validate({**_BARE, **changed})


def _ring_power(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of |F|² / n on rings one frequency step wide, for square pictures; white noise gives its variance."""
    side = pixels.shape[0]
    power = np.abs(np.fft.fft2(pixels.astype(np.float64))) ** 2 / pixels.size
    frequency = np.fft.fftfreq(side) * side
    ring = np.round(np.hypot(frequency[:, None], frequency[None, :])).astype(int)
    return (np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()))[: side // 2]


def _aberration(
    settings: SimulationSettings, k: NDArray[np.float64], defocus_micrometers: float
) -> NDArray[np.float64]:
    """χ + arcsin Q, with the wavelength of 300 kV electrons, 0.019687 Å."""
    wavelength, spherical = 0.019687, settings.spherical_aberration_mm * 1e7
    chi = np.pi * wavelength * defocus_micrometers * 1e4 * k**2 - np.pi / 2.0 * spherical * wavelength**3 * k**4
    return chi + np.arcsin(settings.amplitude_contrast)


def test_shot_noise_is_white_with_the_variance_of_its_mean() -> None:
    settings = _settings(dose_electrons_per_angstrom2=20.0, pixel_size_angstrom=3.0)

    pixels = simulate_micrograph(settings, 0, "ice").micrograph.pixels

    expected = 20.0 * 9.0 * np.exp(-500.0 / 3220.0)
    assert pixels.mean() == pytest.approx(expected, rel=2e-3)
    assert pixels.var() == pytest.approx(expected, rel=0.01)
    power = _ring_power(pixels)[8:]
    rings = power[:240].reshape(-1, 24).mean(axis=1)
    np.testing.assert_allclose(rings, expected, rtol=0.08)


def test_the_power_of_ice_is_that_of_the_formula() -> None:
    """Mean² · 4 σ² · motion · sin²(χ + arcsin Q) · decay² + shot noise, with σ the phase's deviation in a pixel."""
    settings = _settings(solvent_noise=1.0, dose_electrons_per_angstrom2=400.0, pixel_size_angstrom=3.0)

    made = simulate_micrograph(settings, 1, "ice")
    mean = made.micrograph.pixels.mean()
    k = np.arange(256) / (512 * 3.0)
    sigma = 0.6526e-3 * (4.6 / 0.0314) * np.sqrt(0.0314 * 0.062 * 500.0) / 3.0
    a = (2.0 * np.pi * k) ** 2 / 6.0 * 400.0 + 1e-9
    motion = 2.0 * (a - 1.0 + np.exp(-a)) / a**2
    contrast = np.sin(_aberration(settings, k, made.defocus_micrometers)) * np.exp(-150.0 / 4.0 * k**2)
    expected = mean**2 * 4.0 * sigma**2 * motion * contrast**2 + mean

    measured = _ring_power(made.micrograph.pixels)
    groups = slice(8, 248)
    ratio = measured[groups].reshape(-1, 12).mean(axis=1) / expected[groups].reshape(-1, 12).mean(axis=1)
    np.testing.assert_allclose(ratio, 1.0, atol=0.12)
    assert expected[groups].max() > 1.5 * mean


@pytest.mark.parametrize(("defocus", "amplitude_contrast"), [(1.0, 0.07), (1.8, 0.1), (2.5, 0.2)])
def test_the_first_thon_ring_ends_where_the_formula_says(defocus: float, amplitude_contrast: float) -> None:
    """The first zero of sin(χ + arcsin Q), in closed form, is the darkest ring to a frequency step (parabola)."""
    settings = _settings(
        solvent_noise=1.0,
        dose_electrons_per_angstrom2=1e5,
        defocus_micrometers=(defocus, defocus),
        amplitude_contrast=amplitude_contrast,
        b_factor_angstrom2=20.0,
        pixel_size_angstrom=3.0,
    )
    wavelength, spherical = 0.019687, settings.spherical_aberration_mm * 1e7
    # (π/2) Cs λ³ u² - π λ Δz u + (π - arcsin Q) = 0 for u = k²
    square, linear = np.pi / 2.0 * spherical * wavelength**3, -np.pi * wavelength * defocus * 1e4
    rest = np.pi - np.arcsin(amplitude_contrast)
    expected = np.sqrt((-linear - np.sqrt(linear**2 - 4.0 * square * rest)) / (2.0 * square)) * 512 * 3.0

    power = np.mean(
        [_ring_power(simulate_micrograph(settings, seed, "film").micrograph.pixels) for seed in range(3)], 0
    )
    lowest = int(0.75 * expected) + int(np.argmin(power[int(0.75 * expected) : int(1.2 * expected)]))
    near = np.arange(-8, 9)
    curve, slope, _ = np.polyfit(near, power[lowest + near], 2)

    assert lowest - slope / (2.0 * curve) == pytest.approx(expected, abs=1.0)


def test_unturned_projection_is_the_sum_along_z() -> None:
    volume = build_molecule("globule", 5.0)

    picture = project(volume, np.eye(3)[None]).pictures[0]

    expected = volume.density.sum(axis=0) * 5.0
    assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.999
    # a slice along the grid needs no interpolation but is corrected for it all the same, hence 2 %
    assert picture.sum() == pytest.approx(expected.sum(), rel=0.02)


@pytest.mark.parametrize("name", ["globule", "ferritin"])
def test_projection_is_the_sum_of_the_turned_volume(name: str) -> None:
    volume = build_molecule(name, 5.0)
    rotations = random_rotations(np.random.default_rng(0), 4)
    centre = np.full(3, volume.density.shape[0] // 2)

    pictures = project(volume, rotations).pictures

    for picture, rotation in zip(pictures, rotations, strict=True):
        inverse = rotation.T[::-1, ::-1]  # affine_transform asks, in z, y, x, where an output voxel comes from
        turned = affine_transform(volume.density, inverse, offset=centre - inverse @ centre, order=3)
        assert np.corrcoef(picture.ravel(), turned.sum(axis=0).ravel())[0, 1] > 0.999
        assert picture.sum() == pytest.approx(volume.density.sum() * 5.0, rel=5e-3)


def test_the_truth_is_the_centre_of_mass_of_what_is_seen() -> None:
    """Without aberration and with amplitude contrast alone the picture is the projection itself, point by point."""
    settings = _settings(
        molecule="ferritin",
        shape_pixels=(320, 320),
        particles_per_micrograph=8.0,
        overlap_share=0.0,
        clustered_share=0.0,
        spacing_diameters=2.0,
        defocus_micrometers=(0.0, 0.0),
        spherical_aberration_mm=0.0,
        b_factor_angstrom2=0.0,
        amplitude_contrast=0.999,
    )
    made = simulate_micrograph(settings, 3, "m")
    reach = int(0.8 * made.diameter_pixels)
    checked = 0
    for x, y in made.xy:
        column, row = round(x), round(y)
        if reach <= column < 320 - reach and reach <= row < 320 - reach:
            window = made.signal[row - reach : row + reach + 1, column - reach : column + reach + 1]
            offset = np.arange(-reach, reach + 1)
            found = (
                window.sum(axis=0) @ offset + column * window.sum(),
                window.sum(axis=1) @ offset + row * window.sum(),
            )
            np.testing.assert_allclose(np.array(found) / window.sum(), (x, y), atol=0.05)
            checked += 1
    assert checked >= 2


def test_orientations_are_those_of_what_is_seen() -> None:
    settings = _settings(
        shape_pixels=(256, 256),
        particles_per_micrograph=6.0,
        overlap_share=0.0,
        spacing_diameters=2.0,
        defocus_micrometers=(0.0, 0.0),
        spherical_aberration_mm=0.0,
        b_factor_angstrom2=0.0,
        amplitude_contrast=0.999,
        pixel_size_angstrom=5.0,
    )
    made = simulate_micrograph(settings, 4, "m")
    pictures = project(build_molecule("globule", 5.0), made.orientations).pictures
    half = pictures.shape[1] // 2
    for picture, (x, y) in zip(pictures, np.round(made.xy).astype(int), strict=True):
        if half <= x < 256 - half and half <= y < 256 - half:
            seen = made.signal[y - half : y + half + 1, x - half : x + half + 1]
            assert np.corrcoef(-seen.ravel(), picture.ravel())[0, 1] > 0.95


def test_snr_is_signal_variance_over_the_number_of_electrons() -> None:
    """For counting alone the noise has the variance of the mean count; the signal grows with the square of the dose."""
    weak, strong = (
        simulate_micrograph(
            _settings(
                particles_per_micrograph=60.0,
                dose_electrons_per_angstrom2=dose,
                pixel_size_angstrom=5.0,
                defocus_micrometers=(1.5, 1.5),
            ),
            5,
            "m",
        )
        for dose in (20.0, 80.0)
    )
    y, x = np.mgrid[:512, :512]
    discs = np.zeros((512, 512), bool)
    for centre in weak.xy:
        discs |= np.hypot(x - centre[0], y - centre[1]) <= weak.diameter_pixels / 2.0

    expected = weak.signal[discs].var() / (20.0 * 25.0 * np.exp(-500.0 / 3220.0))

    assert weak.snr == pytest.approx(expected, rel=0.03)
    assert strong.snr == pytest.approx(4.0 * weak.snr, rel=0.03)


def test_counts_less_signal_are_poisson_where_particles_are() -> None:
    settings = _settings(particles_per_micrograph=60.0, dose_electrons_per_angstrom2=20.0, pixel_size_angstrom=5.0)

    made = simulate_micrograph(settings, 6, "m")

    noise = made.micrograph.pixels - made.signal
    expected = 20.0 * 25.0 * np.exp(-500.0 / 3220.0)
    assert noise.mean() == pytest.approx(expected, rel=2e-3)
    assert noise.var() == pytest.approx(expected, rel=0.02)
