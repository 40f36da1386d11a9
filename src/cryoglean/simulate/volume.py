"""The volume: the electric potential of a molecule over that of the ice around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

PROTEIN_OVER_ICE_VOLTS = 3.5
"""Mean inner potential of protein (8.0 V at 1.35 g/cm³) less that of vitreous ice (4.6 V at 0.94 g/cm³), both as sums
of the scattering factors of free atoms at rest (Peng 1996, doi:10.1107/S0108767395014371)."""


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A molecule in a cube with an odd side; its centre of mass is the middle of the cube.

    Args:
        density: (z, y, x) float32, volts over the ice; the side d is odd and voxel (d // 2, d // 2, d // 2) is the
            centre of mass.
        voxel_size_angstrom: side of a voxel.
        diameter_angstrom: of the smallest ball around the centre of mass that holds 99 % of the density.
    """

    density: NDArray[np.float32]
    voxel_size_angstrom: float
    diameter_angstrom: float


def volume_of_points(
    points_angstrom: NDArray[np.float64],
    integrals: NDArray[np.float64],
    sigma_angstrom: float,
    voxel_size_angstrom: float,
) -> Volume:
    """The sum of equal Gaussian balls.

    Args:
        points_angstrom: (n, 3) x, y, z of their centres; any origin.
        integrals: (n,) volts times cubic angstrom of each ball; the sum is above 0.
        sigma_angstrom: of the balls, above 0; made larger where the voxels could not carry it.
        voxel_size_angstrom: side of a voxel.

    Returns:
        The volume; its sum times the voxel's volume is the sum of `integrals`.
    """
    centred = points_angstrom - np.average(points_angstrom, axis=0, weights=integrals)
    sigma_voxels = max(sigma_angstrom / voxel_size_angstrom, 0.7)
    reach = float(np.linalg.norm(centred, axis=1).max()) / voxel_size_angstrom + 4.0 * sigma_voxels
    side = odd_side(2.0 * reach)
    grid = _splat(centred / voxel_size_angstrom + side // 2, integrals / voxel_size_angstrom**3, side)
    density = _blur(grid, sigma_voxels)
    return Volume(density, voxel_size_angstrom, diameter_of(density, voxel_size_angstrom))


def diameter_of(density: NDArray[np.float32], voxel_size_angstrom: float) -> float:
    """Twice the radius, about the middle of the cube, within which 99 % of the positive density lies, in angstrom."""
    axes = [np.arange(n, dtype=np.float32) - n // 2 for n in density.shape]
    squared = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    order = np.argsort(squared, axis=None)
    inside = np.cumsum(np.maximum(density, 0.0).ravel()[order], dtype=np.float64)
    radius = np.sqrt(squared.ravel()[order][np.searchsorted(inside, 0.99 * inside[-1])])
    return float(2.0 * radius * voxel_size_angstrom)


def centre_of_mass(density: NDArray[np.float32]) -> NDArray[np.float64]:
    """(z, y, x) in voxels, of the positive part."""
    weights = np.maximum(density, 0.0).astype(np.float64)
    sums = [weights.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    return np.array([float(np.arange(len(line)) @ line / line.sum()) for line in sums])


def odd_side(least: float) -> int:
    """The least odd number of voxels that is at least `least` and quick to transform."""
    side = int(np.ceil(least)) | 1
    while scipy.fft.next_fast_len(side) != side:
        side += 2
    return side


def _splat(places: NDArray[np.float64], values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Share each value among the 8 voxels around it; sums and centres of mass are kept exactly."""
    low = np.floor(places).astype(np.intp)
    part = places - low
    grid = np.zeros(side**3)
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, part, 1.0 - part), axis=1)
        x, y, z = (low + corner).T
        grid += np.bincount((z * side + y) * side + x, weights=values * share, minlength=side**3)
    return grid.reshape(side, side, side)


def _blur(grid: NDArray[np.float64], sigma_voxels: float) -> NDArray[np.float32]:
    """Convolve with a Gaussian in Fourier space, where it has no cut-off."""
    side = grid.shape[0]
    full = np.exp(-2.0 * (np.pi * sigma_voxels * np.fft.fftfreq(side)) ** 2)
    half = full[: side // 2 + 1]
    transform = scipy.fft.rfftn(grid) * full[:, None, None] * full[None, :, None] * half[None, None, :]
    return np.asarray(scipy.fft.irfftn(transform, s=grid.shape), dtype=np.float32)
