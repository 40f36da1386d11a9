"""From labelled coordinates to target maps."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from cryoglean.prepare.normalize import Prepared
from cryoglean.settings import TargetSettings


def paint_targets(
    prepared: Prepared, xy: NDArray[np.float64], particle_pixels: float, settings: TargetSettings
) -> tuple[Tensor, Tensor]:
    """Paint a disc (or a Gaussian) for each particle, and say which pixels count.

    Args:
        prepared: the picture.
        xy: (n, 2) rescaled pixels.
        particle_pixels: diameter in rescaled pixels.
        settings: core, ring and shape.

    Returns:
        y and w, both (y, x) float32 in [0, 1]. Pixels that are not valid have w = 0.
    """
    shape = (prepared.image.shape[0], prepared.image.shape[1])
    y, w = paint_discs(xy, shape, particle_pixels, settings)
    return torch.from_numpy(y), torch.from_numpy(w * prepared.valid.numpy())


def paint_discs(
    xy: NDArray[np.float64], shape: tuple[int, int], particle_pixels: float, settings: TargetSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Y and w of a picture of (y, x) pixels that is valid everywhere; see `paint_targets`."""
    nearest = _distance_to_nearest(xy, shape) / particle_pixels
    if settings.shape == "gaussian":
        y = np.exp(-0.5 * (nearest * 2.4 / settings.core_diameters) ** 2)
        return y.astype(np.float32), np.ones(shape, dtype=np.float32)
    is_core = nearest <= settings.core_diameters
    return is_core.astype(np.float32), (is_core | (nearest > settings.ring_diameters)).astype(np.float32)


def mask_border(w: Tensor, border_pixels: int) -> Tensor:
    """The same weights, 0 within `border_pixels` of the edge.

    Args:
        w: (y, x) float32.
        border_pixels: rescaled pixels, at least 0.
    """
    out = torch.zeros_like(w)
    inner = (slice(border_pixels, w.shape[0] - border_pixels), slice(border_pixels, w.shape[1] - border_pixels))
    out[inner] = w[inner]
    return out


def _distance_to_nearest(xy: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """(y, x) distance in pixels from each pixel to the nearest particle; infinite when there is none."""
    if len(xy) == 0:
        return np.full(shape, np.inf)
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).reshape(-1, 2)
    distances, _ = cKDTree(xy).query(grid, workers=1)
    return np.asarray(distances).reshape(shape)
