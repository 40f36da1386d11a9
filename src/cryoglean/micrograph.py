"""The micrograph: one picture of many particles, and the name it is known by."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import MicrographError

_SUFFIXES = re.compile(r"(\.(mrc|mrcs|map|ccp4|tif|tiff|png|jpg|jpeg|eer|dm4)(\.(gz|bz2))?)+$", flags=re.IGNORECASE)


def micrograph_name(path_or_name: str | PurePath) -> str:
    r"""The name a micrograph is matched by: no folder, no picture suffix, everything else kept.

    Args:
        path_or_name: a path or name as written in any file, with `/` or `\\` between folders.

    Example:
        >>> micrograph_name("MotionCorr/job002/May08_03.05.02.mrc")
        'May08_03.05.02'
        >>> micrograph_name("May08_03.05.02")
        'May08_03.05.02'
    """
    last = str(path_or_name).replace("\\", "/").rsplit("/", maxsplit=1)[-1].strip()
    return _SUFFIXES.sub("", last)


@dataclass(frozen=True, slots=True, eq=False)
class Micrograph:
    """One micrograph as stored: row 0 is the first stored row.

    Args:
        name: see `micrograph_name`.
        pixels: (y, x) float32, any unit; nan or infinite where the camera saw nothing.
        pixel_size_angstrom: the side of a pixel in angstrom, above 0; None when nobody said.
        path: the file it came from, if any.

    Raises:
        MicrographError: `pixels` is not a (y, x) picture, or the pixel size is not above 0.
    """

    name: str
    pixels: NDArray[np.float32]
    pixel_size_angstrom: float | None = None
    path: Path | None = None

    def __post_init__(self) -> None:
        where = self.path or self.name
        if self.pixels.ndim != 2 or min(self.pixels.shape) < 1:
            raise MicrographError(f"its pixels have the shape {self.pixels.shape}, not (y, x)", where=where)
        if self.pixel_size_angstrom is not None and not 0 < self.pixel_size_angstrom < math.inf:
            raise MicrographError(
                f"its pixel size is {self.pixel_size_angstrom} Å", where=where, fix="Give --pixel-size-angstrom."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x): rows and columns."""
        return (self.pixels.shape[0], self.pixels.shape[1])
