"""The look that all figures share: colours that colour-blind readers can tell apart, shapes, sizes, PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito 2008, jfly.uni-koeln.de/color: told apart with every common kind of colour blindness
GREEN, VERMILLION, SKY, BLUE, ORANGE, PURPLE = "#009E73", "#D55E00", "#56B4E9", "#0072B2", "#E69F00", "#CC79A7"
INK, FAINT = "#22272e", "#c9ced6"
LINE_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
DPI = 160


def new_chart(width_inches: float = 5.4, height_inches: float = 4.0, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty chart with `rows` axes below each other that share x; text stays readable at a phone's width."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), dpi=DPI, layout="constrained", facecolor="white")
    heights = [3, 1] if rows == 2 else [1] * rows
    axes = list(figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(INK)
        one.tick_params(colors=INK, labelsize=10)
        one.grid(visible=True, color=FAINT, linewidth=0.6, alpha=0.6)
        one.set_axisbelow(True)
    return figure, axes


def label_axes(axes: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Write the names of the axes and the title, where not empty."""
    if x:
        axes.set_xlabel(x, fontsize=11, color=INK)
    if y:
        axes.set_ylabel(y, fontsize=11, color=INK)
    if title:
        axes.set_title(title, fontsize=12, color=INK, loc="left", fontweight="bold")


def to_png(figure: Figure, *, on_grey: Sequence[str] | None = None, greys: int = 32) -> bytes:
    """The figure as a PNG file.

    Args:
        figure: drawn.
        on_grey: the colours of a figure that is grey apart from them; it is then kept in few greys and these colours,
            which makes micrographs several times smaller. None keeps all colours.
        greys: how many greys then.
    """
    from PIL import Image

    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=figure.dpi, facecolor=figure.get_facecolor())
    if on_grey is None:
        return out.getvalue()
    out.seek(0)
    small = io.BytesIO()
    with Image.open(out) as picture:
        palette = Image.new("P", (1, 1))
        palette.putpalette(grey_palette(on_grey, greys).reshape(-1).tolist())
        few = picture.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
        few.save(small, format="png", optimize=True)
    return small.getvalue()


def grey_palette(colours: Sequence[str], greys: int = 32) -> NDArray[np.uint8]:
    """Greys from black to white, and each colour blended with some of them, as soft edges of lines are: (n, 3).

    Args:
        colours: as `#rrggbb`; at most 8.
        greys: how many greys.
    """
    from matplotlib.colors import to_rgb

    level = np.linspace(0.0, 1.0, greys)
    parts = [np.repeat(level[:, None], 3, axis=1)]
    behind = np.linspace(0.0, 1.0, 8)[:, None]
    for colour in colours:
        parts += [share * np.array(to_rgb(colour)) + (1 - share) * behind for share in (0.35, 0.7)]
        parts.append(np.array([to_rgb(colour)]))
    return np.asarray(np.concatenate(parts) * 255, dtype=np.float64).round().astype(np.uint8)


def outlines(xy: NDArray[np.float64], shape: str, radius: float) -> NDArray[np.float64]:
    """A closed line around each point: (n, k, 2).

    Args:
        xy: (n, 2).
        shape: circle, square or triangle.
        radius: of the circle; the others are drawn to look as large.

    Raises:
        KeyError: another shape.
    """
    corners, turn, size = {"circle": (28, 0.0, 1.0), "square": (4, 0.25, 1.25), "triangle": (3, -0.5, 1.3)}[shape]
    angle = np.pi * (2.0 * np.arange(corners + 1) / corners + turn)
    line = radius * size * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.asarray(xy.reshape(-1, 1, 2) + line, dtype=np.float64)
