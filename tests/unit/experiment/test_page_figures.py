"""Figures of an experiment: legends hide nothing, chance is not blown up, every line can be seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cryoglean.experiment.page.figures import draw_costs, draw_curves, draw_seeds
from cryoglean.experiment.statistics.cost import cost_points
from cryoglean.experiment.statistics.curves import learning_curve
from cryoglean.experiment.statistics.grid import Block, Grid

LINES = ("supervised", "pseudo_label", "class_balanced", "mean_teacher", "fixmatch", "recommended", "oracle")
Make = Callable[..., Any]


@pytest.fixture
def grid(row: Make) -> Grid:
    """Seven lines that score nearly the same, at two numbers of labels."""
    return Grid([
        row("globule", ratio, seed, line, 0.9 + 0.0002 * place + 0.0001 * seed, train_cpu_seconds=100.0 + 9 * place)
        for ratio in (0.02, 0.04)
        for seed in range(3)
        for place, line in enumerate(LINES)
    ])  # fmt: skip


@pytest.mark.parametrize("kind", ["curves", "costs"])
def test_a_legend_lies_below_the_axes_and_in_the_figure(kind: str, grid: Grid) -> None:
    figure = draw(kind, grid)

    figure.draw_without_rendering()
    legend, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.y1 < axes.y0
    assert figure.bbox.x0 <= legend.x0 and legend.x1 <= figure.bbox.x1 and legend.y0 >= 0


@pytest.mark.parametrize(("kind", "axis"), [("curves", "y"), ("costs", "y"), ("seeds", "x")])
def test_an_axis_of_scores_spans_two_hundredths_at_least(kind: str, axis: str, grid: Grid) -> None:
    axes = draw(kind, grid).axes[0]

    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    assert high - low == pytest.approx(0.02)
    assert low < 0.9 < high


def test_lines_with_as_many_labels_stand_beside_each_other(grid: Grid) -> None:
    axes = draw("curves", grid).axes[0]

    starts = [line.get_xdata()[0] for line in axes.lines if line.get_label() in LINES]
    assert len(set(starts)) == len(LINES)
    assert np.mean(starts) == pytest.approx(2)
    assert max(starts) - min(starts) < 0.1 * (4 - 2)


def draw(kind: str, grid: Grid) -> Any:
    if kind == "curves":
        return draw_curves([learning_curve(grid, "globule", line) for line in LINES], LINES, "globule")
    block = Block("globule", 0.02)
    if kind == "costs":
        return draw_costs(cost_points(grid, block), LINES, "globule")
    return draw_seeds({line: grid.values(block, line, "f1") for line in LINES}, LINES, "globule")
