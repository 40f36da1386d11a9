"""Particles side by side: the surest and the least sure, the false and the missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from cryoglean.micrograph import Micrograph
from cryoglean.report.figures.drawing import INK
from cryoglean.report.figures.micrograph import fill_holes, slopes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_PIXELS = 72
_SIDE_DIAMETERS = 1.8
_LOW_PASS_DIAMETERS = 0.05
_FLATTEN_DIAMETERS = 2.5
_GAP = 4


@dataclass(frozen=True, slots=True, eq=False)
class MontageRow:
    """Cut-outs of one kind.

    Args:
        label: what they are.
        colour: of the label.
        cells: (n, `CELL_PIXELS`, `CELL_PIXELS`) each.
        notes: a few characters below each, such as its score; as many as cells.
    """

    label: str
    colour: str
    cells: NDArray[np.float32]
    notes: tuple[str, ...]


def cut_particles(micrograph: Micrograph, xy: NDArray[np.float64], diameter_pixels: float) -> NDArray[np.float32]:
    """Square cut-outs of 1.8 diameters around points: (n, `CELL_PIXELS`, `CELL_PIXELS`), in standard deviations.

    Slopes and grain are taken off first, and the micrograph is brought to mean 0 and standard deviation 1, so that
    cut-outs of different micrographs can share a grey scale. Beyond the edge the picture is mirrored.

    Args:
        micrograph: any size.
        xy: (n, 2) pixels.
        diameter_pixels: of the particle, above 0.
    """
    pixels = fill_holes(micrograph.pixels)
    smooth = gaussian_filter(pixels, _LOW_PASS_DIAMETERS * diameter_pixels)
    smooth = smooth - slopes(pixels, _FLATTEN_DIAMETERS * diameter_pixels)
    smooth = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-12)
    steps = (np.arange(CELL_PIXELS) - (CELL_PIXELS - 1) / 2) * (_SIDE_DIAMETERS * diameter_pixels / CELL_PIXELS)
    y = xy[:, 1, None, None] + steps[None, :, None]
    x = xy[:, 0, None, None] + steps[None, None, :]
    places = np.broadcast_arrays(y, x)
    return np.asarray(map_coordinates(smooth, np.stack(places), order=1, mode="mirror"), dtype=np.float32)


def draw_montage(rows: Sequence[MontageRow], columns: int = 8) -> Figure:
    """Rows of cut-outs on one grey scale, each with its label above.

    Args:
        rows: at least one with a cell.
        columns: cut-outs beside each other; further ones are left out.
    """
    from matplotlib.figure import Figure

    every = np.concatenate([row.cells[:columns].reshape(-1) for row in rows])
    low, high = np.percentile(every, (1.0, 99.0))
    side = CELL_PIXELS + _GAP
    width, label_height, note_height = columns * side, 24, 18
    row_height = label_height + side + note_height
    height = len(rows) * row_height - (0 if any(rows[-1].notes) else note_height)
    figure = Figure(figsize=(7.6, 7.6 * height / width), dpi=120, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    for place, row in enumerate(rows):
        top = place * row_height
        axes.text(
            1, top + label_height / 2 + 2, row.label, color=row.colour, fontsize=13, fontweight="bold", va="center"
        )
        for column, (cell, note) in enumerate(zip(row.cells[:columns], row.notes[:columns], strict=True)):
            left, upper = column * side, top + label_height
            extent = (left, left + CELL_PIXELS, upper + CELL_PIXELS, upper)
            axes.imshow(cell, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="nearest")
            axes.text(
                left + CELL_PIXELS / 2, upper + CELL_PIXELS + 9, note, color=INK, fontsize=11, ha="center", va="center"
            )
    axes.set_xlim(0, width - _GAP)
    axes.set_ylim(height, 0)
    axes.set_aspect("auto")
    return figure
