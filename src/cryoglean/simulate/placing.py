"""Where the particles lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import SettingsError
from cryoglean.simulate.settings import SimulationSettings

_TRIES = 300
_OVERLAP_DIAMETERS = (0.45, 0.85)
_CLUSTER_DIAMETERS = 2.0
_FILLING = 0.40
"""Discs thrown one after the other onto a plane jam at 0.547 (Feder 1980, doi:10.1016/0022-5193(80)90358-6)."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where particles lie on a canvas.

    Args:
        xy: (n, 2) float64 pixels; (0, 0) is the centre of the first pixel, x right, y down.
        host: (n,) the particle that this one lies upon, -1 for none.
    """

    xy: NDArray[np.float64]
    host: NDArray[np.intp]


def check_room(settings: SimulationSettings, diameter_angstrom: float) -> None:
    """Refuse settings that ask for more particles than fit.

    Raises:
        SettingsError: with the largest mean number that fits.
    """
    spacing = settings.spacing_diameters * diameter_angstrom / settings.pixel_size_angstrom
    area = float(np.prod(settings.shape_pixels))
    most = _FILLING * area / (np.pi / 4.0 * spacing**2)
    if settings.particles_per_micrograph > most:
        raise SettingsError(
            f"{settings.particles_per_micrograph:g} particles of {diameter_angstrom:.0f} Å do not fit side by side",
            where="particles_per_micrograph",
            fix=f"Take at most {int(most)}, a smaller spacing_diameters, or a larger shape_pixels.",
        )


def place_particles(
    rng: np.random.Generator, free: NDArray[np.bool_], diameter_pixels: float, count: int, settings: SimulationSettings
) -> Places:
    """Throw particles onto the free part of a canvas one after the other; those that find no room are left out.

    Args:
        rng: random numbers.
        free: (y, x), where a centre may lie.
        diameter_pixels: of a particle.
        count: how many to throw.
        settings: spacing, and the shares that overlap and cluster.

    Returns:
        At most `count` places. Two particles are at least the spacing apart, but for one and its host, which are
        0.45 to 0.85 diameters apart.
    """
    xy = np.empty((count, 2))
    host = np.full(count, -1, dtype=np.intp)
    spacing = settings.spacing_diameters * diameter_pixels
    placed = 0
    for kind in rng.random(count):
        overlaps = placed > 0 and kind < settings.overlap_share
        clusters = placed > 0 and not overlaps and kind < settings.overlap_share + settings.clustered_share
        for _ in range(_TRIES):
            near = int(rng.integers(placed)) if overlaps or clusters else -1
            ring = _ring(spacing, diameter_pixels, is_overlap=overlaps)
            point = _propose(rng, free.shape, xy[near] if near >= 0 else None, ring)
            distance = np.hypot(*(xy[:placed] - point).T)
            if overlaps:
                distance[near] = np.inf
            if _is_free(free, point) and not (distance < spacing).any():
                xy[placed] = point
                host[placed] = near if overlaps else -1
                placed += 1
                break
    return Places(xy[:placed].copy(), host[:placed].copy())


def _ring(spacing: float, diameter: float, *, is_overlap: bool) -> tuple[float, float]:
    if is_overlap:
        return (_OVERLAP_DIAMETERS[0] * diameter, _OVERLAP_DIAMETERS[1] * diameter)
    return (spacing, max(_CLUSTER_DIAMETERS * diameter, 1.3 * spacing))


def _propose(
    rng: np.random.Generator, shape: tuple[int, ...], centre: NDArray[np.float64] | None, ring: tuple[float, float]
) -> NDArray[np.float64]:
    """A point anywhere, or in the ring about a centre."""
    first, second = rng.random(2)
    if centre is None:
        return np.array([first * shape[1] - 0.5, second * shape[0] - 0.5])
    radius, angle = ring[0] + (ring[1] - ring[0]) * first, 2.0 * np.pi * second
    return np.asarray(centre + radius * np.array([np.cos(angle), np.sin(angle)]))


def _is_free(free: NDArray[np.bool_], point: NDArray[np.float64]) -> bool:
    column, row = np.round(point).astype(int)
    return bool(0 <= row < free.shape[0] and 0 <= column < free.shape[1] and free[row, column])
