"""The ice: how thick it is, what it swallows, and how grainy it looks."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryoglean.simulate.optics import interaction_per_volt_angstrom

ATTENUATION_ANGSTROM = 3220.0
"""Thickness of ice that leaves 1/e of the electrons at 300 kV behind an objective aperture (Rice et al. 2018,
doi:10.1016/j.jsb.2018.06.007)."""
ICE_VOLTS = 4.6
"""Mean inner potential of vitreous ice; see `volume.PROTEIN_OVER_ICE_VOLTS`."""
_MOLECULES_PER_ANGSTROM3 = 0.0314
_VOLTS_ANGSTROM3_PER_MOLECULE = ICE_VOLTS / _MOLECULES_PER_ANGSTROM3
_STRUCTURE_FACTOR = 0.062
"""Of water at low frequency: number density · kT · compressibility = 3.34e28 · 4.12e-21 · 4.5e-10."""
_DIFFUSION_ANGSTROM2_PER_DOSE = 1.0 / 6.0


def ice_thickness(
    rng: np.random.Generator, shape: tuple[int, int], mean_angstrom: float, gradient: float
) -> NDArray[np.float32]:
    """A wedge in a random direction with gentle waves on it.

    Args:
        rng: random numbers.
        shape: (y, x).
        mean_angstrom: mean thickness.
        gradient: largest relative change from the middle to an edge, in [0, 1).

    Returns:
        (y, x) angstrom, above 0.
    """
    angle, wedge, waves = rng.uniform((0.0, 0.0, 0.0), (2.0 * np.pi, gradient, gradient / 2.0))
    y, x = (np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in shape)
    slope = (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]) / np.sqrt(2.0)
    bumps = smooth_noise(rng, shape, correlation_pixels=max(shape) / 8.0)
    relative = 1.0 + wedge * slope + waves * np.tanh(bumps / 2.0)
    return np.asarray(mean_angstrom * np.maximum(relative, 0.05), dtype=np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], correlation_pixels: float) -> NDArray[np.float32]:
    """Normal noise with a Gaussian spectrum, mean 0 and standard deviation 1, joined at the edges, (y, x)."""
    white = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    fall_y, fall_x = (
        np.exp(-((np.pi * correlation_pixels * f) ** 2)) for f in (np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]))
    )
    white[0, 0] = 0.0
    noise = scipy.fft.irfft2(white * (fall_y[:, None] * fall_x[None, :]).astype(np.float32), s=shape)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def solvent_phase(
    rng: np.random.Generator,
    thickness_angstrom: NDArray[np.float32],
    pixel_size_angstrom: float,
    voltage_kv: float,
    dose_electrons_per_angstrom2: float,
) -> NDArray[np.float32]:
    """The granularity of the ice: water molecules at random places, as a liquid packs them, moved by the beam.

    Without motion the number of molecules behind a pixel of area a varies by sqrt(n t a S), with the number density n,
    the thickness t and the structure factor S of water at low frequency. The beam makes the molecules diffuse, by 1 Å
    (root mean square) for each electron per square angstrom, which blurs the Thon rings of the ice (McMullan et al.
    2015, doi:10.1016/j.ultramic.2015.05.017); see `motion_decay`.

    Args:
        rng: random numbers.
        thickness_angstrom: (y, x).
        pixel_size_angstrom: side of a pixel.
        voltage_kv: acceleration voltage.
        dose_electrons_per_angstrom2: over which the motion is summed up.

    Returns:
        (y, x) radians, mean 0.
    """
    shape = thickness_angstrom.shape
    per_molecule = interaction_per_volt_angstrom(voltage_kv) * _VOLTS_ANGSTROM3_PER_MOLECULE
    deviation = per_molecule * np.sqrt(_MOLECULES_PER_ANGSTROM3 * _STRUCTURE_FACTOR * thickness_angstrom)
    rows, columns = np.fft.fftfreq(shape[0], pixel_size_angstrom), np.fft.rfftfreq(shape[1], pixel_size_angstrom)
    decay = motion_decay(rows[:, None] ** 2 + columns[None, :] ** 2, dose_electrons_per_angstrom2)
    white = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    noise = scipy.fft.irfft2(white * np.sqrt(decay).astype(np.float32), s=shape)
    return np.asarray(noise * deviation / pixel_size_angstrom, dtype=np.float32)


def motion_decay(squared_frequency: NDArray[np.float64], dose_electrons_per_angstrom2: float) -> NDArray[np.float64]:
    """What motion leaves of the power of the ice's granularity.

    Density waves of frequency k forget themselves as exp(-(2 π k)² D N) after a dose N; their mean over the dose then
    has the power 2 (a - 1 + exp(-a)) / a² with a = (2 π k)² D N, and D is a sixth of the squared motion per dose.

    Args:
        squared_frequency: k², 1/Å².
        dose_electrons_per_angstrom2: N.

    Returns:
        The same shape, in (0, 1]; 1 at frequency 0.
    """
    a = (2.0 * np.pi) ** 2 * squared_frequency * _DIFFUSION_ANGSTROM2_PER_DOSE * dose_electrons_per_angstrom2
    large = np.maximum(a, 1e-3)
    return np.where(a < 1e-3, 1.0 - a / 3.0, 2.0 * (large - 1.0 + np.exp(-large)) / large**2)


def transmission(thickness_angstrom: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the electrons that get through the ice, (y, x), in (0, 1]."""
    return np.asarray(np.exp(-thickness_angstrom / ATTENUATION_ANGSTROM), dtype=np.float32)
