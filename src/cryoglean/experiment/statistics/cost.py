"""What a gain costs in processor time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cryoglean.experiment.statistics.differences import GAIN, PairedDifference, paired_difference
from cryoglean.experiment.statistics.grid import MEASURES, ORACLE, SUPERVISED, Block, Grid, Row, to_plain, value_of

_HOUR = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class CostPoint:
    """A line in one data set at one ratio: what it scores and what it costs.

    Args:
        data: the data set.
        ratio: labelled share.
        line: its name.
        measure: what was measured.
        seeds: with the measure and its cost.
        score: mean of the measure over them.
        cpu_seconds: mean of training and picking; children and all threads, as the rows have it.
        is_on_front: whether no line scores as much for less, or more for as much; the oracle, which knows all labels,
            is no competitor: it beats none and is never on the front.
        reference: what it is judged against.
        verdict: of the paired difference to the reference.
        gain: mean paired difference of the measure; None of the reference itself, and without a pair.
        extra_cpu_seconds: mean paired difference of the cost; None likewise.
        gain_per_cpu_hour: gain / extra CPU-hours; None unless the gain is detectable and cost more.
    """

    data: str
    ratio: float
    line: str
    measure: str
    seeds: tuple[int, ...]
    score: float
    cpu_seconds: float
    is_on_front: bool = False
    reference: str = SUPERVISED
    verdict: str = ""
    gain: float | None = None
    extra_cpu_seconds: float | None = None
    gain_per_cpu_hour: float | None = None

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        name = MEASURES[self.measure]
        where = f"{self.line}, {self.data} at ratio {self.ratio:g}"
        said = f"{where}: {name} {self.score:.3f} for {self.cpu_seconds:.0f} CPU-seconds"
        front = (
            ""
            if self.is_on_front or self.line == ORACLE
            else "; another line does as well for less, or better for as much"
        )
        if self.gain_per_cpu_hour is not None:
            return f"{said}, {self.gain_per_cpu_hour:+.3f} for each CPU-hour more than {self.reference}{front}."
        if self.verdict == GAIN and self.extra_cpu_seconds is not None:
            return f"{said}, a gain that costs no more than {self.reference}{front}."
        return f"{said}{f', {self.verdict}' if self.verdict else ''}{front}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return to_plain(self)


def cost_points(
    grid: Grid, block: Block, reference: str = SUPERVISED, measure: str = "f1", lines: Iterable[str] | None = None
) -> tuple[CostPoint, ...]:
    """Score and cost of each line, cheapest first.

    Args:
        grid: the results; rows without `train_cpu_seconds` are left out.
        block: data set and ratio.
        reference: what gains and extra costs are against.
        measure: one of `MEASURES`.
        lines: which; all if None.
    """
    points = []
    for line in lines or grid.lines:
        rows = {seed: grid.row(block, seed, line) for seed in grid.values(block, line, measure)}
        known = {seed: cost for seed, row in rows.items() if (cost := cpu_seconds(row)) is not None}
        if known:
            score = float(np.mean([grid.values(block, line, measure)[seed] for seed in known]))
            point = CostPoint(*block, line, measure, tuple(known), score, float(np.mean(list(known.values()))))
            points.append(_against(point, grid, block, reference))
    points.sort(key=lambda point: (point.cpu_seconds, -point.score))
    rivals = [point for point in points if point.line != ORACLE]
    best = pareto_front([(point.cpu_seconds, point.score) for point in rivals])
    front = {point.line for place, point in enumerate(rivals) if place in best}
    return tuple(replace(point, is_on_front=point.line in front) for point in points)


def _against(point: CostPoint, grid: Grid, block: Block, reference: str) -> CostPoint:
    if point.line == reference:
        return replace(point, reference=reference)
    found = paired_difference(grid, block, point.line, reference, measure=point.measure)
    extra = _extra_cost(grid, block, found)
    pays = found.verdict == GAIN and extra is not None and extra > 0 and found.difference is not None
    return replace(
        point,
        reference=reference,
        verdict=found.verdict,
        gain=found.difference,
        extra_cpu_seconds=extra,
        gain_per_cpu_hour=found.difference / (extra / _HOUR) if pays and extra and found.difference else None,
    )


def _extra_cost(grid: Grid, block: Block, found: PairedDifference) -> float | None:
    each = [
        [cpu_seconds(grid.row(block, seed, line)) for line in (found.line, found.reference)] for seed in found.seeds
    ]
    known = [ours - theirs for ours, theirs in each if ours is not None and theirs is not None]
    return float(np.mean(known)) if known else None


def cpu_seconds(row: Row | None) -> float | None:
    """Training and picking together; None without the former."""
    train = value_of(row, "train_cpu_seconds")
    return None if train is None else train + (value_of(row, "pick_cpu_seconds") or 0.0)


def pareto_front(points: Sequence[tuple[float, float]]) -> frozenset[int]:
    """The places of the (cost, score) points that no other one beats: as cheap and as good, and better in one."""

    def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return one != other and one[0] <= other[0] and one[1] >= other[1]

    return frozenset(i for i, point in enumerate(points) if not any(beats(other, point) for other in points))
