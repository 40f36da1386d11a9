"""Patches from a file as a network that later picks micrographs is to see them.

A micrograph is high-passed with a Gaussian three particles wide and divided by its own deviation. A patch is too small
for that: a mean of a patch with a particle in it is partly the particle's, so that particles would be dimmed and empty
ice would not; and a deviation of each patch for itself would dim them once more. So the level of a patch is the mean of
its rim, where its own particle does not reach, and all patches of a file are divided by one deviation, that of the
unlabelled ones, which are what micrographs look like.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.rescale import Scale, rescale

_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_RIM_DIAMETERS = 0.75  # a particle reaches to 0.5; its Fresnel fringes and bad centring a little farther
_SMALLEST_SIDE_DIAMETERS = 1.7
_SMALLEST_DIAMETER_PIXELS = 4.0

Pixels = NDArray[np.float32]


def prepare_patches(
    positive: Pixels, unlabelled: Pixels, preparation: Preparation, pixel_size_angstrom: float
) -> tuple[tuple[Prepared, ...], tuple[Prepared, ...]]:
    """Rescale, level by the rim, divide by one deviation, clip and turn bright.

    Args:
        positive: (n, side, side), a particle in the middle of each, sign as stored.
        unlabelled: (m, side, side).
        preparation: of micrographs; its high-pass is not used, see the module.
        pixel_size_angstrom: of the patches.

    Returns:
        `positive-00001` and so on, and `unlabelled-00001` and so on.

    Raises:
        PicksError: patches are smaller than 1.7 particles, a particle smaller than 4 pixels, or nothing in them varies.
    """
    diameter, side = preparation.diameter_angstrom / pixel_size_angstrom, positive.shape[-1]
    if diameter < _SMALLEST_DIAMETER_PIXELS or side < _SMALLEST_SIDE_DIAMETERS * diameter:
        raise PicksError(
            f"a particle would be {diameter:.1f} pixels across, in patches of {side} pixels", where="patches",
            fix=f"Check --diameter-angstrom and --pixel-size-angstrom, or cut patches of at least "
            f"{_SMALLEST_SIDE_DIAMETERS:g} diameters.",
        )  # fmt: skip
    factor = preparation.particle_pixels / diameter
    levelled = [_level(pixels, factor, preparation.particle_pixels) for pixels in (positive, unlabelled)]
    pooled = np.stack([picture for picture, _ in levelled[1]])
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(pooled - np.median(pooled))))
    if not deviation:
        raise PicksError("the unlabelled patches have no contrast at all", where="patches", fix="Check the file.")
    sign = -1.0 if preparation.particles_are_dark else 1.0
    named = zip(("positive", "unlabelled"), levelled, strict=True)
    first, second = (
        tuple(
            _as_prepared(f"{kind}-{place:05d}", picture, scale, sign / deviation, preparation.clip, side)
            for place, (picture, scale) in enumerate(pictures, 1)
        )
        for kind, pictures in named
    )
    return first, second


def _level(patches: Pixels, factor: float, particle_pixels: float) -> Sequence[tuple[Pixels, Scale]]:
    """Rescaled, the mean of the rim taken off."""
    made = []
    for pixels in patches:
        picture, scale = rescale(pixels - pixels.mean(), factor)
        y, x = np.ogrid[: picture.shape[0], : picture.shape[1]]
        row, column = (length // 2 * along for length, along in zip(pixels.shape, (scale.y, scale.x), strict=True))
        is_rim = np.hypot(y - row, x - column) > _RIM_DIAMETERS * particle_pixels
        values = picture.numpy()
        made.append((np.asarray(values - values[is_rim].mean(), dtype=np.float32), scale))
    return made


def _as_prepared(name: str, picture: Pixels, scale: Scale, factor: float, clip: float, side: int) -> Prepared:
    image = torch.from_numpy(np.clip(picture * factor, -clip, clip).astype(np.float32))
    return Prepared(name, image, torch.ones(image.shape, dtype=torch.bool), scale, (side, side))
