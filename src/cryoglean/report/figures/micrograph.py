"""A micrograph as a person wants to see it, and the picks on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.report.figures.drawing import GREEN, INK, SKY, VERMILLION, outlines

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_LOW_PASS_DIAMETERS = 0.05  # sigma; a particle stays sharp, the grain of the camera goes
_FLATTEN_DIAMETERS = 2.5  # sigma; slopes of ice and carbon go
_SIDE_PIXELS = 900
MARK_COLOURS = (GREEN, VERMILLION, SKY)
_DPI = 100


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A micrograph made ready for the eye.

    Args:
        grey: (y, x) in [0, 1].
        binned: original pixels along the side of one of these.
        pixel_size_angstrom: of the original pixels; None when nobody said.
        diameter_pixels: of the particle, original pixels; None when nobody said.
    """

    grey: NDArray[np.float32]
    binned: int
    pixel_size_angstrom: float | None
    diameter_pixels: float | None

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top in original pixels; (0, 0) is the centre of the first one."""
        rows, columns = self.grey.shape
        return (-0.5, columns * self.binned - 0.5, rows * self.binned - 0.5, -0.5)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Sizes of a figure.

    Args:
        width_inches: of all.
        strip_inches: height of what lies above the micrograph.
        font_points: of the letters there.
        columns_apart: of the legend, in letters.
        bar: largest share of the width that the scale bar takes.
        interpolation: of the pixels.
    """

    width_inches: float
    strip_inches: float
    font_points: float
    columns_apart: float
    bar: float
    interpolation: str


_LARGE = _Sizes(9.0, 0.5, 14, 1.8, 0.16, "nearest")
_SMALL = _Sizes(6.0, 0.4, 12, 1.0, 0.12, "antialiased")


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Points of one kind.

    Args:
        label: what they are.
        xy: (n, 2) original pixels.
        shape: circle, square or triangle.
        colour: of their outlines.
    """

    label: str
    xy: NDArray[np.float64]
    shape: str
    colour: str


def judged_marks(found: Picks, false: Picks, missed: Picks) -> tuple[Marks, ...]:
    """The marks of found (circles), false (triangles) and missed (squares) particles."""
    return (
        Marks("found", found.xy, "circle", GREEN),
        Marks("false", false.xy, "triangle", VERMILLION),
        Marks("missed", missed.xy, "square", SKY),
    )


def make_view(micrograph: Micrograph, diameter_pixels: float | None = None, side_pixels: int = _SIDE_PIXELS) -> View:
    """Bin a micrograph, take slopes and grain off, and stretch its contrast between percentiles.

    Args:
        micrograph: any size; pixels that are not finite become the median.
        diameter_pixels: of the particle, for the filters; None takes a fortieth of the longer side.
        side_pixels: the longer side is binned to at most this.
    """
    pixels = fill_holes(micrograph.pixels)
    binned = max(1, math.ceil(max(pixels.shape) / side_pixels))
    pixels = bin_pixels(pixels, binned)
    diameter = (diameter_pixels or max(micrograph.shape) / 40) / binned
    smooth = gaussian_filter(pixels, _LOW_PASS_DIAMETERS * diameter)
    smooth = smooth - slopes(pixels, _FLATTEN_DIAMETERS * diameter)
    low, high = np.percentile(smooth, (0.5, 99.5))
    grey = np.clip((smooth - low) / max(float(high - low), 1e-12), 0.0, 1.0).astype(np.float32)
    return View(grey, binned, micrograph.pixel_size_angstrom, diameter_pixels)


def fill_holes(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same picture (y, x) with the median where it is not finite."""
    is_finite = np.isfinite(pixels)
    if is_finite.all():
        return pixels
    median = float(np.median(pixels[is_finite])) if is_finite.any() else 0.0
    return np.where(is_finite, pixels, np.float32(median))


def slopes(pixels: NDArray[np.float32], sigma_pixels: float) -> NDArray[np.float32]:
    """The slowly changing part of a picture (y, x), about as a Gaussian of this sigma gives it, at any sigma as fast.

    Three box filters in a row come near a Gaussian (Wells 1986, doi:10.1109/TPAMI.1986.4767776).
    """
    side = 2 * round(0.5 * (math.sqrt(4.0 * sigma_pixels**2 + 1.0) - 1.0)) + 1  # odd, so that nothing shifts
    for _ in range(3):
        pixels = uniform_filter(pixels, side, mode="reflect")
    return pixels


def bin_pixels(pixels: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """The mean of each block of `factor` times `factor` pixels; rests at the right and the bottom are left out."""
    if factor == 1:
        return pixels
    rows, columns = (max(1, side // factor) for side in pixels.shape)
    cut = pixels[: rows * factor, : columns * factor]
    return np.asarray(cut.reshape(rows, -1, columns, cut.shape[1] // columns).mean(axis=(1, 3)), dtype=np.float32)


def draw_micrograph(view: View, marks: Sequence[Marks] = (), *, is_small: bool = False) -> Figure:
    """The micrograph with outlines of a particle's size on it; legend, counts and scale bar lie above it.

    Args:
        view: see `make_view`.
        marks: drawn in this order; those of nothing are in the legend too, with the count 0.
        is_small: whether the figure is 600 pixels wide, rather than 900.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    sizes = _SMALL if is_small else _LARGE
    height = sizes.width_inches * view.grey.shape[0] / view.grey.shape[1]
    strip = sizes.strip_inches if marks or view.pixel_size_angstrom else 0.0
    figure = Figure(figsize=(sizes.width_inches, height + strip), dpi=_DPI, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, height / (height + strip)))
    axes.set_axis_off()
    axes.imshow(view.grey, cmap="gray", vmin=0, vmax=1, extent=view.extent, interpolation=sizes.interpolation)
    radius = 0.5 * (view.diameter_pixels or view.extent[1] / 40)
    for one in marks:
        lines = outlines(one.xy, one.shape, radius)
        axes.add_collection(LineCollection(list(lines), colors=one.colour, linewidths=1.5, label=one.label))
    axes.set_xlim(view.extent[0], view.extent[1])
    axes.set_ylim(view.extent[2], view.extent[3])
    if view.pixel_size_angstrom:
        _draw_scale_bar(figure, view, view.pixel_size_angstrom, sizes)
    if marks:
        _draw_legend(figure, marks, sizes)
    return figure


def nice_length_nm(longest_nm: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50 ... nm (also below 1) that is not longer than this."""
    power = 10.0 ** math.floor(math.log10(longest_nm))
    return max(step * power for step in (1, 2, 5) if step * power <= longest_nm * (1 + 1e-9))


def _draw_scale_bar(figure: Figure, view: View, pixel_size_angstrom: float, sizes: _Sizes) -> None:
    """A bar above the right end of the picture, to its scale, with its length to the left of it."""
    left, right, _, _ = view.extent
    length_nm = nice_length_nm(sizes.bar * (right - left) * pixel_size_angstrom / 10)
    share = length_nm * 10 / pixel_size_angstrom / (right - left)
    middle = 1.0 - 0.5 * sizes.strip_inches / figure.get_figheight()
    ends = [0.985 - share, 0.985]
    figure.add_artist(_line(ends, [middle, middle], color=INK, linewidth=5, solid_capstyle="butt"))
    figure.text(
        ends[0] - 0.012, middle, f"{length_nm:g} nm", color=INK, fontsize=sizes.font_points, ha="right",
        va="center_baseline",
    )  # fmt: skip


def _draw_legend(figure: Figure, marks: Sequence[Marks], sizes: _Sizes) -> None:
    """Above the left end of the picture, as high as the scale bar."""
    symbols = {"circle": "o", "square": "s", "triangle": "^"}
    middle = 1.0 - 0.5 * sizes.strip_inches / figure.get_figheight()
    marker_points = 12 / 14 * sizes.font_points
    handles = [
        _line([], [], linestyle="none", marker=symbols[one.shape], markersize=marker_points, markerfacecolor="none",
              markeredgecolor=one.colour, markeredgewidth=2.2, label=f"{one.label}: {len(one.xy)}")
        for one in marks
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=(0.0, middle), ncols=len(marks), frameon=False,
        fontsize=sizes.font_points, labelcolor=INK, borderpad=0.0, borderaxespad=0.8,
        columnspacing=sizes.columns_apart, handletextpad=0.3,
    )  # fmt: skip


def _line(x: Sequence[float], y: Sequence[float], **look: Any) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D(x, y, **look)
