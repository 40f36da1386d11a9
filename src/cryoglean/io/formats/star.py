"""STAR of RELION (3.0 to 5), and of the programs that write like it: Topaz, crYOLO, CryoSegNet, cryoSPARC's pyem.

A written file has one table, `particles`, that RELION, gemmi and starfile read; `optics` comes with it when it was
read, and `micrographs` when some micrograph has no particle, which `particles` alone can't say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.star_picks import (
    GROUP,
    MICROGRAPH,
    NUMBERS,
    OPTICS,
    index_of,
    particle_table,
    picks_of_index,
    picks_of_table,
    refuse_unreadable,
    tables_with_coordinates,
    written_path,
)
from cryoglean.io.star_tables import read_star_tables, render_star_tables
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".star",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (as RELION has it)."
FACTS = FormatFacts()

_ROWS = 20_000  # written at a time


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes has a STAR block."""
    return re.search(rb"^\s*data_", head, flags=re.MULTILINE) is not None


def read(path: Path) -> Picks:
    """The picks in a STAR file, or in all files that a RELION index (`autopick.star`) lists.

    Every other column is kept in `extra`, optics as `optics.<column>`; a table without micrograph names belongs to
    the micrograph that the file is named after.

    Raises:
        PicksError: the file is not STAR, has no coordinates, or a coordinate is no number.
    """
    tables = read_star_tables(path, numbers=NUMBERS)
    index = index_of(tables)
    if index is not None:
        return picks_of_index(path, index)
    listed = [micrograph_name(name) for name in tables.get("micrographs", {}).get(MICROGRAPH, [])]
    found = tables_with_coordinates(tables, path)
    return Picks.concatenate(picks_of_table(path, table, tables.get("optics", {}), listed) for table in found)


def write(picks: Picks, path: Path) -> None:
    """Write a STAR file that RELION reads.

    The path of a micrograph is taken from `extra["micrograph_path"]`, if it is there, and is `<name>.mrc` otherwise.

    Raises:
        PicksError: a name has a blank, a quote, a `#` or a letter beyond ASCII, which RELION can't read.
        OSError: the file can't be written.
    """
    optics = _optics_table(picks)
    refuse_unreadable("optics", optics, path)
    pieces = np.array_split(np.arange(len(picks)), len(picks) // _ROWS + 1)
    _write_file(map(picks.rows, pieces), path, optics)


def write_parts(parts: Iterable[Picks], path: Path) -> int:
    """Write picks that come one micrograph at a time, holding no more than one; the first part says the columns.

    Returns:
        How many picks were written.

    Raises:
        PicksError: a later part has other columns, or see `write`.
        OSError: the file can't be written.
    """
    return _write_file(parts, path, {})


def _write_file(parts: Iterable[Picks], path: Path, optics: Mapping[str, Sequence[str]]) -> int:
    counts: list[int] = []

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="ascii") as file:
            counts.append(_write_rows(parts, file, path, optics))

    write_file_atomically(path, fill)
    return counts[0]


def _write_rows(parts: Iterable[Picks], file: TextIO, path: Path, optics: Mapping[str, Sequence[str]]) -> int:
    tags: list[str] = []
    looked_at: dict[str, str] = {}
    count = 0
    for picks in parts:
        table = particle_table(picks)
        refuse_unreadable("particles", table, path)
        if not tags:
            tags = list(table)
            head = {"optics": optics, "particles": dict.fromkeys(tags, ())}
            file.write(render_star_tables({name: columns for name, columns in head.items() if columns})[:-1])
        if len(picks) and list(table) != tags:
            raise PicksError(f"the columns {', '.join(table)} differ from the first, {', '.join(tags)}", where=path)
        file.writelines("\t".join(row) + "\n" for row in zip(*table.values(), strict=True))
        for name in picks.micrographs:
            looked_at.setdefault(name, "")
        looked_at |= zip(picks.micrograph.tolist(), table[MICROGRAPH], strict=True)
        count += len(picks)
    file.write("\n")
    if not all(looked_at.values()):
        listed = {MICROGRAPH: [written or written_path(name) for name, written in looked_at.items()]}
        refuse_unreadable("micrographs", listed, path)
        file.write("\n" + render_star_tables({"micrographs": listed}).split("\n", 2)[2])
    return count


def _optics_table(picks: Picks) -> dict[str, list[str]]:
    """One row for each optics group that the picks name, or nothing when they have none."""
    columns = {name.removeprefix(OPTICS): values for name, values in picks.extra.items() if name.startswith(OPTICS)}
    if GROUP not in picks.extra or not columns or not len(picks):
        return {}
    groups, first = np.unique(picks.extra[GROUP], return_index=True)
    rest = {tag: [str(value) for value in values[first].tolist()] for tag, values in columns.items() if tag != GROUP}
    return {GROUP: [str(group) for group in groups.tolist()], **rest}
