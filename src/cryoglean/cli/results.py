"""`cryoglean results`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

_SQL = (
    "SELECT data, ratio, labelled, line, count(*) AS cells, sum(status = 'finished') AS finished, "
    "round(avg(f1), 4) AS f1, round(avg(average_precision), 4) AS average_precision, "
    "round(avg(train_cpu_seconds), 1) AS train_cpu_seconds FROM cells "
    "GROUP BY data, ratio, line ORDER BY data, ratio, min(rowid)"
)


def results_command(folder: Path, *, sql: str = _SQL, form: Literal["table", "csv", "json"] = "table") -> int:
    """Ask the results of an experiment: one SELECT over the tables cells, micrographs and rounds.

    The index is made anew from the cells each time, also of an experiment that still runs; it is `index.sqlite` in the
    folder, for other programs.

    Args:
        folder: the --out of a `cryoglean experiment`.
        sql: the query; by default means over seeds, by data set, ratio and line.
        form: how to print the rows.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.experiment.store import Store, as_records

    names, rows = Store(folder).ask(sql)
    if form == "json":
        print_json(list(as_records(names, rows)))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    else:
        _show(names, rows)
    return 0


def _show(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)
    console.print(table)
