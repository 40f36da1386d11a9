"""What lies on a micrograph besides particles: clumps, fragments, ice crystals, carbon, gold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cryoglean.simulate.ice import ATTENUATION_ANGSTROM, ICE_VOLTS
from cryoglean.simulate.optics import interaction_per_volt_angstrom
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulate.volume import PROTEIN_OVER_ICE_VOLTS

_CARBON_ANGSTROM = 180.0
_CARBON_VOLTS = 9.0
_CARBON_ATTENUATION_ANGSTROM = 2000.0
_CARBON_GRAIN_RADIANS_ANGSTROM = 0.15
"""Standard deviation of the phase of the film times the pixel size: some 18 atoms of 120 V Å³ in a square angstrom,
half as irregular as a gas."""
_GOLD_VOLTS = 25.0
_GOLD_ATTENUATION_ANGSTROM = 130.0


@dataclass(frozen=True, slots=True, eq=False)
class Junk:
    """Everything on a canvas that is no particle.

    Args:
        phase: (y, x) radians.
        absorption: (y, x), at least 0; exp(-2 absorption) of the electrons get through.
        covered: (y, x), where it lies.
    """

    phase: NDArray[np.float32]
    absorption: NDArray[np.float32]
    covered: NDArray[np.bool_]

    def free(self, margin_pixels: float) -> NDArray[np.bool_]:
        """(y, x), where a particle's centre is at least `margin_pixels` away from all junk."""
        if not self.covered.any():
            return ~self.covered
        return np.asarray(distance_transform_edt(~self.covered) >= margin_pixels, dtype=np.bool_)


def scatter_junk(
    rng: np.random.Generator, shape: tuple[int, int], diameter_angstrom: float, settings: SimulationSettings
) -> Junk:
    """Scatter all kinds of junk over a canvas, as many as the settings say.

    Args:
        rng: random numbers.
        shape: (y, x) of the canvas.
        diameter_angstrom: of the particles; clumps and fragments are measured by it.
        settings: the mean numbers, the pixel size, the voltage.
    """
    junk = Junk(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.bool_))
    for _ in range(rng.poisson(settings.aggregates)):
        _add_protein(rng, junk, settings, diameter_angstrom * rng.uniform(0.8, 2.2), int(rng.integers(60, 160)))
    for _ in range(rng.poisson(settings.fragments)):
        _add_protein(rng, junk, settings, diameter_angstrom * rng.uniform(0.2, 0.6), int(rng.integers(3, 10)))
    for _ in range(rng.poisson(settings.ice_crystals)):
        _add_crystal(rng, junk, settings)
    for _ in range(rng.poisson(settings.gold_beads)):
        _add_gold(rng, junk, settings)
    if rng.random() < settings.carbon_edge:
        _add_carbon(rng, junk, settings)
    return junk


def _add_protein(
    rng: np.random.Generator, junk: Junk, settings: SimulationSettings, size_angstrom: float, lumps: int
) -> None:
    """A clump of unfolded protein: lumps along a random walk, about `size_angstrom` across."""
    shape = junk.phase.shape
    steps = rng.standard_normal((lumps, 2)).cumsum(axis=0)
    spread = max(float(np.abs(steps - steps.mean(axis=0)).max()), 1e-3)
    places = (steps - steps.mean(axis=0)) / spread * size_angstrom / 2.0 / settings.pixel_size_angstrom
    sigma = max(float(rng.uniform(9.0, 15.0)) / settings.pixel_size_angstrom, 0.7)
    half = int(np.ceil(np.abs(places).max() + 4.0 * sigma)) + 1
    patch = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    columns, rows = np.round(places).astype(int).T + half
    np.add.at(patch, (rows, columns), rng.uniform(0.3, 1.0, lumps).astype(np.float32))
    patch = gaussian_filter(patch, sigma, truncate=4.0, mode="constant")
    thickness = patch / patch.max() * min(size_angstrom, 250.0) * rng.uniform(0.6, 1.0)
    strength = PROTEIN_OVER_ICE_VOLTS * interaction_per_volt_angstrom(settings.voltage_kv)
    centre = rng.integers(0, shape)
    _add_patch(junk.phase, thickness * strength, centre)
    _add_patch(junk.covered, thickness > 0.15 * thickness.max(), centre)


def _add_crystal(rng: np.random.Generator, junk: Junk, settings: SimulationSettings) -> None:
    """A roundish polygon of ice with bevelled edges."""
    radius = float(rng.uniform(80.0, 260.0)) / settings.pixel_size_angstrom
    half = int(np.ceil(1.5 * radius)) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    sides = int(rng.integers(5, 8))
    angles = (np.arange(sides) + rng.uniform(-0.25, 0.25, sides)) * 2.0 * np.pi / sides + rng.uniform(0.0, 6.3)
    reach = radius * rng.uniform(0.75, 1.1, sides)
    inside = np.min([r - x * np.cos(a) - y * np.sin(a) for a, r in zip(angles, reach, strict=True)], axis=0)
    depth = float(rng.uniform(100.0, 350.0))
    thickness = depth * np.clip(inside / (0.35 * radius), 0.0, 1.0).astype(np.float32)
    centre = rng.integers(0, junk.phase.shape)
    phase = gaussian_filter(thickness, 1.0) * ICE_VOLTS * interaction_per_volt_angstrom(settings.voltage_kv)
    _add_patch(junk.phase, phase, centre)
    _add_patch(junk.absorption, thickness / (2.0 * ATTENUATION_ANGSTROM), centre)
    _add_patch(junk.covered, inside > 0.0, centre)


def _add_gold(rng: np.random.Generator, junk: Junk, settings: SimulationSettings) -> None:
    """A ball of gold, nearly black."""
    radius = float(rng.uniform(40.0, 75.0))
    half = int(np.ceil(radius / settings.pixel_size_angstrom)) + 3
    line = np.arange(-half, half + 1, dtype=np.float32) * settings.pixel_size_angstrom
    squared = line[:, None] ** 2 + line[None, :] ** 2
    thickness = gaussian_filter(2.0 * np.sqrt(np.maximum(radius**2 - squared, 0.0)), 0.7)
    centre = rng.integers(0, junk.phase.shape)
    _add_patch(junk.phase, thickness * _GOLD_VOLTS * interaction_per_volt_angstrom(settings.voltage_kv), centre)
    _add_patch(junk.absorption, thickness / (2.0 * _GOLD_ATTENUATION_ANGSTROM), centre)
    _add_patch(junk.covered, squared <= (radius + settings.pixel_size_angstrom) ** 2, centre)


def _add_carbon(rng: np.random.Generator, junk: Junk, settings: SimulationSettings) -> None:
    """The film around a round hole of 0.6 to 1.2 µm; its edge reaches 5 to 35 % into the canvas."""
    height, width = junk.phase.shape
    radius = float(rng.uniform(3000.0, 6000.0)) / settings.pixel_size_angstrom
    angle, reach = rng.uniform((0.0, 0.05), (2.0 * np.pi, 0.35))
    away = radius - (0.5 - reach) * min(height, width)
    y = np.arange(height, dtype=np.float32)[:, None] - (height / 2.0 + away * np.sin(angle))
    x = np.arange(width, dtype=np.float32)[None, :] - (width / 2.0 + away * np.cos(angle))
    beyond = (np.hypot(y, x) - radius) * settings.pixel_size_angstrom
    film = np.clip(beyond / 30.0 + 0.5, 0.0, 1.0).astype(np.float32)
    grain = rng.standard_normal(film.shape, dtype=np.float32) * _CARBON_GRAIN_RADIANS_ANGSTROM
    step = _CARBON_ANGSTROM * _CARBON_VOLTS * interaction_per_volt_angstrom(settings.voltage_kv)
    junk.phase[...] += film * (np.float32(step) + grain / np.float32(settings.pixel_size_angstrom))
    junk.absorption[...] += film * np.float32(_CARBON_ANGSTROM / (2.0 * _CARBON_ATTENUATION_ANGSTROM))
    junk.covered[...] |= film > 0.0


def _add_patch(
    canvas: NDArray[np.float32] | NDArray[np.bool_], patch: NDArray[np.generic], centre: NDArray[np.int_]
) -> None:
    """Add (or, for flags, join) a patch with an odd side to a canvas; what hangs over the edges is cut off."""
    top, left = centre - np.array(patch.shape) // 2
    rows = slice(max(top, 0), min(top + patch.shape[0], canvas.shape[0]))
    columns = slice(max(left, 0), min(left + patch.shape[1], canvas.shape[1]))
    part = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if canvas.dtype == np.bool_:
        canvas[rows, columns] |= part.astype(np.bool_)
    else:
        canvas[rows, columns] += part.astype(np.float32)
