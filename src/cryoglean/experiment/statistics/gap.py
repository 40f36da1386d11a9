"""What share of the way to the oracle, which knows all labels, a line goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cryoglean.experiment.statistics.grid import (
    LEVEL,
    MEASURES,
    ORACLE,
    SUPERVISED,
    Block,
    Grid,
    Interval,
    say_dropped,
    to_plain,
)
from cryoglean.experiment.statistics.intervals import FEWEST


@dataclass(frozen=True, slots=True)
class GapClosed:
    """(line - reference) / (oracle - reference), means over seeds.

    Args:
        data: the data set.
        ratio: labelled share.
        line: what is judged.
        reference: what it is judged against.
        measure: that was compared.
        seeds: that have all three.
        dropped: seeds that lack some.
        gap: oracle less reference; None without a seed.
        share: of the gap, 1 all of it; None unless the gap is above 0 and, from 3 seeds on, clearly so.
        interval: 95 % (Fieller); None below 3 seeds or without a share.
    """

    data: str
    ratio: float
    line: str
    reference: str
    measure: str
    seeds: tuple[int, ...]
    dropped: tuple[int, ...]
    gap: float | None = None
    share: float | None = None
    interval: Interval | None = None

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        where, dropped = f"{self.line}, {self.data} at ratio {self.ratio:g}", say_dropped(self.dropped)
        if self.gap is None:
            return f"{where}: no seed has the line, {self.reference} and the oracle{dropped}."
        gap = f"gap from {self.reference} to the oracle ({self.gap:+.3f} {MEASURES[self.measure]})"
        if self.share is None:
            return f"{where}: the {gap} can't be told from 0, so there is no share of it{dropped}."
        if self.interval is None:
            return f"{where}: {self.share:.0%} of the {gap}; {len(self.seeds)} seeds give no interval{dropped}."
        return f"{where}: {self.share:.0%} of the {gap}, 95 % interval {_said(self.interval)}{dropped}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return to_plain(self)


def gap_closed(grid: Grid, block: Block, line: str, reference: str = SUPERVISED, measure: str = "f1") -> GapClosed:
    """The share of the gap to the oracle that a line closes, in one data set at one ratio.

    It is the ratio of two means over the same seeds; its interval is Fieller's (1954,
    doi:10.1111/j.2517-6161.1954.tb00159.x), over seeds. Where the gap itself may be 0 there is no share.
    """
    values = [grid.values(block, name, measure) for name in (line, reference, ORACLE)]
    seeds = tuple(seed for seed in grid.seeds(block) if all(seed in each for each in values))
    dropped = tuple(seed for seed in grid.seeds(block) if seed not in seeds)
    told = (*block, line, reference, measure, seeds, dropped)
    if not seeds:
        return GapClosed(*told)
    ours, theirs, all_labels = (np.array([each[seed] for seed in seeds]) for each in values)
    gap = float((all_labels - theirs).mean())
    if gap <= 0:
        return GapClosed(*told, gap)
    share = float((ours - theirs).mean()) / gap
    if len(seeds) < FEWEST:
        return GapClosed(*told, gap, share)
    interval = fieller(ours - theirs, all_labels - theirs)
    return GapClosed(*told, gap, None if interval is None else share, interval)


def fieller(above: NDArray[np.float64], below: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """The interval of mean(above) / mean(below), of n >= 2 pairs; None where mean(below) may be 0 (unbounded)."""
    count = len(above)
    (own, both), (_, other) = np.cov(above, below) / count
    t = float(stats.t.ppf(0.5 + level / 2, count - 1))
    ratio, mean = above.mean() / below.mean(), below.mean()
    g = t**2 * other / mean**2
    if g >= 1:
        return None
    # roots of (A - r B)^2 = t^2 (own - 2 r both + r^2 other)
    middle = ratio - t**2 * both / mean**2
    inside = middle**2 - (1 - g) * (ratio**2 - t**2 * own / mean**2)
    half = float(np.sqrt(max(inside, 0.0)))
    return float((middle - half) / (1 - g)), float((middle + half) / (1 - g))


def _said(interval: Interval) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"
