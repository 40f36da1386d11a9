"""Result rows by data set, labelled ratio, seed and line; which of them pair, and which are missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from cryoglean.errors import RunError

Row = Mapping[str, Any]
Interval = tuple[float, float]

SUPERVISED = "supervised"
ORACLE = "oracle"
LEVEL = 0.95
MEASURES = {
    "f1": "F1",
    "average_precision": "AP",
    "best_f1": "best F1",
    "precision": "precision",
    "recall": "recall",
}
"""What can be compared, and how it is said."""


class Block(NamedTuple):
    """One data set at one labelled ratio: what lines are compared in."""

    data: str
    ratio: float


class Missing(NamedTuple):
    """A cell that other cells of its block lead one to expect, and that has no result."""

    data: str
    ratio: float
    seed: int
    line: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of two lines, seed by seed.

    Args:
        seeds: that have both.
        line: the rows of the line, in the order of the seeds.
        reference: the rows of the other one, likewise.
        dropped: seeds that have only one of them, or a measure that isn't defined.
    """

    seeds: tuple[int, ...]
    line: tuple[Row, ...]
    reference: tuple[Row, ...]
    dropped: tuple[int, ...]


class Grid:
    """Result rows, looked up by cell.

    The oracle knows all labels, so one row of a data set and seed serves every ratio.

    Args:
        rows: one of each finished cell, with `data`, `ratio`, `seed`, `line`, `labelled` and the measures.

    Raises:
        RunError: if a row lacks a word, or a cell has two rows.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[tuple[str, float, int, str], Row] = {}
        for row in rows:
            self._add(row)
        cells = self._rows
        self._oracles: dict[tuple[str, int], list[Row]] = {}
        self._seeds: dict[Block, set[int]] = {}
        for (data, ratio, seed, line), row in cells.items():
            self._seeds.setdefault(Block(data, ratio), set()).add(seed)
            if line == ORACLE:
                self._oracles.setdefault((data, seed), []).append(row)
        self.blocks = tuple(sorted({Block(data, ratio) for data, ratio, _, line in cells if line != ORACLE}))
        self.lines = tuple(dict.fromkeys(line for *_, line in cells))
        self.data = tuple(sorted({data for data, *_ in cells}))

    def _add(self, row: Row) -> None:
        lacking = [name for name in ("data", "ratio", "seed", "line", "labelled") if name not in row]
        if lacking:
            raise RunError(
                f"a result without {', '.join(lacking)}", where=row.get("data", ""), fix="Run its cell again."
            )
        cell = (str(row["data"]), float(row["ratio"]), int(row["seed"]), str(row["line"]))
        if cell in self._rows:
            said = "{} at ratio {:g}, seed {}, line {}".format(*cell)
            raise RunError("two results of one cell", where=said, fix="Give each cell's result once.")
        self._rows[cell] = row

    def row(self, block: Block, seed: int, line: str) -> Row | None:
        """The result of a cell; None if it is missing."""
        found = self._rows.get((block.data, block.ratio, seed, line))
        if found is None and line == ORACLE:
            every = self._oracles.get((block.data, seed), [])
            return every[0] if len(every) == 1 else None
        return found

    def seeds(self, block: Block) -> tuple[int, ...]:
        """Seeds with a result of any line at this ratio."""
        return tuple(sorted(self._seeds.get(block, ())))

    def values(self, block: Block, line: str, measure: str) -> dict[int, float]:
        """A measure by seed, where there is a result and the measure is defined."""
        found = {seed: value_of(self.row(block, seed, line), measure) for seed in self.seeds(block)}
        return {seed: value for seed, value in found.items() if value is not None}

    def pairs(self, block: Block, line: str, reference: str, measure: str) -> Pairs:
        """The rows of two lines that share a seed; the rest is counted as dropped."""
        ours, theirs = (self.values(block, name, measure) for name in (line, reference))
        both = tuple(seed for seed in self.seeds(block) if seed in ours and seed in theirs)
        lines, references = (
            tuple(row for seed in both if (row := self.row(block, seed, name)) is not None)
            for name in (line, reference)
        )
        return Pairs(both, lines, references, tuple(seed for seed in self.seeds(block) if seed not in both))

    def labelled(self, block: Block) -> int:
        """Labelled micrographs at this ratio.

        Raises:
            RunError: if seeds or lines differ in it, or it is below 1.
        """
        cells = self._rows.items()
        found = {int(row["labelled"]) for (*at, _, line), row in cells if tuple(at) == block and line != ORACLE}
        if len(found) != 1 or min(found) < 1:
            where = f"{block.data} at ratio {block.ratio:g}"
            said = " or ".join(map(str, sorted(found)))
            raise RunError(
                f"{said} labelled micrographs", where=where, fix="Give all lines and seeds the same, at least 1."
            )
        return found.pop()

    def blocks_of(self, data: str) -> list[Block]:
        """Those of a data set, fewest labels first."""
        return sorted((block for block in self.blocks if block.data == data), key=self.labelled)

    def missing(self) -> tuple[Missing, ...]:
        """Cells without a result whose block, seed and line are seen elsewhere in the data set."""
        rivals = {(data, line) for data, _, _, line in self._rows if line != ORACLE}
        expected = {(block, line) for block in self.blocks for data, line in rivals if data == block.data}
        expected |= {(Block(data, ratio), line) for data, ratio, _, line in self._rows if line == ORACLE}
        seeds = {data: {cell[2] for cell in self._rows if cell[0] == data} for data in self.data}
        cells = [Missing(*block, seed, line) for block, line in sorted(expected) for seed in sorted(seeds[block.data])]
        return tuple(cell for cell in cells if cell not in self._rows)


def value_of(row: Row | None, measure: str) -> float | None:
    """A measure of a result; None where there is no result, or it isn't defined there."""
    value = None if row is None else row.get(measure)
    return None if value is None or not math.isfinite(value) else float(value)


def to_plain(thing: Any) -> dict[str, Any]:
    """A dataclass of this package as plain values, with its sentence."""
    return {**asdict(thing), "sentence": thing.sentence}


def say_interval(interval: Interval, digits: int = 3) -> str:
    """An interval as it is said: `[+0.012, +0.034]`."""
    return f"[{interval[0]:+.{digits}f}, {interval[1]:+.{digits}f}]"


def say_dropped(seeds: Sequence[int]) -> str:
    """How many pairs a missing result cost; empty if none."""
    if not seeds:
        return ""
    return f"; {len(seeds)} seed{'s' if len(seeds) > 1 else ''} dropped, a result is missing"
