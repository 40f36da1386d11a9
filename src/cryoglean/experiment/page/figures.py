"""The figures of an experiment: seeds, learning curves, ranks, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cryoglean.experiment.statistics.cost import CostPoint
from cryoglean.experiment.statistics.curves import Curve
from cryoglean.experiment.statistics.grid import MEASURES, ORACLE
from cryoglean.experiment.statistics.ranks import Ranking
from cryoglean.report.figures.drawing import FAINT, INK, LINE_COLOURS, LINE_STYLES, MARKERS, label_axes, new_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_LEAST_SPAN = 0.02
"""Of an axis of scores, so that chance does not look like a cliff."""
_LEGEND_LETTERS = 64
"""That fit into a line of a legend, symbols and spaces counted."""
_STEP = 0.012
"""Between lines that stand side by side, of the whole axis."""


def style_of(line: str, lines: Sequence[str]) -> dict[str, Any]:
    """Colour, marker and line style: the same for a line in all figures; no two of the first 36 are alike."""
    if line == ORACLE:
        return {"color": INK, "marker": "X", "linestyle": ":"}
    place = lines.index(line)
    return {
        "color": LINE_COLOURS[place % len(LINE_COLOURS)],
        "marker": MARKERS[(place + place // len(LINE_COLOURS)) % len(MARKERS)],
        "linestyle": LINE_STYLES[place % len(LINE_STYLES)],
    }


def draw_seeds(values: Mapping[str, Mapping[int, float]], lines: Sequence[str], title: str) -> Figure:
    """A row for each line, a dot for each seed, the same seed joined from row to row, the mean as a bar.

    Args:
        values: F1 by seed, of each line, from top to bottom.
        lines: all lines of the experiment, for the colours.
        title: of the figure.
    """
    figure, (axes,) = new_chart(height_inches=1.5 + 0.42 * len(values))
    rows = {line: len(values) - 1 - place for place, line in enumerate(values)}
    for seed in sorted({seed for each in values.values() for seed in each}):
        path = [(each[seed], rows[line]) for line, each in values.items() if seed in each]
        axes.plot(*zip(*path, strict=True), color=FAINT, linewidth=1.2, zorder=1)
    for line, each in values.items():
        style = style_of(line, lines) | {"linestyle": ""}
        axes.plot(list(each.values()), [rows[line]] * len(each), markersize=7, markeredgecolor="white", **style)
        if each:
            mean = float(np.mean(list(each.values())))
            axes.plot([mean, mean], [rows[line] - 0.28, rows[line] + 0.28], color=style["color"], linewidth=2.6)
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(-0.6, len(values) - 0.4)
    _keep_span(axes, "x")
    label_axes(axes, "F1 on the test micrographs", "", title)
    return figure


def draw_curves(curves: Sequence[Curve], lines: Sequence[str], title: str) -> Figure:
    """Score over the number of labelled micrographs, with the 95 % interval of each mean; lines stand side by side.

    Args:
        curves: of one data set, those with a point.
        lines: all lines of the experiment, for the colours.
        title: of the figure.
    """
    figure, (axes,) = new_chart(height_inches=4.8)
    counts = sorted({point.labelled for curve in curves for point in curve.points})
    if counts[-1] >= 4 * counts[0]:
        axes.set_xscale("log")
    for place, curve in enumerate(curves):
        at = _beside([point.labelled for point in curve.points], counts, place - (len(curves) - 1) / 2)
        style = style_of(curve.line, lines)
        axes.plot(at, [point.mean for point in curve.points], linewidth=1.5, markersize=7, label=curve.line, **style)
        for x, point in zip(at, curve.points, strict=True):
            if point.band is not None:
                axes.plot([x, x], point.band, color=style["color"], linewidth=1.5, alpha=0.55)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    _keep_span(axes, "y")
    _put_legend_below(figure, axes)
    label_axes(axes, "labelled micrographs", MEASURES[curves[0].measure], title)
    return figure


def _beside(labelled: Sequence[int], counts: Sequence[int], steps: float) -> list[float]:
    """Places on the x axis, some steps beside the true ones: linear or, where counts range far, logarithmic."""
    if counts[-1] >= 4 * counts[0]:
        step = (counts[-1] / counts[0]) ** _STEP
        return [count * step**steps for count in labelled]
    return [count + _STEP * (counts[-1] - counts[0]) * steps for count in labelled]


def draw_ranks(ranking: Ranking) -> Figure:
    """Critical difference diagram: average ranks on a line, bars under lines that can't be told apart.

    Args:
        ranking: one that tells lines apart.
    """
    count = len(ranking.lines)
    figure, (axes,) = new_chart(6.4, 1.6 + 0.32 * count)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks([])
    axes.xaxis.set_ticks_position("top")
    bars = [group for group in ranking.groups if len(group) > 1]
    rank = dict(zip(ranking.lines, ranking.average_ranks, strict=True))
    axes.plot([1, count], [0, 0], color=INK, linewidth=1.4)
    for place, group in enumerate(bars):
        height = -0.5 - 0.45 * place
        axes.plot([rank[group[0]] - 0.04, rank[group[-1]] + 0.04], [height, height], color=INK, linewidth=4)
    for place, (line, at) in enumerate(rank.items()):
        height = -1.2 - 0.45 * len(bars) - 0.8 * place
        is_left = at <= (1 + count) / 2
        axes.plot([at, at], [0, height], color=style_of(line, ranking.lines)["color"], linewidth=1.2)
        axes.text(
            at + (0.05 if is_left else -0.05), height, f"{line} {at:.2f}", fontsize=10, va="center",
            ha="left" if is_left else "right",
        )  # fmt: skip
    axes.set_xlim(0.8, count + 0.2)
    axes.set_xticks(range(1, count + 1))
    label_axes(axes, title=f"Average ranks (critical difference {ranking.critical_difference:.2f})")
    return figure


def draw_costs(points: Sequence[CostPoint], lines: Sequence[str], title: str) -> Figure:
    """Score over processor time; the lines, but the oracle, that no other one beats are joined.

    Args:
        points: of one data set and ratio, cheapest first.
        lines: all lines of the experiment, for the colours.
        title: of the figure.
    """
    figure, (axes,) = new_chart(height_inches=4.4)
    front = [point for point in points if point.is_on_front]
    axes.step(
        [point.cpu_seconds for point in front], [point.score for point in front], where="post", color=FAINT,
        linewidth=2, zorder=1, label="best for its cost",
    )  # fmt: skip
    for point in points:
        style = style_of(point.line, lines) | {"linestyle": ""}
        axes.plot(point.cpu_seconds, point.score, markersize=9, markeredgecolor="white", label=point.line, **style)
    _scale_costs(axes, [point.cpu_seconds for point in points])
    _keep_span(axes, "y")
    _put_legend_below(figure, axes)
    label_axes(axes, "CPU-seconds of training and picking", MEASURES[points[0].measure], title)
    return figure


def _scale_costs(axes: Axes, costs: Sequence[float]) -> None:
    if min(costs) > 0 and max(costs) > 8 * min(costs):
        axes.set_xscale("log")


def _keep_span(axes: Axes, axis: Literal["x", "y"]) -> None:
    """Few ticks on an axis of scores, and no closer view than `_LEAST_SPAN`."""
    axes.locator_params(axis=axis, nbins=5)
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    more = max(0.0, _LEAST_SPAN - (high - low)) / 2
    axes.set(**{f"{axis}lim": (low - more, high + more)})


def _put_legend_below(figure: Figure, axes: Axes) -> None:
    """Where it hides no point, in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, _LEGEND_LETTERS // (max(map(len, labels)) + 6))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(columns, len(labels)), fontsize=10, frameon=False,
        labelcolor=INK,
    )  # fmt: skip
