"""Cut patches from a prepared micrograph: around particles, and anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.prepare.normalize import Prepared


@dataclass(frozen=True, slots=True, eq=False)
class CutPatches:
    """Squares of one micrograph.

    Args:
        pixels: (n, side, side) float32, a copy; the centre is the pixel (side // 2, side // 2).
        xy: (n, 2) the rescaled pixels that they are centred on, whole numbers.
        left_out: how many places are too near to the edge for a whole square.
    """

    pixels: NDArray[np.float32]
    xy: NDArray[np.float64]
    left_out: int


def cut_patches(prepared: Prepared, xy: NDArray[np.float64], side_pixels: int) -> CutPatches:
    """Squares around places, each place moved to the nearest pixel.

    Args:
        prepared: the picture.
        xy: (n, 2) rescaled pixels (x, y), finite.
        side_pixels: rows and columns of a square, at least 1.

    Returns:
        The squares that lie whole on the picture, in the order of their places.
    """
    image = prepared.image.numpy()
    centres = np.rint(np.asarray(xy, dtype=np.float64).reshape(-1, 2))
    first = centres - side_pixels // 2
    is_whole = ((first >= 0) & (first + side_pixels <= [image.shape[1], image.shape[0]])).all(axis=1)
    columns, rows = first[is_whole].astype(np.intp).T
    if not is_whole.any():
        pixels = np.empty((0, side_pixels, side_pixels), dtype=np.float32)
    else:
        windows = np.lib.stride_tricks.sliding_window_view(image, (side_pixels, side_pixels))
        pixels = np.asarray(windows[rows, columns], dtype=np.float32)
    return CutPatches(pixels, centres[is_whole], int((~is_whole).sum()))


def draw_centres(
    prepared: Prepared, count: int, side_pixels: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Different places, each as likely: pixels where something was seen, around which a whole square lies.

    Args:
        prepared: the picture.
        count: how many; fewer are given where there are not as many.
        side_pixels: see `cut_patches`.
        generator: decides everything.

    Returns:
        (n, 2) rescaled pixels (x, y), whole numbers.
    """
    valid = prepared.valid.numpy()
    before, after = side_pixels // 2, (side_pixels - 1) // 2
    inner = valid[before : max(valid.shape[0] - after, before), before : max(valid.shape[1] - after, before)]
    places = np.flatnonzero(inner)
    chosen = generator.choice(places, min(count, len(places)), replace=False) if len(places) else places
    rows, columns = np.divmod(chosen, max(inner.shape[1], 1))
    return np.stack([columns, rows], axis=1).astype(np.float64) + before
