"""Boxes and discs: overlap of squares around picks, and pixels of drawn discs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_overlap(
    picks_xy: NDArray[np.float64], truth_xy: NDArray[np.float64], side_pixels: float
) -> NDArray[np.float64]:
    """Intersection over union of equal squares around picks and particles, pair by pair.

    Args:
        picks_xy: (k, 2) centres, pixels.
        truth_xy: (k, 2) centres, pixels.
        side_pixels: side of all squares, above 0.

    Returns:
        (k,) in [0, 1].
    """
    shared = np.clip(side_pixels - np.abs(picks_xy - truth_xy), 0, None).prod(axis=-1)
    return np.asarray(shared / (2 * side_pixels**2 - shared), dtype=np.float64)


def draw_discs(xy: NDArray[np.float64], shape: tuple[int, int], radius_pixels: float) -> NDArray[np.bool_]:
    """A mask (y, x) of the pixels whose centre is within `radius_pixels` of any point.

    Args:
        xy: (n, 2) centres, pixels.
        shape: (y, x) of the mask.
        radius_pixels: above 0.
    """
    mask = np.zeros(shape, dtype=np.bool_)
    for x, y in xy.tolist():
        top, bottom = _span(y, radius_pixels, shape[0])
        left, right = _span(x, radius_pixels, shape[1])
        rows, columns = np.arange(top, bottom), np.arange(left, right)
        near = (rows[:, None] - y) ** 2 + (columns[None, :] - x) ** 2 <= radius_pixels**2
        mask[top:bottom, left:right] |= near
    return mask


def _span(centre: float, radius: float, size: int) -> tuple[int, int]:
    low = min(max(int(np.ceil(centre - radius)), 0), size)
    return low, max(min(int(np.floor(centre + radius)) + 1, size), low)
