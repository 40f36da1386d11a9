"""Where a micrograph can be trusted: finite, not constant, not at the very edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def find_valid(pixels: NDArray[np.float32], block_pixels: int) -> NDArray[np.bool_]:
    """True where the camera saw something: finite, and not inside a block of one constant value.

    Args:
        pixels: (y, x) float32.
        block_pixels: side of the blocks that are tested for being constant, at least 2.

    Returns:
        (y, x) bool.
    """
    valid = np.isfinite(pixels)
    block = max(int(block_pixels), 2)
    rows, columns = (length // block * block for length in pixels.shape)
    if rows == 0 or columns == 0:
        return valid & bool(np.ptp(pixels[valid]) > 0) if valid.any() else valid
    # rows first: reductions along contiguous rows are several times faster than along both axes at once
    inner = pixels[:rows, :columns].reshape(rows // block, block, columns)
    highest, lowest = inner.max(axis=1), inner.min(axis=1)
    highest = highest.reshape(-1, columns // block, block).max(axis=2)
    lowest = lowest.reshape(-1, columns // block, block).min(axis=2)
    constant = highest == lowest
    if constant.any():
        mask = np.repeat(np.repeat(constant, block, axis=0), block, axis=1)
        mask = np.pad(mask, ((0, pixels.shape[0] - rows), (0, pixels.shape[1] - columns)), mode="edge")
        valid &= ~mask
    return valid


def fill_invalid(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The picture with the median of its valid pixels where it is not valid; 0 if none is."""
    if valid.all():
        return pixels
    filling = float(np.median(pixels[valid])) if valid.any() else 0.0
    return np.where(valid, pixels, np.float32(filling)).astype(np.float32, copy=False)


def shrink_valid(valid: NDArray[np.bool_], shape: tuple[int, int], scale_xy: tuple[float, float]) -> NDArray[np.bool_]:
    """The valid mask at another scale, by the nearest original pixel.

    Args:
        valid: (y, x) bool, original.
        shape: (y, x) of the rescaled picture.
        scale_xy: rescaled pixels per original pixel, along x and y.
    """
    if valid.all():
        return np.ones(shape, dtype=np.bool_)
    rows = np.minimum(np.round(np.arange(shape[0]) / scale_xy[1]).astype(int), valid.shape[0] - 1)
    columns = np.minimum(np.round(np.arange(shape[1]) / scale_xy[0]).astype(int), valid.shape[1] - 1)
    return valid[np.ix_(rows, columns)]
