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

from cryoglean.durable import write_file_atomically, write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.star_picks import (
    GROUP,
    MICROGRAPH,
    OPTICS,
    X,
    particle_table,
    picks_of_table,
    refuse_unreadable,
    tables_with_coordinates,
    written_path,
)
from cryoglean.io.star_tables import StarTable, find_beside, read_star_tables, render_star_tables
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".star",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (as RELION has it)."
FACTS = FormatFacts()

_INDEX = "rlnMicrographCoordinates"


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
    tables = read_star_tables(path)
    index = next((table for table in tables.values() if _INDEX in table and MICROGRAPH in table), None)
    if index is not None:
        return _read_index(path, index)
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
    tables: dict[str, Mapping[str, Sequence[str]]] = {}
    optics = _optics_table(picks)
    if optics:
        tables["optics"] = optics
    tables["particles"] = particle_table(picks)
    with_particles = set(picks.micrograph.tolist())
    if with_particles != set(picks.micrographs):
        paths = dict(zip(picks.micrograph.tolist(), tables["particles"][MICROGRAPH], strict=True))
        tables["micrographs"] = {MICROGRAPH: [paths.get(name) or written_path(name) for name in picks.micrographs]}
    for name, table in tables.items():
        refuse_unreadable(name, table, path)
    write_text_atomically(path, render_star_tables(tables))


def write_parts(parts: Iterable[Picks], path: Path) -> int:
    """Write picks that come one micrograph at a time, holding no more than one; the first part says the columns.

    Returns:
        How many picks were written.

    Raises:
        PicksError: a later part has other columns, or see `write`.
        OSError: the file can't be written.
    """
    counts: list[int] = []

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="ascii") as file:
            counts.append(_write_rows(parts, file, path))

    write_file_atomically(path, fill)
    return counts[0]


def _write_rows(parts: Iterable[Picks], file: TextIO, path: Path) -> int:
    tags: list[str] = []
    looked_at: dict[str, str] = {}
    count = 0
    for picks in parts:
        table = particle_table(picks)
        refuse_unreadable("particles", table, path)
        if not tags:
            tags = list(table)
            file.write(render_star_tables({"particles": dict.fromkeys(tags, ())}).rstrip("\n") + "\n")
        if len(picks) and list(table) != tags:
            raise PicksError(f"the columns {', '.join(table)} differ from the first, {', '.join(tags)}", where=path)
        file.writelines("\t".join(row) + "\n" for row in zip(*table.values(), strict=True))
        paths = dict(zip(picks.micrograph.tolist(), table[MICROGRAPH], strict=True))
        looked_at |= {name: paths.get(name, "") for name in picks.micrographs}
        count += len(picks)
    if not all(looked_at.values()):
        listed = {MICROGRAPH: [written or written_path(name) for name, written in looked_at.items()]}
        refuse_unreadable("micrographs", listed, path)
        file.write("\n\n" + render_star_tables({"micrographs": listed}).split("\n", 2)[2])
    return count


def _read_index(path: Path, index: StarTable) -> Picks:
    parts = []
    for micrograph_path, coordinates in zip(index[MICROGRAPH], index[_INDEX], strict=True):
        file = find_beside(coordinates, path)
        if file is None:
            raise PicksError(f"it lists {coordinates}, which isn't there", where=path, fix="Run it from the project.")
        tables = read_star_tables(file)
        for table in tables_with_coordinates(tables, file):
            named = table | {MICROGRAPH: [micrograph_path] * len(table[X])}
            parts.append(picks_of_table(file, named, tables.get("optics", {}), [micrograph_name(micrograph_path)]))
    return Picks.concatenate(parts)


def _optics_table(picks: Picks) -> dict[str, list[str]]:
    """One row for each optics group that the picks name, or nothing when they have none."""
    columns = {name.removeprefix(OPTICS): values for name, values in picks.extra.items() if name.startswith(OPTICS)}
    if GROUP not in picks.extra or not columns or not len(picks):
        return {}
    groups, first = np.unique(picks.extra[GROUP], return_index=True)
    rest = {tag: [str(value) for value in values[first].tolist()] for tag, values in columns.items() if tag != GROUP}
    return {GROUP: [str(group) for group in groups.tolist()], **rest}
