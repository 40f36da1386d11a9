"""From a probability map to picks: smoothed peaks, a least distance apart, found to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from cryoglean.settings import PickSettings


def find_peaks(
    probability: NDArray[np.float32], particle_pixels: float, settings: PickSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The peaks of a map, highest first; of two too near to each other the lower one is left out.

    Args:
        probability: (y, x) in [0, 1].
        particle_pixels: diameter in pixels of the map.
        settings: smoothing, least distance and lowest score.

    Returns:
        xy: (n, 2) pixels of the map, to a fraction of a pixel.
        score: (n,) in [0, 1], the smoothed probability at the peak, falling.
    """
    smooth = np.asarray(probability, dtype=np.float32)
    if settings.smooth_diameters > 0:
        smooth = gaussian_filter(smooth, settings.smooth_diameters * particle_pixels, mode="nearest")
    is_peak = (maximum_filter(smooth, size=3, mode="nearest") == smooth) & (smooth >= settings.floor) & (smooth > 0)
    rows, columns = np.nonzero(is_peak)
    score = smooth[rows, columns].astype(np.float64)
    order = np.lexsort((columns, rows, -score))
    xy = np.stack([columns, rows], axis=1).astype(np.float64)[order]
    kept = _suppress(xy, settings.distance_diameters * particle_pixels)
    return _refine(smooth, xy[kept]), score[order][kept]


def _suppress(xy: NDArray[np.float64], distance_pixels: float) -> NDArray[np.bool_]:
    """Keep a point unless a kept one before it is nearer than the distance."""
    kept = np.ones(len(xy), dtype=np.bool_)
    if len(xy) == 0:
        return kept
    pairs = cKDTree(xy).query_pairs(distance_pixels * (1 - 1e-9), output_type="ndarray")
    neighbours: dict[int, list[int]] = {}
    for first, second in np.sort(pairs, axis=1).tolist():
        neighbours.setdefault(first, []).append(second)
    for first in sorted(neighbours):
        if kept[first]:
            kept[neighbours[first]] = False
    return kept


def _refine(smooth: NDArray[np.float32], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move each peak to the top of the parabola through it and its two neighbours, along x and along y."""
    columns, rows = xy[:, 0].astype(int), xy[:, 1].astype(int)
    refined = xy.copy()
    for axis, (down, right) in enumerate([(0, 1), (1, 0)]):
        before = smooth[np.maximum(rows - down, 0), np.maximum(columns - right, 0)]
        after = smooth[np.minimum(rows + down, smooth.shape[0] - 1), np.minimum(columns + right, smooth.shape[1] - 1)]
        bend = before + after - 2 * smooth[rows, columns]
        shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0.0)
        place, last = (columns, smooth.shape[1] - 1) if axis == 0 else (rows, smooth.shape[0] - 1)
        refined[:, axis] += np.where((place > 0) & (place < last), np.clip(shift, -0.5, 0.5), 0.0)
    return refined
