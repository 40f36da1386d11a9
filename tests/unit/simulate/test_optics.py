"""Wave optics: constants, signs, limits."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.simulate.optics import (
    Focus,
    draw_focus,
    exit_wave,
    intensity,
    interaction_per_volt_angstrom,
    wave_transfer,
    wavelength_angstrom,
)
from cryoglean.simulate.settings import SimulationSettings

_FOCUS = Focus(1.5, 0.0, 0.0)


@pytest.mark.parametrize(("voltage", "expected"), [(100.0, 0.0370), (200.0, 0.0251), (300.0, 0.0197)])
def test_the_wavelength_is_that_of_the_tables(voltage: float, expected: float) -> None:
    """Kirkland 2010, table 2.2."""
    assert wavelength_angstrom(voltage) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("voltage", "expected"), [(100.0, 0.9244e-3), (200.0, 0.7288e-3), (300.0, 0.6526e-3)])
def test_the_interaction_constant_is_that_of_the_tables(voltage: float, expected: float) -> None:
    """Kirkland 2010, figure 5.1: 0.924, 0.729 and 0.653 mrad per volt and angstrom."""
    assert interaction_per_volt_angstrom(voltage) == pytest.approx(expected, rel=2e-3)


def test_nothing_in_the_beam_leaves_the_beam_as_it_was() -> None:
    empty = np.zeros((64, 96), np.float32)

    seen = intensity(exit_wave(empty, 0.0, 0.1), wave_transfer(SimulationSettings(), _FOCUS, empty.shape))

    np.testing.assert_allclose(seen, 1.0, atol=1e-5)


def test_more_potential_is_darker_when_underfocused_and_lighter_when_overfocused() -> None:
    y, x = np.mgrid[:128, :128] - 64
    blob = (0.05 * np.exp(-(x**2 + y**2) / 50.0)).astype(np.float32)
    settings = SimulationSettings(amplitude_contrast=0.0)

    def middle(defocus: float) -> float:
        transfer = wave_transfer(settings, Focus(defocus, 0.0, 0.0), blob.shape)
        return float(intensity(exit_wave(blob, 0.0, 0.0), transfer)[64, 64])

    assert middle(1.5) < 0.999
    assert middle(-1.5) > 1.001


def test_absorption_takes_its_share() -> None:
    flat = np.zeros((64, 64), np.float32)

    seen = intensity(
        exit_wave(flat, np.full_like(flat, 0.25), 0.07), wave_transfer(SimulationSettings(), _FOCUS, flat.shape)
    )

    np.testing.assert_allclose(seen, np.exp(-0.5), rtol=1e-4)


def test_a_lens_without_decay_loses_no_electron() -> None:
    phase = np.random.default_rng(0).normal(0.0, 0.3, (64, 64)).astype(np.float32)
    settings = SimulationSettings(b_factor_angstrom2=0.0)

    seen = intensity(exit_wave(phase, 0.0, 0.0), wave_transfer(settings, _FOCUS, phase.shape))

    assert seen.mean() == pytest.approx(1.0, abs=1e-4)


def test_the_decay_is_that_of_the_b_factor() -> None:
    settings = SimulationSettings(b_factor_angstrom2=120.0, pixel_size_angstrom=3.0)

    size = np.abs(wave_transfer(settings, _FOCUS, (60, 60)))

    assert size[0, 20] == pytest.approx(np.exp(-120.0 / 4.0 * (20 / 180.0) ** 2), rel=1e-4)


def test_the_focus_stays_in_its_ranges() -> None:
    settings = SimulationSettings(defocus_micrometers=(0.7, 0.9), astigmatism_micrometers=0.05)
    rng = np.random.default_rng(0)

    drawn = [draw_focus(rng, settings) for _ in range(200)]

    assert min(f.defocus_micrometers for f in drawn) == pytest.approx(0.7, abs=0.01)
    assert max(f.defocus_micrometers for f in drawn) == pytest.approx(0.9, abs=0.01)
    assert max(f.astigmatism_micrometers for f in drawn) <= 0.05
