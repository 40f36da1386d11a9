"""Run what is missing of an experiment: the one loop, on this process, on workers, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from cryoglean.engine.run import run_tasks
from cryoglean.engine.tasks import EngineChoice, Task
from cryoglean.errors import RunError
from cryoglean.experiment.cell import Cell, Truth, plan_cells
from cryoglean.experiment.grid import Grid
from cryoglean.experiment.room import NO_ROOM, tells_of_no_room
from cryoglean.experiment.store import Store
from cryoglean.experiment.working import run_cell
from cryoglean.logbook import Destination, say_failure


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an experiment is.

    Args:
        cells: how many it has.
        before: how many were finished before this call.
        finished: how many this call finished.
        failed: key -> reason, of those that this call could not finish.
    """

    cells: int
    before: int
    finished: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told how far it is.

    Args:
        cell: is told each cell that has ended, and its result, or the reason why there is none.
        sentence: is told of lost workers, loggers that fail and the like.
        number: is told how many cells are to be run.
    """

    cell: Callable[[Cell, dict[str, Any] | str], None] | None = None
    sentence: Callable[[str], None] | None = None
    number: Callable[[int], None] | None = None


def plan(grid: Grid) -> list[Cell]:
    """All cells of an experiment, after its data sets were read: what can't be run is known before anything is.

    Raises:
        CryogleanError: a data set can't be used or divided, or a line can't be meant.
    """
    return list(plan_cells(grid, {name: Truth.read(data) for name, data in grid.data.items()}))


def run_experiment(
    grid: Grid,
    store: Store,
    choice: EngineChoice,
    listeners: Listeners = Listeners(),
    cells: Sequence[Cell] = (),
    logs: Sequence[Destination] = (),
) -> Progress:
    """Run the cells that have no result yet.

    A cell begins when the supervised cell that it builds on is finished. Whatever is killed, at any time: the same call
    goes on, and loses at most what a training did since its last checkpoint.

    Args:
        grid: the experiment.
        store: its folder.
        choice: where cells are run.
        listeners: who is told how far it is.
        cells: the grid's cells, if they are planned already.
        logs: where cells are logged, each as a run of its own.

    Raises:
        RunError: the disk is full; nothing finished is lost.
        CryogleanError: see `plan` and `run_tasks`.
    """
    cells = list(cells) or plan(grid)
    store.keep_grid(grid)
    by_key = {cell.key: cell for cell in cells}
    missing = {cell.key: cell for cell in cells if store.result_of(cell) is None}
    if listeners.number is not None:
        listeners.number(len(missing))
    failed: dict[str, str] = {}
    said: set[str] = set()
    finished = 0
    with closing(
        run_tasks(cell_tasks(missing, by_key, store, tuple(logs)), do_cell, choice, listeners.sentence)
    ) as outcomes:
        for outcome in outcomes:
            cell = by_key[outcome.key]
            if outcome.is_done:
                finished += 1
                said |= _say_once(outcome.value, said, listeners)
            else:
                if tells_of_no_room(outcome.error):
                    raise RunError(NO_ROOM, where=store.folder, fix="Make room, then give the same command again.")
                failed[outcome.key] = outcome.error
            if listeners.cell is not None:
                listeners.cell(cell, (store.result_of(cell) or {}) if outcome.is_done else outcome.error)
    return Progress(len(cells), len(cells) - len(missing), finished, failed)


def cell_tasks(
    missing: Mapping[str, Cell], by_key: Mapping[str, Cell], store: Store, logs: tuple[Destination, ...]
) -> Iterator[Task]:
    """The missing cells as tasks for `do_cell`, each after the cell that it builds on."""
    for key, cell in missing.items():
        store.keep_cell(cell)
        base = by_key[cell.base].folder.as_posix() if cell.base else ""
        payload = (str(store.folder.absolute()), cell.folder.as_posix(), base, logs)
        yield Task(key, payload, (cell.base,) if cell.base in missing else ())


def do_cell(payload: tuple[str, str, str, tuple[Destination, ...]]) -> list[str]:
    """One cell, whose result lies in its folder; which of its loggers failed comes back, in sentences."""
    said: list[str] = []

    def tell(event: dict[str, Any]) -> None:
        if event["event"] == "logger_failed":
            said.append(say_failure(event))

    out, folder, base, logs = payload
    run_cell(out, folder, base, tell, logs)
    return said


def _say_once(sentences: Sequence[str], said: set[str], listeners: Listeners) -> set[str]:
    """Tell those that were not told for another cell."""
    fresh = set(sentences) - said
    if listeners.sentence is not None:
        for sentence in sorted(fresh):
            listeners.sentence(sentence)
    return fresh
