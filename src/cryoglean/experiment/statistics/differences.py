"""Is a line better than another on the same splits: the paired difference in a data set at a ratio."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import RunError
from cryoglean.experiment.statistics.grid import (
    LEVEL,
    MEASURES,
    ORACLE,
    SUPERVISED,
    Block,
    Grid,
    Interval,
    Pairs,
    Row,
    say_dropped,
    say_interval,
    to_plain,
    value_of,
)
from cryoglean.experiment.statistics.intervals import (
    FEWEST,
    SAME,
    Spread,
    crossed_bootstrap,
    effect_size,
    pooled_f1,
    seed_spread,
    two_way_spread,
    win_rate,
)

GAIN, LOSS, NONE = "gain", "loss", "no detectable gain"
TOO_FEW, COPIES, NO_PAIR = "too few seeds", "no spread", "no pair"
"""What can be said of a difference."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A line less its reference, seed by seed.

    Args:
        data: the data set.
        ratio: labelled share of the training micrographs.
        line: what is judged.
        reference: what it is judged against.
        measure: `f1`, `average_precision`, `best_f1`, `precision` or `recall`.
        seeds: that have both.
        dropped: seeds whose pair is incomplete.
        micrographs: test micrographs that the interval is drawn over, too; 0 if over seeds alone.
        by_seed: the differences, in the order of the seeds.
        line_mean: over seeds; None without a pair.
        reference_mean: over seeds; None without a pair.
        interval: 95 %; None below 3 seeds, or where no seed differs from another.
        bootstrap_interval: 95 % percentile interval over seeds and micrographs, to compare; None below 3 seeds,
            without counts of each micrograph, or where another level is asked for.
        spread: mean, standard error and degrees of freedom that the interval is made of.
        effect_size: Cohen's d_z corrected for few seeds (Hedges).
        win_rate: share of seeds in which the line is better; ties count half.
        verdict: `gain`, `loss`, `no detectable gain`, `too few seeds`, `no spread` or `no pair`.
    """

    data: str
    ratio: float
    line: str
    reference: str
    measure: str
    seeds: tuple[int, ...]
    dropped: tuple[int, ...]
    micrographs: int = 0
    by_seed: tuple[float, ...] = ()
    line_mean: float | None = None
    reference_mean: float | None = None
    interval: Interval | None = None
    bootstrap_interval: Interval | None = None
    spread: Spread | None = field(default=None)
    effect_size: float | None = None
    win_rate: float | None = None
    verdict: str = NO_PAIR

    @property
    def difference(self) -> float | None:
        """The mean over seeds."""
        return float(np.mean(self.by_seed)) if self.by_seed else None

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        where = f"{self.line} against {self.reference}, {self.data} at ratio {self.ratio:g}"
        dropped = say_dropped(self.dropped)
        if self.difference is None:
            return f"{where}: no pair{dropped}."
        mean = f"{self.difference:+.3f} {MEASURES[self.measure]}"
        if self.verdict == TOO_FEW:
            each = " and ".join(f"{one:+.3f}" for one in self.by_seed)
            many = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
            return f"{where}: {each} with {many}; how much trainings differ can't be told from them{dropped}."
        if self.verdict == COPIES or self.interval is None:
            return f"{where}: {mean} in each seed to the last digit; they look like copies of one run{dropped}."
        over = f"{len(self.seeds)} seeds" + (f", {self.micrographs} test micrographs" if self.micrographs else "")
        return f"{where}: {self.verdict}, {mean}, 95 % interval {say_interval(self.interval)}, {over}{dropped}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**to_plain(self), "difference": self.difference}


def paired_difference(
    grid: Grid, block: Block, line: str, reference: str = SUPERVISED, *, measure: str = "f1", level: float = LEVEL
) -> PairedDifference:
    """The difference of two lines in one data set at one ratio.

    F1 is pooled from the counts of each test micrograph, and its interval is over seeds and micrographs
    (`two_way_spread`). Other measures, and rows without counts, have a t interval over seeds: it is about trainings on
    these test micrographs, and says nothing of other ones.

    Args:
        grid: the results.
        block: data set and ratio.
        line: what is judged.
        reference: what it is judged against.
        measure: one of `MEASURES`.
        level: of the interval; another one than 0.95 moves the verdict along.

    Raises:
        RunError: if two results were tested on other micrographs.
    """
    pairs = grid.pairs(block, line, reference, measure)
    told = {"line": line, "reference": reference, "measure": measure, "seeds": pairs.seeds, "dropped": pairs.dropped}
    if not pairs.seeds:
        return PairedDifference(*block, **told)  # type: ignore[arg-type]
    counts = _counts(pairs) if measure == "f1" else None
    scores = _scores(pairs, measure) if counts is None else pooled_f1(*counts, np.ones((1, counts[0].shape[-1])))[0]
    each = scores[0] - scores[1]
    spread = _spread(each, counts)
    interval = None if spread is None or _are_copies(each) else spread.interval(level)
    return PairedDifference(
        *block,
        **told,  # type: ignore[arg-type]
        micrographs=counts[0].shape[-1] if counts is not None and spread is not None else 0,
        by_seed=tuple(map(float, each)),
        line_mean=float(scores[0].mean()),
        reference_mean=float(scores[1].mean()),
        interval=interval,
        bootstrap_interval=crossed_bootstrap(*counts)
        if counts is not None and spread is not None and level == LEVEL
        else None,
        spread=spread,
        effect_size=effect_size(each),
        win_rate=win_rate(each),
        verdict=_verdict(spread, interval),
    )


def paired_differences(
    grid: Grid, reference: str = SUPERVISED, measure: str = "f1", lines: Iterable[str] | None = None
) -> tuple[PairedDifference, ...]:
    """Of each line to the reference, in each data set and ratio that has one of the two.

    Args:
        grid: the results.
        reference: what lines are judged against.
        measure: one of `MEASURES`.
        lines: which; all of the grid but the reference if None.
    """
    judged = [line for line in lines or grid.lines if line != reference]
    there = [
        (block, line)
        for line in judged
        for block in grid.blocks
        if any(grid.row(block, seed, name) for seed in grid.seeds(block) for name in (line, reference))
    ]
    return tuple(paired_difference(grid, block, line, reference, measure=measure) for block, line in there)


def rivals(grid: Grid, reference: str | None = SUPERVISED) -> tuple[str, ...]:
    """The lines that compete: all but the oracle, whose labels nobody else has, and the reference."""
    return tuple(line for line in grid.lines if line not in (ORACLE, reference))


def _spread(each: NDArray[np.float64], counts: tuple[NDArray[np.float64], NDArray[np.float64]] | None) -> Spread | None:
    if len(each) < FEWEST:
        return None
    return seed_spread(each) if counts is None else two_way_spread(*counts)


def _are_copies(each: NDArray[np.float64]) -> bool:
    """Whether all differences are one and the same, and not 0: then seeds are no repeats."""
    return bool(np.ptp(each) < SAME and abs(each[0]) > SAME)


def _verdict(spread: Spread | None, interval: Interval | None) -> str:
    if spread is None:
        return TOO_FEW
    if interval is None:
        return COPIES
    if interval[0] > 0:
        return GAIN
    return LOSS if interval[1] < 0 else NONE


def _scores(pairs: Pairs, measure: str) -> NDArray[np.float64]:
    """(2, seeds)."""
    return np.array(
        [[value_of(row, measure) for row in rows] for rows in (pairs.line, pairs.reference)], dtype=np.float64
    )


def _counts(pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """True positives, and picks + truth, each (2, seeds, micrographs); None without counts of two micrographs."""
    rows = (*pairs.line, *pairs.reference)
    tables = [{one["micrograph"]: one for one in row.get("per_micrograph") or ()} for row in rows]
    names = sorted(tables[0])
    if not all(tables) or len(names) < 2:
        return None
    for row, table in zip(rows, tables, strict=True):
        if sorted(table) != names or any(table[name]["truth"] != tables[0][name]["truth"] for name in names):
            _refuse(row)
    shape = (2, len(pairs.seeds), len(names))
    hits = [[table[name]["true_positives"] for name in names] for table in tables]
    both = [[table[name]["picks"] + table[name]["truth"] for name in names] for table in tables]
    return np.array(hits, dtype=np.float64).reshape(shape), np.array(both, dtype=np.float64).reshape(shape)


def _refuse(row: Row) -> None:
    raise RunError(
        "tested on other micrographs, or with other truth, than the results it is compared with",
        where=f"{row['data']} at ratio {row['ratio']:g}, seed {row['seed']}, line {row['line']}",
        fix="Run all cells of a data set with the same test micrographs.",
    )
