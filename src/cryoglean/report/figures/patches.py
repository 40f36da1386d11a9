"""Patches with a particle beside patches that nobody judged, and what each kind is on average.

The mean of well-cut particles is a round thing in the middle; with x and y exchanged, an axis flipped or another
binning it is as empty as the mean of unlabelled ones, and with an offset it lies beside the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.report.figures.drawing import BLUE, DPI, GREEN, INK, ORANGE, outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, COLUMNS = 3, 8
_GAP, _LABEL, _NOTE = 0.06, 0.36, 0.34  # in sides of a patch


@dataclass(frozen=True, slots=True, eq=False)
class PatchGroup:
    """Patches of one kind.

    Args:
        label: what they are.
        colour: of the label.
        pixels: (n, side, side), at least one; the centre is the pixel (side // 2, side // 2).
    """

    label: str
    colour: str
    pixels: NDArray[np.float32]


def patch_groups(positive: NDArray[np.float32], unlabelled: NDArray[np.float32]) -> tuple[PatchGroup, PatchGroup]:
    """The two kinds, named as everywhere."""
    return PatchGroup("positive", GREEN, positive), PatchGroup("unlabelled", BLUE, unlabelled)


def draw_patches(groups: Sequence[PatchGroup], seed: int, diameter_pixels: float | None = None) -> Figure:
    """A block for each kind: the mean of all its patches, large, and up to 24 of them drawn by the seed.

    All patches share one grey scale; the means, whose contrast is weaker, share another one.

    Args:
        groups: with patches of one side.
        seed: decides which patches are shown.
        diameter_pixels: of the particle; a circle of this size lies on the means and on the first patches.
    """
    from matplotlib.figure import Figure

    generator = np.random.default_rng(seed)
    shown = [_choose(group.pixels, generator) for group in groups]
    means = [group.pixels.mean(axis=0, dtype=np.float64) for group in groups]
    greys, mean_greys = _limits(shown, (1.0, 99.0)), _limits(means, (0.0, 100.0))
    width, tall = (ROWS + COLUMNS) * (1 + _GAP) + _GAP, ROWS * (1 + _GAP)
    height = len(groups) * (_LABEL + tall + _GAP) + _NOTE
    figure = Figure(figsize=(9.0, 9.0 * height / width), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    for place, (group, some, mean) in enumerate(zip(groups, shown, means, strict=True)):
        top = place * (_LABEL + tall + _GAP)
        axes.text(_GAP, top + 0.55 * _LABEL, _title(group, len(some)), color=group.colour, fontsize=12,
                  fontweight="bold", va="center")  # fmt: skip
        corner = (_GAP, top + _LABEL)
        _draw_square(axes, mean, corner, tall - _GAP, mean_greys, diameter_pixels)
        for number, patch in enumerate(some):
            row, column = divmod(number, COLUMNS)
            cell = (corner[0] + tall + column * (1 + _GAP), corner[1] + row * (1 + _GAP))
            _draw_square(axes, patch, cell, 1.0, greys, None if number else diameter_pixels)
    axes.text(_GAP, height - 0.55 * _NOTE, _note(groups, diameter_pixels), color=INK, fontsize=10, va="center")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("auto")
    return figure


def _choose(pixels: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    chosen = generator.choice(len(pixels), min(ROWS * COLUMNS, len(pixels)), replace=False)
    return pixels[chosen]


def _limits(pictures: Sequence[NDArray[Any]], percentiles: tuple[float, float]) -> tuple[float, float]:
    low, high = np.percentile(np.concatenate([picture.reshape(-1) for picture in pictures]), percentiles)
    return float(low), max(float(high), float(low) + 1e-12)


def _draw_square(
    axes: Axes,
    picture: NDArray[Any],
    corner: tuple[float, float],
    length: float,
    greys: tuple[float, float],
    diameter_pixels: float | None,
) -> None:
    """The picture with its upper left corner there, and a circle around its centre pixel."""
    left, top = corner
    side = picture.shape[-1]
    axes.imshow(
        picture, cmap="gray", vmin=greys[0], vmax=greys[1], extent=(left, left + length, top + length, top),
        interpolation="nearest",
    )  # fmt: skip
    if diameter_pixels is not None:
        pixel = length / side
        middle = np.array([[left, top]]) + (side // 2 + 0.5) * pixel
        (line,) = outlines(middle, "circle", 0.5 * diameter_pixels * pixel)
        inside = ((line >= [left, top]) & (line <= [left + length, top + length])).all(axis=1)
        axes.plot(*np.where(inside[:, None], line, np.nan).T, color=ORANGE, linewidth=1.8 if length > 1 else 1.2)


def _title(group: PatchGroup, shown: int) -> str:
    count = len(group.pixels)
    return f"{group.label}: {count} patches" + (f", {shown} of them beside their mean" if shown < count else "")


def _note(groups: Sequence[PatchGroup], diameter_pixels: float | None) -> str:
    side = groups[0].pixels.shape[-1]
    circle = "" if diameter_pixels is None else "; circle: one diameter"
    return f"{side} x {side} pixels; left: means, on a grey scale of their own{circle}"
