"""What teachers made of unlabelled micrographs: how much is particle, how many there are, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.micrograph import Micrograph
from cryoglean.report.figures.drawing import (
    BLUE,
    FAINT,
    INK,
    LINE_COLOURS,
    ORANGE,
    SKY,
    label_axes,
    new_chart,
)
from cryoglean.report.figures.micrograph import make_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTICLE_COLOUR, IGNORED_COLOUR = ORANGE, SKY
TOO_FEW, TOO_MANY = 0.5, 2.0  # times the expected share
_MOST_BINS = 12
_HATCHES = ("", "///", "...")
_WIDTH_INCHES, _DPI, _STRIP_INCHES = 6.0, 110, 0.42


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a round's pseudo-labels is particle.

    Args:
        number: of the round.
        share: of particle among trusted pixels, in [0, 1].
        expected: share by the labelled micrographs, in [0, 1].
        counts: whether the round counted.
    """

    number: int
    share: float
    expected: float
    counts: bool


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A micrograph with its pseudo-labels, in pixels of the picture that the network sees.

    Args:
        name: of the micrograph.
        image: (y, x) uint8.
        y: (y, x) uint8, 255 is particle and 0 background.
        w: (y, x) uint8, the weight of each pixel; 0 is ignored.
    """

    name: str
    image: NDArray[np.uint8]
    y: NDArray[np.uint8]
    w: NDArray[np.uint8]

    @property
    def is_ignored(self) -> NDArray[np.bool_]:
        """(y, x), where nothing is learned."""
        return np.equal(self.w, 0)

    @property
    def is_particle(self) -> NDArray[np.bool_]:
        """(y, x), where the target is rather particle than background, and is learned from."""
        return np.logical_and(self.y >= 128, self.w > 0)


def draw_shares(rounds: Sequence[Share]) -> Figure:
    """A bar for each round, the expected share as a line across it, and what is still usual as a grey band.

    Args:
        rounds: at least one, drawn from top to bottom; those that did not count are hollow.
    """
    figure, (axes,) = new_chart(height_inches=1.8 + 0.5 * len(rounds))
    places = np.arange(len(rounds))
    for place, one in zip(places, rounds, strict=True):
        usual = 100 * one.expected * np.array([TOO_FEW, TOO_MANY])
        axes.fill_betweenx([place - 0.46, place + 0.46], *usual, color=FAINT, alpha=0.7, linewidth=0)
        fill = BLUE if one.counts else "none"
        axes.barh(place, 100 * one.share, height=0.5, facecolor=fill, edgecolor=BLUE, linewidth=2, gid=f"{one.number}")
        axes.plot([100 * one.expected] * 2, [place - 0.46, place + 0.46], color=INK, linewidth=2.5)
    axes.set_yticks(places, [f"round {one.number}" for one in rounds])
    axes.set_ylim(len(rounds) - 0.4, -0.6)
    axes.set_xlim(0, 108 * max(max(TOO_MANY * one.expected, one.share, 0.001) for one in rounds))
    axes.grid(visible=False, axis="y")
    figure.legend(
        handles=[
            _patch("counted", facecolor=BLUE, edgecolor=BLUE, linewidth=2),
            _patch("did not count", facecolor="none", edgecolor=BLUE, linewidth=2),
            _line([], [], color=INK, linewidth=2.5, label="expected"),
            _patch("half to double", facecolor=FAINT, alpha=0.7),
        ],
        frameon=False, fontsize=10, loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=1.4,
    )  # fmt: skip
    label_axes(axes, "particle, % of the trusted pixels")
    return figure


def draw_counts(counts: Mapping[int, Sequence[int]], labelled: float | None = None) -> Figure:
    """How many micrographs have how many pseudo-labelled particles, bars beside each other for the rounds.

    Args:
        counts: particles of each micrograph, by round; at least one.
        labelled: median on the labelled micrographs; None draws none.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_chart(height_inches=3.2)
    every = [count for one in counts.values() for count in one]
    bins = min(_MOST_BINS, round(2 * np.sqrt(len(every) / len(counts))))
    width = -(-(max(every) - min(every) + 1) // bins)  # a whole number, so that no bin gets more counts than others
    edges = np.arange(min(every), max(every) + width + 1, width) - 0.5
    bar = 0.9 * width / len(counts)
    for place, (number, one) in enumerate(counts.items()):
        heights, _ = np.histogram(one, edges)
        left = edges[:-1] + 0.05 * width + place * bar
        axes.bar(
            left, heights, bar, align="edge", color=LINE_COLOURS[place % len(LINE_COLOURS)], edgecolor="white",
            hatch=_HATCHES[place % len(_HATCHES)], linewidth=0, label=f"round {number}", gid=f"round {number}",
        )  # fmt: skip
    if labelled is not None:
        axes.axvline(labelled, color=INK, linestyle=":", linewidth=2, label="labelled, median")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(frameon=False, fontsize=10, loc="outside upper center", ncols=4, columnspacing=1.2)
    label_axes(axes, "particles on a micrograph", "micrographs")
    return figure


def draw_example(example: Example, particle_pixels: float, *, has_marks: bool = True) -> Figure:
    """A micrograph with its particle pixels filled and its ignored pixels hatched; the legend lies above it.

    Args:
        example: see `Example`.
        particle_pixels: diameter of a particle, for the filters of the picture.
        has_marks: off: the micrograph alone.
    """
    from matplotlib.figure import Figure

    view = make_view(Micrograph(example.name, example.image.astype(np.float32), None), particle_pixels)
    height = _WIDTH_INCHES * example.image.shape[0] / example.image.shape[1]
    strip = _STRIP_INCHES if has_marks else 0.0
    figure = Figure(figsize=(_WIDTH_INCHES, height + strip), dpi=_DPI, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, height / (height + strip)))
    axes.set_axis_off()
    axes.imshow(view.grey, cmap="gray", vmin=0, vmax=1, extent=view.extent, interpolation="nearest")
    if has_marks:
        _hatch(axes, example.is_ignored)
        _fill(axes, example.is_particle)
        _draw_legend(figure)
    axes.set_xlim(view.extent[0], view.extent[1])
    axes.set_ylim(view.extent[2], view.extent[3])
    return figure


def _hatch(axes: Axes, mask: NDArray[np.bool_]) -> None:
    if mask.any():
        drawn = axes.contourf(*_padded(mask), levels=[0.5, 1.5], colors="none", hatches=["////"])
        drawn.set(edgecolor=IGNORED_COLOUR, linewidth=0.0)


def _fill(axes: Axes, mask: NDArray[np.bool_]) -> None:
    if mask.any():
        places = _padded(mask)
        axes.contourf(*places, levels=[0.5, 1.5], colors=[PARTICLE_COLOUR], alpha=0.35)
        axes.contour(*places, levels=[0.5], colors=[PARTICLE_COLOUR], linewidths=1.6)


def _padded(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.float64]]:
    """x, y and the mask with one more pixel at each side, so that it is drawn up to the edge of the picture."""
    rows, columns = mask.shape
    wide = np.pad(mask.astype(np.float64), 1, mode="edge")
    return np.arange(-1, columns + 1), np.arange(-1, rows + 1), wide


def _draw_legend(figure: Figure) -> None:
    from matplotlib.colors import to_rgba

    handles = [
        _patch("particle", facecolor=to_rgba(PARTICLE_COLOUR, 0.35), edgecolor=PARTICLE_COLOUR, linewidth=2),
        _patch("ignored", facecolor="#8a8a8a", edgecolor=IGNORED_COLOUR, hatch="////", linewidth=0),
        _patch("background", facecolor="#8a8a8a", linewidth=0),
    ]
    figure.legend(
        handles=handles, loc="upper left", ncols=3, frameon=False, fontsize=13, labelcolor=INK, borderaxespad=0.5,
        columnspacing=1.6, handlelength=1.8, handletextpad=0.5,
    )  # fmt: skip


def _patch(label: str, **look: Any) -> Any:
    from matplotlib.patches import Patch

    return Patch(label=label, **look)


def _line(x: Sequence[float], y: Sequence[float], **look: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(x, y, **look)
