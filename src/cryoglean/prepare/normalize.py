"""One fixed way from a stored micrograph to what the network sees, kept with the model.

Fitted once on the labelled micrographs and then applied unchanged to every split and every later run, so that a
network never meets a micrograph prepared otherwise than those it learned from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cryoglean.errors import MicrographError
from cryoglean.micrograph import Micrograph
from cryoglean.prepare.rescale import Scale, rescale
from cryoglean.prepare.validity import fill_invalid, find_valid, shrink_valid

_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_SMALLEST_SIDE_DIAMETERS = 2.0
_SMALLEST_DIAMETER_PIXELS = 4.0
_SMALLEST_BLOCK_PIXELS = 8  # smaller blocks of a counting camera's single frame are constant by chance


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A micrograph as the network sees it.

    Args:
        name: the micrograph's name.
        image: (y, x) float32, robust mean 0 and deviation 1, particles bright.
        valid: (y, x) bool, False where there was nothing to see.
        scale: how to get from original to rescaled pixels.
        original_shape: (y, x) of the stored micrograph.
    """

    name: str
    image: Tensor
    valid: Tensor
    scale: Scale
    original_shape: tuple[int, int]

    def turned(self) -> Prepared:
        """The same with dark and bright exchanged, exactly as the preparation of the other contrast makes it."""
        return replace(self, image=-self.image)


@dataclass(frozen=True, slots=True)
class Preparation:
    """The fitted preparation.

    Args:
        diameter_angstrom: diameter of the particle.
        particle_pixels: its diameter after rescaling.
        high_pass_diameters: sigma of the Gaussian that is taken off, in diameters; 0: none.
        clip: normalised values beyond this are clipped.
        particles_are_dark: whether the sign is turned so that particles become bright.
    """

    diameter_angstrom: float
    particle_pixels: float
    high_pass_diameters: float
    clip: float
    particles_are_dark: bool

    def apply(self, micrograph: Micrograph) -> Prepared:
        """Rescale, high-pass, normalise by median and MAD, clip and turn bright.

        Raises:
            MicrographError: no pixel size is known, nothing in it varies, or it is smaller than two particles.
        """
        diameter = self.diameter_pixels(micrograph)
        if diameter < _SMALLEST_DIAMETER_PIXELS:
            raise MicrographError(
                f"a particle would be {diameter:.1f} pixels across", where=micrograph.path or micrograph.name,
                fix="Check --diameter-angstrom and the pixel size.",
            )  # fmt: skip
        if min(micrograph.shape) < _SMALLEST_SIDE_DIAMETERS * diameter:
            raise MicrographError(
                f"it is {micrograph.shape[1]} x {micrograph.shape[0]} pixels, smaller than two particles of "
                f"{diameter:.0f} pixels",
                where=micrograph.path or micrograph.name,
                fix="Check --diameter-angstrom and the pixel size.",
            )
        valid = find_valid(micrograph.pixels, max(int(diameter / 4), _SMALLEST_BLOCK_PIXELS))
        if valid.mean() < 0.01:
            raise MicrographError(
                "it has no contrast at all", where=micrograph.path or micrograph.name, fix="Leave it out."
            )
        image, scale = rescale(fill_invalid(micrograph.pixels, valid), self.particle_pixels / diameter)
        shape = (image.shape[0], image.shape[1])
        valid_small = shrink_valid(valid, shape, (scale.x, scale.y))
        normal = self._normalize(image.numpy(), valid_small)
        return Prepared(
            name=micrograph.name,
            image=torch.from_numpy(normal),
            valid=torch.from_numpy(valid_small),
            scale=scale,
            original_shape=micrograph.shape,
        )

    def diameter_pixels(self, micrograph: Micrograph) -> float:
        """The particle's diameter in original pixels.

        Raises:
            MicrographError: no pixel size is known.
        """
        if micrograph.pixel_size_angstrom is None:
            raise MicrographError(
                "its pixel size is not in the header",
                where=micrograph.path or micrograph.name,
                fix="Give --pixel-size-angstrom.",
            )
        return self.diameter_angstrom / micrograph.pixel_size_angstrom

    def turned(self, *, particles_are_dark: bool) -> Preparation:
        """The same, for particles that are dark (or light)."""
        return replace(self, particles_are_dark=particles_are_dark)

    def to_json(self) -> dict[str, Any]:
        """All values, for the model file."""
        return asdict(self)

    def _normalize(self, image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        if self.high_pass_diameters > 0:
            image = image - _local_mean(image, valid, self.high_pass_diameters * self.particle_pixels)
        known = image[valid]
        median = float(np.median(known))
        deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(known - median)))
        deviation = deviation or float(known.std()) or 1.0
        normal = np.clip((image - median) / deviation, -self.clip, self.clip)
        normal = np.where(valid, -normal if self.particles_are_dark else normal, 0.0)
        return normal.astype(np.float32, copy=False)


def _local_mean(image: NDArray[np.float32], valid: NDArray[np.bool_], sigma_pixels: float) -> NDArray[np.float32]:
    """Gaussian mean of the valid pixels around each pixel, on a coarse grid where that loses nothing."""
    step = max(int(sigma_pixels / 6), 1)
    weights = valid.astype(np.float32)
    coarse = _bin(np.where(valid, image, 0.0).astype(np.float32), step)
    coarse_weights = _bin(weights, step)
    above = gaussian_filter(coarse, sigma_pixels / step, mode="nearest", truncate=3.0)
    below = gaussian_filter(coarse_weights, sigma_pixels / step, mode="nearest", truncate=3.0)
    mean = above / np.maximum(below, 1e-6)
    return _interpolate(mean.astype(np.float32), image.shape, step)


def _bin(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Block means; the last block is filled up by its edge."""
    padded = np.pad(image, [(0, -length % step) for length in image.shape], mode="edge")
    rows, columns = padded.shape[0] // step, padded.shape[1] // step
    means: NDArray[np.float32] = padded.reshape(rows, step, columns, step).mean(axis=(1, 3), dtype=np.float32)
    return means


def _interpolate(coarse: NDArray[np.float32], shape: tuple[int, ...], step: int) -> NDArray[np.float32]:
    """Bilinear values of block means at the pixels of the full picture."""
    big = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None, None], scale_factor=step, mode="bilinear", align_corners=False
    )
    return np.asarray(big[0, 0, : shape[0], : shape[1]].numpy(), dtype=np.float32)
