"""With how few labels a line reaches the score for which another one needs many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from cryoglean.experiment.statistics.grid import LEVEL, MEASURES, SUPERVISED, Grid, say_dropped, to_plain
from cryoglean.experiment.statistics.intervals import FEWEST

_FINE = 401  # places between the fewest and the most labels where the interval is looked for

REACHED, AT_START, NOT_REACHED = "reached", "beyond the curve", "not reached"
"""Whether a line's curve comes to a score."""


@dataclass(frozen=True, slots=True)
class Saving:
    """With how many labels a line reaches the score of its reference.

    Args:
        data: the data set.
        line: what is judged.
        reference: what it is judged against.
        measure: that was compared.
        labelled: micrographs of the reference.
        target: the reference's score with them, on its rising mean curve; None without a shared seed.
        status: `reached`, `beyond the curve` (the line is there at its fewest labels, and less was not tried), or
            `not reached`.
        labels: micrographs with which the line's rising mean curve comes to the target; None unless reached.
        lower: of the 95 % interval; None if it goes below the fewest labels tried, or there is no interval.
        upper: of it; None if it goes above the most labels tried, or there is no interval.
        seeds: that have all results of both lines.
        dropped: seeds that lack some.
        tried: the fewest and the most labelled micrographs that both have.
    """

    data: str
    line: str
    reference: str
    measure: str
    labelled: int
    target: float | None
    status: str
    labels: float | None
    lower: float | None
    upper: float | None
    seeds: tuple[int, ...]
    dropped: tuple[int, ...]
    tried: tuple[int, int]

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for one, be it open or not."""
        return len(self.seeds) >= FEWEST

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval lies below the reference's labels."""
        return self.has_interval and self.upper is not None and self.upper < self.labelled

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        name, dropped = MEASURES[self.measure], say_dropped(self.dropped)
        where = f"{self.line}, {self.data}"
        of = f"the {name} of {self.labelled} labelled micrographs of {self.reference}"
        if self.target is None:
            return f"{where}: no seed has all results, so {of} has nothing to be compared with{dropped}."
        if self.status == NOT_REACHED:
            return f"{where}: {of} is not reached with {self.tried[1]} or fewer{self._said_interval()}{dropped}."
        with_ = (
            f"{self.labels:.1f}" if self.labels is not None else f"{self.tried[0]} or fewer (the curve begins there)"
        )
        return f"{where}: {of} is reached with {with_}{self._said_interval()}{dropped}."

    def _said_interval(self) -> str:
        if not self.has_interval:
            return f"; {len(self.seeds)} seeds give no interval"
        low = f"below {self.tried[0]}" if self.lower is None else f"{self.lower:.1f}"
        high = f"above {self.tried[1]}" if self.upper is None else f"{self.upper:.1f}"
        return f", 95 % interval {low} to {high}" + ("" if self.is_clear else ": no detectable saving")

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**to_plain(self), "has_interval": self.has_interval, "is_clear": self.is_clear}


def label_savings(
    grid: Grid, data: str, line: str, reference: str = SUPERVISED, measure: str = "f1"
) -> tuple[Saving, ...]:
    """For each number of labels of the reference, with how many the line does as well.

    The curve is the mean over seeds, made to rise (isotonic regression; Barlow & Brunk 1972,
    doi:10.1080/01621459.1972.10481216), and joined by straight lines over the logarithm of the labels.

    The interval holds the numbers of labels at which the paired t interval over seeds of (line there - reference at
    its labels) contains 0: Fieller's way (1954, doi:10.1111/j.2517-6161.1954.tb00159.x), which has open ends where the
    data don't bound it, and covers with 3 seeds; a percentile bootstrap over seeds does neither.

    Args:
        grid: the results.
        data: the data set.
        line: what is judged.
        reference: what it is judged against.
        measure: one of `MEASURES`.

    Returns:
        One for each ratio that both lines have; empty if they share fewer than two.
    """
    blocks = [b for b in grid.blocks_of(data) if all(grid.values(b, name, measure) for name in (line, reference))]
    if len(blocks) < 2:
        return ()
    tables = [[grid.values(block, name, measure) for block in blocks] for name in (line, reference)]
    every = sorted({seed for block in blocks for seed in grid.seeds(block)})
    seeds = tuple(seed for seed in every if all(seed in column for table in tables for column in table))
    ours, theirs = (np.array([[column[seed] for column in table] for seed in seeds]) for table in tables)
    labelled = [grid.labelled(block) for block in blocks]
    dropped = tuple(seed for seed in every if seed not in seeds)
    told = (data, line, reference, measure)
    ends = (labelled[0], labelled[-1])
    savings = []
    for place, count in enumerate(labelled):
        found = _cross(np.log(labelled), ours, theirs, place) if seeds else _Crossing()
        savings.append(Saving(*told, count, **found._asdict(), seeds=seeds, dropped=dropped, tried=ends))
    return tuple(savings)


class _Crossing(NamedTuple):
    """What `Saving` says under the same names."""

    target: float | None = None
    status: str = NOT_REACHED
    labels: float | None = None
    lower: float | None = None
    upper: float | None = None


def _cross(log: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64], place: int) -> _Crossing:
    """Where our mean curve comes to theirs at one place; both are (seeds, ratios)."""
    target = float(_rising(theirs)[place])
    labels = _first_reach(log, _rising(ours), target)
    status = REACHED
    if labels is None:
        status = NOT_REACHED
    elif labels <= log[0]:
        labels, status = None, AT_START
    told = None if labels is None else float(np.exp(labels))
    if len(ours) < FEWEST:
        return _Crossing(target, status, told)
    fine = np.linspace(log[0], log[-1], _FINE)
    less = np.array([np.interp(fine, log, each) for each in ours]) - theirs[:, place, None]
    half = stats.t.ppf(0.5 + LEVEL / 2, len(ours) - 1) * less.std(axis=0, ddof=1) / np.sqrt(len(ours))
    may_reach, may_lack = less.mean(axis=0) + half >= 0, less.mean(axis=0) - half <= 0
    lower = fine[may_reach.argmax()] if may_reach.any() else np.inf
    upper = fine[_FINE - 1 - may_lack[::-1].argmax()] if may_lack.any() else -np.inf
    at = {REACHED: labels, AT_START: log[0], NOT_REACHED: log[-1]}[status]
    lower, upper = min(lower, at), max(upper, at)
    return _Crossing(
        target,
        status,
        told,
        lower=float(np.exp(lower)) if lower > log[0] else None,
        upper=float(np.exp(upper)) if upper < log[-1] else None,
    )


def _rising(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(optimize.isotonic_regression(table.mean(axis=0)).x)


def _first_reach(log: NDArray[np.float64], curve: NDArray[np.float64], target: float) -> float | None:
    """Where a rising curve comes to a target first; the fewest labels if it is there already, None if it never does."""
    reached = np.flatnonzero(curve >= target - 1e-12)
    if not len(reached):
        return None
    after = int(reached[0])
    if after == 0:
        return float(log[0])
    return float(np.interp(target, curve[after - 1 : after + 1], log[after - 1 : after + 1]))
