"""Pictures of a finding beside each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoglean.report.figures.drawing import DPI, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE_INCHES = 2.7


def draw_beside(pictures: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Grey pictures with the same range, so that an empty one looks empty.

    Args:
        pictures: caption -> (y, x), at least one.
    """
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(_SIDE_INCHES * max(len(pictures), 1), _SIDE_INCHES + 0.9), dpi=DPI, layout="constrained",
        facecolor="white",
    )  # fmt: skip
    largest = max(float(np.abs(one - np.median(one)).max()) for one in pictures.values()) or 1.0
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for one, (caption, picture) in zip(axes, pictures.items(), strict=True):
        middle = float(np.median(picture))
        one.imshow(picture, cmap="gray", vmin=middle - largest, vmax=middle + largest, interpolation="nearest")
        one.set_axis_off()
        one.set_title(textwrap.fill(caption, 34), fontsize=9, color=INK, loc="left")
    return figure
