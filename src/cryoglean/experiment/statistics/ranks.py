"""Which lines can be told apart, and which can't: average ranks over data sets, and groups within one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cryoglean.experiment.statistics.differences import NONE, TOO_FEW, paired_difference, rivals
from cryoglean.experiment.statistics.grid import LEVEL, Block, Grid, to_plain

_FEWEST_LINES = 3
_FEWEST_BLOCKS = 3

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The numbers of a critical difference diagram.

    Args:
        lines: best average rank first.
        measure: that was ranked.
        average_ranks: of each line, 1 the best; empty if there is nothing to rank.
        blocks: data sets x ratios with a result of every line in a shared seed.
        dropped: data sets x ratios without.
        statistic: Friedman's chi-squared, ties corrected; None where it can't be asked.
        p: of it; None likewise.
        critical_difference: of average ranks, Nemenyi at 5 %; None likewise.
        groups: largest sets of lines that can't be told apart; a line alone in one differs from all.
    """

    lines: tuple[str, ...]
    measure: str
    average_ranks: tuple[float, ...]
    blocks: int
    dropped: int
    statistic: float | None
    p: float | None
    critical_difference: float | None
    groups: Groups

    @property
    def is_ranking(self) -> bool:
        """Whether any two lines can be told apart."""
        return len(self.groups) > 1

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        dropped = f"; {self.dropped} dropped, a line has no result there" if self.dropped else ""
        if self.p is None:
            few = f"{len(self.lines)} lines in {self.blocks} pairs of data set and ratio"
            return f"No ranking: {few}, {_FEWEST_LINES} and {_FEWEST_BLOCKS} are needed{dropped}."
        tested = f"Friedman p = {self.p:.2g} over {self.blocks} pairs of data set and ratio"
        if not self.is_ranking:
            return f"No ranking: {tested}; {', '.join(self.lines)} can't be told apart{dropped}."
        said = "; ".join(" = ".join(group) for group in self.groups)
        apart = f"ranks closer than {self.critical_difference:.2f} are not told apart"
        return f"{tested}; {apart}: {said}{dropped}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**to_plain(self), "is_ranking": self.is_ranking}


def rank_lines(grid: Grid, measure: str = "f1", lines: Iterable[str] | None = None) -> Ranking:
    """Friedman's test, and Nemenyi's critical difference, as in Demsar 2006 (JMLR 7:1-30).

    A block is one data set at one ratio: the means of the lines over the seeds that all of them have. If Friedman's
    test is not significant at 5 %, all lines are one group, whatever their ranks.

    Args:
        grid: the results.
        measure: one of `MEASURES`.
        lines: which; all but the oracle if None.
    """
    names = tuple(lines or rivals(grid, None))
    means = [found for block in grid.blocks if (found := _block_means(grid, block, names, measure)) is not None]
    dropped = len(grid.blocks) - len(means)
    if len(means) < _FEWEST_BLOCKS or len(names) < _FEWEST_LINES:
        return Ranking(names, measure, (), len(means), dropped, None, None, None, (names,))
    table = np.array(means)
    statistic, p = friedman(table)
    ranks = average_ranks(table)
    order = np.argsort(ranks, kind="stable")
    sorted_ranks, critical = ranks[order], critical_difference(*table.shape[::-1])
    ordered = tuple(names[index] for index in order)
    groups: Groups = (ordered,)
    if p <= 1 - LEVEL:
        groups = _groups(ordered, lambda a, b: bool(sorted_ranks[b] - sorted_ranks[a] < critical))
    return Ranking(
        ordered, measure, tuple(map(float, sorted_ranks)), len(means), dropped, statistic, p, critical, groups
    )


def average_ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the columns of (blocks, lines); the highest value has rank 1, ties share their mean rank."""
    return np.asarray(stats.rankdata(-table, axis=1).mean(axis=0))


def friedman(table: NDArray[np.float64]) -> tuple[float, float]:
    """Friedman's chi-squared of (blocks, lines), ties corrected, and its p; 0 and 1 if all is tied."""
    if np.all(table == table[:, :1]):
        return 0.0, 1.0
    found = stats.friedmanchisquare(*table.T)
    return float(found.statistic), float(found.pvalue)


def critical_difference(lines: int, blocks: int, level: float = LEVEL) -> float:
    """Average ranks further apart than this differ (Nemenyi): q sqrt(k (k + 1) / (6 N)).

    q is the studentised range of k lines at infinite degrees of freedom, over sqrt(2).
    """
    q = float(stats.studentized_range.ppf(level, lines, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(lines * (lines + 1) / (6 * blocks)))


@dataclass(frozen=True, slots=True)
class BlockGroups:
    """Lines of one data set and ratio that can't be told apart.

    Args:
        data: the data set.
        ratio: labelled share.
        measure: that was compared.
        lines: highest mean first; those with a result.
        means: over the seeds of each.
        groups: largest sets of neighbours of which no two differ.
        untested: pairs of lines with fewer than 3 shared seeds, taken for not told apart.
    """

    data: str
    ratio: float
    measure: str
    lines: tuple[str, ...]
    means: tuple[float, ...]
    groups: Groups
    untested: int

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        where = f"{self.data} at ratio {self.ratio:g}"
        untested = f" ({self.untested} pairs have fewer than 3 shared seeds)" if self.untested else ""
        if len(self.groups) < 2:
            return f"{where}: no ranking, {', '.join(self.lines)} can't be told apart{untested}."
        said = "; ".join(" = ".join(group) for group in self.groups)
        return f"{where}, best first, lines joined by = can't be told apart: {said}{untested}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return to_plain(self)


def group_block(grid: Grid, block: Block, measure: str = "f1", lines: Iterable[str] | None = None) -> BlockGroups:
    """Groups of lines whose paired intervals contain 0, at 5 % for all pairs of lines together (Bonferroni).

    Args:
        grid: the results.
        block: data set and ratio.
        measure: one of `MEASURES`.
        lines: which; all but the oracle if None.
    """
    names = lines or rivals(grid, None)
    means = {
        name: float(np.mean(list(found.values()))) for name in names if (found := grid.values(block, name, measure))
    }
    ordered = tuple(sorted(means, key=lambda name: -means[name]))
    many = max(1, len(ordered) * (len(ordered) - 1) // 2)
    level = 1 - (1 - LEVEL) / many
    verdicts = {
        (a, b): paired_difference(grid, block, ordered[a], ordered[b], measure=measure, level=level).verdict
        for a in range(len(ordered))
        for b in range(a + 1, len(ordered))
    }
    alike = {NONE, TOO_FEW, "no pair", "no spread"}
    groups = _groups(ordered, lambda a, b: verdicts[a, b] in alike)
    untested = sum(verdict in alike - {NONE} for verdict in verdicts.values())
    return BlockGroups(*block, measure, ordered, tuple(means[name] for name in ordered), groups, untested)


def _groups(ordered: Sequence[str], is_alike: Callable[[int, int], bool]) -> Groups:
    """Largest runs of neighbours of which no two differ."""
    runs: list[tuple[int, int]] = []
    for start in range(len(ordered)):
        end = start + 1
        while end < len(ordered) and all(is_alike(before, end) for before in range(start, end)):
            end += 1
        if not runs or end > runs[-1][1]:
            runs.append((start, end))
    return tuple(tuple(ordered[start:end]) for start, end in runs)


def _block_means(grid: Grid, block: Block, lines: Sequence[str], measure: str) -> list[float] | None:
    """Of each line over the seeds that all have; None without one."""
    values = [grid.values(block, line, measure) for line in lines]
    shared = set.intersection(*map(set, values)) if values else set()
    return [float(np.mean([each[seed] for seed in sorted(shared)])) for each in values] if shared else None
