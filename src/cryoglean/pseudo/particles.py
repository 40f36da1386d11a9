"""Peaks of a map and discs at them, as tensors: the particle level of pseudo-labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d_with_indices, pad

_SMOOTH_DIAMETERS = 0.1
_DISTANCE_DIAMETERS = 0.6


def find_particles(probability: Tensor, particle_pixels: float, floor: float = 0.02) -> Tensor:
    """The heights of the peaks, 0 everywhere else.

    Args:
        probability: (n, 1, y, x) in [0, 1].
        particle_pixels: diameter in pixels of the map; two peaks are at least 0.6 of it apart (in x or in y). Of
            equal heights that are nearer the first counts: hard masks and saturated maps are flat on top.
        floor: lower peaks are left out.

    Returns:
        (n, 1, y, x).
    """
    smooth = _smooth(probability, _SMOOTH_DIAMETERS * particle_pixels).clamp(0, 1)
    reach = max(int(_DISTANCE_DIAMETERS * particle_pixels), 1)
    _, highest = max_pool2d_with_indices(smooth, [2 * reach + 1] * 2, stride=[1, 1], padding=[reach] * 2)
    own = torch.arange(smooth[0].numel(), device=smooth.device).view_as(smooth[:1])
    return torch.where((highest == own) & (smooth >= floor), smooth, torch.zeros_like(smooth))


def paint_particles(heights: Tensor, radius_pixels: float) -> Tensor:
    """At each pixel the height of the highest peak within the radius, 0 without one.

    Args:
        heights: (n, 1, y, x), 0 where no peak is.
        radius_pixels: of the discs.
    """
    reach = int(radius_pixels)
    padded = pad(heights, (reach, reach, reach, reach))
    rows, columns = heights.shape[-2:]
    out = heights
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down**2 + right**2 <= radius_pixels**2:
                top, left = reach + down, reach + right
                out = torch.maximum(out, padded[..., top : top + rows, left : left + columns])
    return out


def _smooth(maps: Tensor, sigma_pixels: float) -> Tensor:
    reach = max(int(3 * sigma_pixels + 0.5), 1)
    steps = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (steps / max(sigma_pixels, 1e-3)) ** 2)
    kernel = kernel / kernel.sum()
    padded = pad(maps, (reach, reach, reach, reach), mode="replicate")
    return conv2d(conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
