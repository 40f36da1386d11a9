"""Whether particles are darker or lighter than the ice: asked of the labels, refused when they do not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import LabelsError
from cryoglean.prepare.normalize import Prepared

_SUREST = 4.0  # standard errors of the mean difference


@dataclass(frozen=True, slots=True)
class Contrast:
    """What the labels say.

    Args:
        difference: mean of particle minus mean of its surroundings, in deviations of the picture.
        standard_errors: that difference in standard errors over the particles.
    """

    difference: float
    standard_errors: float

    @property
    def is_dark(self) -> bool:
        """Whether particles are darker than their surroundings."""
        return self.difference < 0


def measure_contrast(
    prepared: Sequence[Prepared], labels_xy: Sequence[NDArray[np.float64]], particle_pixels: float
) -> Contrast:
    """Compare the inside of each labelled particle (0.4 diameters) with the ring around it (0.5 to 0.8 diameters).

    Args:
        prepared: pictures whose sign is as stored.
        labels_xy: (n, 2) rescaled pixels for each picture.
        particle_pixels: diameter in rescaled pixels.

    Raises:
        LabelsError: fewer than 4 standard errors apart, or no label far enough from the edge.
    """
    reach = int(np.ceil(0.8 * particle_pixels))
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(*offsets) / particle_pixels
    inside, around = distance <= 0.4, (distance >= 0.5) & (distance <= 0.8)
    differences: list[float] = []
    for picture, xy in zip(prepared, labels_xy, strict=True):
        image = picture.image.numpy()
        for x, y in np.round(xy).astype(int):
            if reach <= x < image.shape[1] - reach and reach <= y < image.shape[0] - reach:
                patch = image[y - reach : y + reach + 1, x - reach : x + reach + 1]
                differences.append(float(patch[inside].mean() - patch[around].mean()))
    if len(differences) < 2:
        raise LabelsError(
            "fewer than two labelled particles lie inside the micrographs",
            where="--picks",
            fix="Check the pixel size and the coordinates.",
        )
    values = np.array(differences)
    error = float(values.std(ddof=1) / np.sqrt(len(values))) or 1e-9
    contrast = Contrast(float(values.mean()), float(values.mean() / error))
    if abs(contrast.standard_errors) < _SUREST:
        raise LabelsError(
            f"the {len(values)} labelled places are as bright as their surroundings "
            f"({contrast.standard_errors:+.1f} standard errors)",
            where="--picks",
            fix="Check that the labels belong to these micrographs and are not flipped; "
            "if they are right, say --set prepare.contrast=dark (or light).",
        )
    return contrast
