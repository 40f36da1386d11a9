"""The folder of an experiment: a folder for each cell, and an index of all results that SQL can ask.

    grid.yaml                               the experiment as it was asked for
    cells/DATA/RATIO/seed_S/LINE-KEY/       a cell: cell.json, run/ (an ordinary run), test.csv, result.json
    index.sqlite                            made anew from the cells whenever it is asked

`result.json` is written last and at once: a cell with one is finished, and nothing else counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoglean.durable import write_file_atomically, write_json_atomically, write_text_atomically
from cryoglean.errors import RunError, SettingsError
from cryoglean.experiment.cell import CELL_FILE, Cell
from cryoglean.experiment.grid import Grid, read_grid

RESULT_FILE, ERROR_FILE = "result.json", "error.json"

_COLUMNS = {
    "key": "TEXT", "data": "TEXT", "ratio": "REAL", "labelled": "INTEGER", "seed": "INTEGER",
    "line": "TEXT", "strategy": "TEXT", "is_oracle": "INTEGER", "status": "TEXT",
    "f1": "REAL", "precision": "REAL", "recall": "REAL", "average_precision": "REAL", "best_f1": "REAL",
    "threshold": "REAL", "validation_f1": "REAL", "validation_average_precision": "REAL",
    "rounds_tried": "INTEGER", "rounds_counted": "INTEGER", "steps": "INTEGER",
    "train_cpu_seconds": "REAL", "train_wall_seconds": "REAL", "pick_cpu_seconds": "REAL",
    "machine_joules": "REAL",
    "settings_hash": "TEXT", "machine": "TEXT", "finished": "TEXT", "error": "TEXT", "folder": "TEXT",
}  # fmt: skip
_TABLES = {
    "cells": _COLUMNS,
    "micrographs": {
        "key": "TEXT", "micrograph": "TEXT", "true_positives": "INTEGER", "picks": "INTEGER", "truth": "INTEGER",
        "f1": "REAL",
    },
    "rounds": {
        "key": "TEXT", "round": "INTEGER", "counts": "INTEGER", "gain": "REAL", "gain_standard_error": "REAL",
        "particle_share": "REAL", "usage": "REAL", "precision": "REAL", "recall": "REAL",
    },
}  # fmt: skip
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


@dataclass(frozen=True, slots=True)
class Store:
    """An experiment's folder.

    Args:
        folder: need not exist yet.
    """

    folder: Path

    @property
    def grid_file(self) -> Path:
        """`grid.yaml`."""
        return self.folder / "grid.yaml"

    @property
    def index_file(self) -> Path:
        """`index.sqlite`."""
        return self.folder / "index.sqlite"

    def keep_grid(self, grid: Grid) -> None:
        """Write the grid, as it is now asked for; cells of another one stay."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = grid.to_yaml()
        if not self.grid_file.exists() or self.grid_file.read_text(encoding="utf-8") != text:
            write_text_atomically(self.grid_file, text)

    def grid(self) -> Grid:
        """The grid that was asked for last.

        Raises:
            RunError: the folder is no experiment.
        """
        if not self.grid_file.exists():
            raise RunError("it is no experiment", where=self.folder, fix="Give the --out of a `cryoglean experiment`.")
        return read_grid(self.grid_file)

    def keep_cell(self, cell: Cell) -> Path:
        """Write what a cell is, unless it stands there; gives its folder."""
        folder = self.folder / cell.folder
        if not (folder / CELL_FILE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_json_atomically(folder / CELL_FILE, cell.to_json())
        return folder

    def result_of(self, cell: Cell) -> dict[str, Any] | None:
        """The result of a finished cell; None where there is none yet."""
        return read_result(self.folder / cell.folder)

    def rows(self, keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The results of all finished cells, or of those with these keys, in order of their folders."""
        wanted = None if keys is None else set(keys)
        found = (read_result(file.parent) for file in sorted(self.folder.glob(f"cells/*/*/*/*/{RESULT_FILE}")))
        return [row for row in found if row is not None and (wanted is None or row["key"] in wanted)]

    def make_index(self) -> Path:
        """Write `index.sqlite` from what the cells say, finished or not: tables cells, micrographs, rounds.

        Raises:
            RunError: the folder is no experiment, a file of a cell is broken, or the index can't be written.
        """
        self.grid()
        entries = [_entry(file.parent, self.folder) for file in sorted(self.folder.glob(f"cells/*/*/*/*/{CELL_FILE}"))]

        def fill(temporary: Path) -> None:
            with closing(sqlite3.connect(temporary)) as connection, connection:
                for table, columns in _TABLES.items():
                    described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                    connection.execute(f"CREATE TABLE {table} ({described})")
                    marks = ", ".join("?" for _ in columns)
                    rows = ([row.get(name) for name in columns] for entry in entries for row in entry[table])
                    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

        try:
            write_file_atomically(self.index_file, fill)
        except sqlite3.Error as error:
            raise RunError(f"it can't be written ({error})", where=self.index_file, fix="Make room for it.") from error
        return self.index_file

    def ask(self, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The names of the columns and the rows that a query gives; it can't change anything.

        Args:
            sql: one SELECT over the tables cells, micrographs and rounds.

        Raises:
            RunError: the folder is no experiment.
            SettingsError: SQLite refuses the query.
        """
        index = self.make_index()
        with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_authorizer(_only_reads)
            try:
                cursor = connection.execute(sql)
                names = tuple(column[0] for column in cursor.description or ())
                return names, cursor.fetchall()
            except (sqlite3.Error, sqlite3.Warning) as error:
                tables = "; ".join(f"{table}: {', '.join(columns)}" for table, columns in _TABLES.items())
                raise SettingsError(f"SQLite says: {error}", where="--sql", fix=f"There are {tables}.") from error


def _only_reads(action: int, *_: str | None) -> int:
    """What SQLite asks before a statement: one that attaches or writes another file is no SELECT."""
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result in a cell's folder; None where there is none.

    Raises:
        RunError: the file is broken.
    """
    return _read(folder / RESULT_FILE)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise RunError(f"it can't be read ({error})", where=file, fix="Remove it; its cell runs again.") from error
    return content if isinstance(content, dict) else None


def _entry(folder: Path, root: Path) -> dict[str, list[dict[str, Any]]]:
    """What a cell says, as rows of the tables."""
    cell, result, error = (_read(folder / name) or {} for name in (CELL_FILE, RESULT_FILE, ERROR_FILE))
    facts = {name: cell.get(name) for name in ("key", "data", "ratio", "seed", "line")}
    own: dict[str, Any] = {
        **facts, "is_oracle": int(bool(cell.get("is_oracle"))), "folder": folder.relative_to(root).as_posix(),
        "labelled": len(cell.get("division", {}).get("labelled", ())),
        "strategy": cell.get("settings", {}).get("strategy"), "status": _status(folder, result, error),
    }  # fmt: skip
    if not result:
        return {"cells": [{**own, "error": error.get("error")}], "micrographs": [], "rounds": []}
    validation, rounds = result.get("validation") or {}, result.get("rounds") or []
    own |= {name: value for name, value in result.items() if name in _COLUMNS and name not in own}
    own |= {
        "validation_f1": validation.get("f1"), "validation_average_precision": validation.get("average_precision"),
        "rounds_tried": len(rounds), "rounds_counted": sum(bool(told.get("counts")) for told in rounds),
    }  # fmt: skip
    return {
        "cells": [own],
        "micrographs": [{**row, "key": own["key"], "f1": _f1(row)} for row in result.get("per_micrograph", [])],
        "rounds": [{**_plain(told), "key": own["key"]} for told in rounds],
    }


def _status(folder: Path, result: dict[str, Any], error: dict[str, Any]) -> str:
    if result:
        return "finished"
    return "failed" if error else "begun" if (folder / "run").exists() else "waiting"


def _f1(row: dict[str, Any]) -> float | None:
    total = row["picks"] + row["truth"]
    return 2 * row["true_positives"] / total if total else None


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value) if isinstance(value, bool) else value for name, value in told.items()}


def as_records(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Rows of a query as mappings."""
    return (dict(zip(names, row, strict=True)) for row in rows)
