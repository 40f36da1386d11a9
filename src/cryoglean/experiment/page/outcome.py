"""What there is to report: the cells that were asked for, how each ended, and what the finished ones say together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cryoglean.errors import CryogleanError
from cryoglean.experiment.grid import Grid
from cryoglean.experiment.running import plan
from cryoglean.experiment.statistics.account import Account, account_for
from cryoglean.experiment.statistics.cost import cpu_seconds
from cryoglean.experiment.statistics.differences import PairedDifference
from cryoglean.experiment.statistics.gap import GapClosed
from cryoglean.experiment.statistics.grid import Block, Row
from cryoglean.experiment.statistics.grid import Grid as Results
from cryoglean.experiment.store import Store, as_records

_CELLS = "SELECT key, data, ratio, seed, line, status, error, finished FROM cells ORDER BY finished"


class Place(NamedTuple):
    """Where a cell stands in the grid."""

    data: str
    ratio: float
    seed: int
    line: str

    def __str__(self) -> str:
        return f"{self.data}, {say_ratio(self.ratio)} labelled, seed {self.seed}, {self.line}"


class End(NamedTuple):
    """How far a cell is: finished, failed, begun, waiting, or not there; why it failed."""

    status: str
    key: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line in one data set at one ratio.

    Args:
        block: data set and ratio.
        line: its name.
        labelled: micrographs.
        f1: by seed.
        average_precision: by seed.
        cpu_seconds: mean over seeds of training and picking; None if it isn't known.
        difference: of F1 to the supervised line; None of that line itself, and without a result of either.
        precision_difference: the same of average precision.
        gap: to the oracle; None without one, and of the lines that it is told from.
    """

    block: Block
    line: str
    labelled: int
    f1: Mapping[int, float]
    average_precision: Mapping[int, float]
    cpu_seconds: float | None
    difference: PairedDifference | None
    precision_difference: PairedDifference | None
    gap: GapClosed | None


@dataclass(frozen=True)
class Outcome:
    """An experiment as far as it is.

    Args:
        folder: the experiment's.
        grid: what was asked for.
        cells: each cell of it, finished or not.
        rows: the results of the finished ones.
    """

    folder: Path
    grid: Grid
    cells: Mapping[Place, End]
    rows: tuple[Row, ...]

    @classmethod
    def read(cls, store: Store, keys: Collection[str] | None = None) -> Outcome:
        """What a folder says.

        Args:
            store: the experiment's folder; it may hold cells of earlier grids, too.
            keys: of the cells that count. None: those that the grid plans; where its data can't be read any more, the
                cells that finished last at each place of the grid.

        Raises:
            RunError: the folder is no experiment, or a result in it can't be read.
        """
        grid = store.grid()
        keys = _planned(grid) if keys is None else keys
        cells = dict.fromkeys(_places(grid), End("not there"))
        for told in as_records(*store.ask(_CELLS)):
            place = Place(*(told[name] for name in Place._fields))
            if place in cells and (keys is None or told["key"] in keys):
                cells[place] = End(told["status"], told["key"], told["error"] or "")
        rows = store.rows({end.key for end in cells.values() if end.status == "finished"})
        return cls(store.folder, grid, cells, tuple(rows))

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.resolve().name

    @cached_property
    def results(self) -> Results:
        """The rows, looked up by cell."""
        return Results(self.rows)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """What the results say of F1 and of average precision."""
        return {measure: account_for(self.rows, measure=measure) for measure in ("f1", "average_precision")}

    @cached_property
    def account(self) -> Account:
        """Of F1."""
        return self.accounts["f1"]

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Those with a result: supervised first, the oracle last."""
        return tuple(name for name in self.grid.all_lines() if name in self.results.lines)

    @cached_property
    def data(self) -> tuple[str, ...]:
        """The data sets with a result, in the order of the grid."""
        return tuple(name for name in self.grid.data if name in self.results.data)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The data sets and ratios with a result, in the order of the grid."""
        return tuple(sorted(self.results.blocks, key=lambda block: (self.data.index(block.data), block.ratio)))

    def rows_of(self, data: str, line: str) -> list[Row]:
        """The results of a line in a data set."""
        return [row for row in self.rows if (row["data"], row["line"]) == (data, line)]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Of each line in each data set and ratio where it has a result."""
        return tuple(
            self._entry(block, line)
            for block in self.blocks
            for line in self.lines
            if any(self.results.row(block, seed, line) for seed in self.results.seeds(block))
        )

    def ended(self, *statuses: str) -> dict[Place, End]:
        """The cells with one of these statuses."""
        return {place: end for place, end in self.cells.items() if end.status in statuses}

    def in_order(self, lines: Iterable[str]) -> list[str]:
        """Lines in the order of the grid."""
        found = set(lines)
        return [line for line in self.lines if line in found]

    def _entry(self, block: Block, line: str) -> Entry:
        found = self.results
        each = [cpu_seconds(found.row(block, seed, line)) for seed in found.seeds(block)]
        costs = [cost for cost in each if cost is not None]
        at = (*block, line)
        differences = {measure: _at(at, account.differences) for measure, account in self.accounts.items()}
        return Entry(
            block, line, found.labelled(block), found.values(block, line, "f1"),
            found.values(block, line, "average_precision"), float(np.mean(costs)) if costs else None,
            differences["f1"], differences["average_precision"], _at(at, self.account.gaps),
        )  # fmt: skip


def say_ratio(ratio: float) -> str:
    """A labelled share as it is said: `5 %`, never on two lines."""
    return f"{100 * ratio:g}\u00a0%"


def _at(place: tuple[str, float, str], every: Iterable[Any]) -> Any:
    return next((one for one in every if (one.data, one.ratio, one.line) == place), None)


def _planned(grid: Grid) -> set[str] | None:
    try:
        return {cell.key for cell in plan(grid)}
    except CryogleanError:  # the data are elsewhere by now; the results are here
        return None


def _places(grid: Grid) -> list[Place]:
    return [
        Place(data, ratio, seed, name)
        for data in grid.data
        for ratio in grid.ratios
        for seed in grid.seeds
        for name, line in grid.all_lines().items()
        if not line.is_oracle or ratio == grid.ratios[-1]  # one oracle serves all ratios
    ]
