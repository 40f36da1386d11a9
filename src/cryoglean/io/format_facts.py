"""What a format of picks can hold, and what must be known to read and write it; each card says it as `FACTS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

YAxis = Literal["stored", "flipped_for_mrc", "unsaid_for_mrc"]
"""Which way y counts.

`stored`: down the rows of the file as stored. `flipped_for_mrc`: down the rows of a PNG or JPEG, and from the last
stored row upwards for MRC and TIFF. `unsaid_for_mrc`: down the rows of a PNG or JPEG; nobody can know for MRC and TIFF.
"""

Kept = Literal["score", "diameter", "extra", "empty"]
Need = Literal["box", "shape"]


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """The facts of one format.

    Args:
        y_axis: which way y counts.
        ending: of a file's name when a file holds one micrograph (`mic1` + `_autopick.star`); empty when it holds many.
        rounding_pixels: how far a coordinate can be off after writing and reading, at 10,000 pixels.
        score_rounding: how far a score can be off, relative to its size.
        keeps: which columns come back besides the micrograph, x and y; `empty` is micrographs without a particle.
        needs: what must be known to write: the side of a `box`, the `shape` of the micrograph.
    """

    y_axis: YAxis = "stored"
    ending: str = ""
    rounding_pixels: float = 5.1e-7
    score_rounding: float = 0.0
    keeps: frozenset[Kept] = frozenset[Kept](("score", "diameter", "extra", "empty"))
    needs: frozenset[Need] = frozenset[Need]()
