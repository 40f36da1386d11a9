"""A blob filter's answers as targets: the Laplacian of a Gaussian of the particle's size, no label needed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_laplace, grey_closing, maximum_filter

from cryoglean.prepare.targets import paint_discs
from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.settings import TargetSettings


def find_blobs(
    micrograph: LearnedMicrograph, particle_pixels: float, density: float, settings: TargetSettings
) -> LearnedMicrograph:
    """The micrograph with discs at its strongest blobs (Lindeberg 1998, doi:10.1023/A:1008045108935).

    Args:
        micrograph: particles bright. Of its labels nothing is used; where it must not be learned from (nothing to be
            seen, the edge, quadrants kept for validation: w = 0 outside all rings) no blob is sought and w stays 0.
        particle_pixels: diameter in rescaled pixels; the filter's sigma is that over 2 sqrt(2).
        density: blobs on a pixel.
        settings: of the discs.
    """
    image = micrograph.image.numpy()
    answer = -gaussian_laplace(image, particle_pixels / (2 * math.sqrt(2)), mode="nearest")
    visible = _fill_rings(micrograph, particle_pixels, settings)
    is_peak = (maximum_filter(answer, size=max(int(0.6 * particle_pixels) * 2 + 1, 3)) == answer) & visible
    rows, columns = np.nonzero(is_peak & (answer > 0))
    most = max(round(density * visible.sum()), 1)
    best = np.argsort(-answer[rows, columns], kind="stable")[:most]
    xy = np.stack([columns, rows], axis=1).astype(np.float64)[best]
    y, w = paint_discs(xy, (image.shape[0], image.shape[1]), particle_pixels, settings)
    return replace(micrograph, y=torch.from_numpy(y), w=torch.from_numpy(w * visible.astype(np.float32)), xy=xy)


def _fill_rings(micrograph: LearnedMicrograph, particle_pixels: float, settings: TargetSettings) -> NDArray[np.bool_]:
    """(y, x): where w is above 0, or would be if nothing were labelled.

    Only rings are filled, and of them only what is too narrow for a square wider than a ring: so the edges of quadrants
    and of masked areas stay where they are.
    """
    counts = np.asarray(micrograph.w.numpy() > 0, dtype=np.bool_)
    shape = (counts.shape[0], counts.shape[1])
    is_ring = paint_discs(micrograph.xy, shape, particle_pixels, settings)[1] == 0
    width = math.ceil((settings.ring_diameters - settings.core_diameters) * particle_pixels)
    closed = grey_closing(counts.astype(np.uint8), size=(2 * max(width, 0) + 3,) * 2) > 0
    return np.asarray(counts | (is_ring & closed), dtype=np.bool_)
