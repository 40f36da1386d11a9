"""Score against the number of labelled micrographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cryoglean.experiment.statistics.grid import MEASURES, Grid, Interval, to_plain
from cryoglean.experiment.statistics.intervals import FEWEST, seed_spread


@dataclass(frozen=True, slots=True)
class Point:
    """One ratio of a learning curve.

    Args:
        ratio: labelled share.
        labelled: micrographs.
        seeds: that have a result.
        by_seed: the measure of each.
        band: 95 % t interval of the mean over seeds; None below 3.
    """

    ratio: float
    labelled: int
    seeds: tuple[int, ...]
    by_seed: tuple[float, ...]
    band: Interval | None

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.by_seed))


@dataclass(frozen=True, slots=True)
class Curve:
    """The learning curve of a line in a data set.

    Args:
        data: the data set.
        line: its name.
        measure: what was measured.
        points: fewest labels first.
        missing: seeds x ratios without a result.
    """

    data: str
    line: str
    measure: str
    points: tuple[Point, ...]
    missing: int

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        each = ", ".join(f"{point.mean:.3f} with {point.labelled}" for point in self.points)
        missing = f"; {self.missing} results missing" if self.missing else ""
        return f"{self.line}, {self.data}: {MEASURES[self.measure]} {each or 'nowhere'}{missing}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        plain = to_plain(self)
        for told, point in zip(plain["points"], self.points, strict=True):
            told["mean"] = point.mean
        return plain


def learning_curve(grid: Grid, data: str, line: str, measure: str = "f1") -> Curve:
    """The measure of a line at each ratio of a data set, with its band over seeds.

    An oracle that serves all ratios has the same point at each: a level line to be compared with.
    Bands are of each line alone. Lines share splits, so bands that overlap don't mean that lines can't be told apart;
    `paired_difference` does.
    """
    points, missing = [], 0
    for block in grid.blocks_of(data):
        values = grid.values(block, line, measure)
        missing += len(grid.seeds(block)) - len(values)
        if values:
            each = np.array(list(values.values()))
            band = seed_spread(each).interval() if len(each) >= FEWEST else None
            points.append(Point(block.ratio, grid.labelled(block), tuple(values), tuple(map(float, each)), band))
    return Curve(data, line, measure, tuple(points), missing)
