"""STAR of RELION (3.0 to 5), and of the programs that write like it: Topaz, crYOLO, CryoSegNet, cryoSPARC's pyem.

A written file has one table, `particles`, that RELION, gemmi and starfile read; `optics` comes with it when it was
read, and `micrographs` when some micrograph has no particle, which `particles` alone can't say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically, write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.picks_file import (
    coordinate_texts,
    name_from_picks_file,
    number_texts,
    parse_numbers,
    telling_file,
)
from cryoglean.io.star_tables import StarTable, find_beside, is_plain_value, read_star_tables, render_star_tables
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".star",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (as RELION has it)."

MICROGRAPH_PATH = "micrograph_path"
"""The column of `Picks.extra` that keeps the path as it stood in the file; written back as `_rlnMicrographName`."""

_X, _Y, _MICROGRAPH = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"
_SCORE, _DIAMETER = "rlnAutopickFigureOfMerit", "rlnDiameter"  # _rlnDiameter, in pixels, is CryoSegNet's
_GROUP, _OPTICS = "rlnOpticsGroup", "optics."
_INDEX = "rlnMicrographCoordinates"
_TAG = re.compile(r"[A-Za-z][\w.-]*", flags=re.ASCII)


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
    index = next((table for table in tables.values() if _INDEX in table and _MICROGRAPH in table), None)
    if index is not None:
        return _read_index(path, index)
    listed = [micrograph_name(name) for name in tables.get("micrographs", {}).get(_MICROGRAPH, [])]
    found = _with_coordinates(tables, path)
    return Picks.concatenate(_picks(path, table, tables.get("optics", {}), listed) for table in found)


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
    tables["particles"] = _particle_table(picks)
    with_particles = set(picks.micrograph.tolist())
    if with_particles != set(picks.micrographs):
        paths = dict(zip(picks.micrograph.tolist(), tables["particles"][_MICROGRAPH], strict=True))
        tables["micrographs"] = {_MICROGRAPH: [paths.get(name) or _written_path(name) for name in picks.micrographs]}
    for name, table in tables.items():
        _refuse_unreadable(name, table, path)
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
        table = _particle_table(picks)
        _refuse_unreadable("particles", table, path)
        if not tags:
            tags = list(table)
            file.write(render_star_tables({"particles": dict.fromkeys(tags, ())}).rstrip("\n") + "\n")
        if len(picks) and list(table) != tags:
            raise PicksError(f"the columns {', '.join(table)} differ from the first, {', '.join(tags)}", where=path)
        file.writelines("\t".join(row) + "\n" for row in zip(*table.values(), strict=True))
        paths = dict(zip(picks.micrograph.tolist(), table[_MICROGRAPH], strict=True))
        looked_at |= {name: paths.get(name, "") for name in picks.micrographs}
        count += len(picks)
    if not all(looked_at.values()):
        listed = {_MICROGRAPH: [written or _written_path(name) for name, written in looked_at.items()]}
        _refuse_unreadable("micrographs", listed, path)
        file.write("\n\n" + render_star_tables({"micrographs": listed}).split("\n", 2)[2])
    return count


def _read_index(path: Path, index: StarTable) -> Picks:
    parts = []
    for micrograph_path, coordinates in zip(index[_MICROGRAPH], index[_INDEX], strict=True):
        file = find_beside(coordinates, path)
        if file is None:
            raise PicksError(f"it lists {coordinates}, which isn't there", where=path, fix="Run it from the project.")
        tables = read_star_tables(file)
        for table in _with_coordinates(tables, file):
            named = table | {_MICROGRAPH: [micrograph_path] * len(table[_X])}
            parts.append(_picks(file, named, tables.get("optics", {}), [micrograph_name(micrograph_path)]))
    return Picks.concatenate(parts)


def _with_coordinates(tables: dict[str, StarTable], path: Path) -> list[StarTable]:
    found = [table for table in tables.values() if _X in table and _Y in table]
    if not found:
        there = ", ".join(f"data_{name}" for name in tables) or "nothing"
        raise PicksError(
            f"no table has _{_X} and _{_Y} (there are: {there[:80]})", where=path, fix="Give a STAR file of picks."
        )
    return found


def _picks(path: Path, table: StarTable, optics: StarTable, listed: list[str]) -> Picks:
    """The picks in one table of particles."""
    rows = len(table[_X])
    extra: dict[str, list[str]] = {}
    if _MICROGRAPH in table:
        names = [micrograph_name(name) for name in table[_MICROGRAPH]]
        extra[MICROGRAPH_PATH] = table[_MICROGRAPH]
    else:
        names = [name_from_picks_file(path)] * rows
        listed = listed or [name_from_picks_file(path)]
    if not all(names):
        raise PicksError(f"the micrograph in row {names.index('') + 1} has no name", where=path)
    own = (_X, _Y, _MICROGRAPH, _SCORE, _DIAMETER)
    extra |= {tag: values for tag, values in table.items() if tag not in own}
    extra |= _optics_columns(table, optics)
    numbers = {tag: _numbers(path, table, tag) for tag in (_X, _Y, _SCORE, _DIAMETER) if tag in table}
    with telling_file(path):
        return Picks(
            np.array(names, dtype=np.str_),
            np.stack([numbers[_X], numbers[_Y]], axis=1),
            score=numbers.get(_SCORE),
            diameter_pixels=numbers.get(_DIAMETER),
            extra={name: np.array(values, dtype=np.str_) for name, values in extra.items()},
            micrographs=tuple(dict.fromkeys([*listed, *names])),
        )


def _numbers(path: Path, table: StarTable, tag: str) -> NDArray[np.float64]:
    try:
        return parse_numbers(table[tag])
    except ValueError as error:
        row = table[tag].index(str(error)) + 1
        raise PicksError(f"_{tag} in row {row} is '{str(error)[:40]}', which is no number", where=path) from None


def _optics_columns(table: StarTable, optics: StarTable) -> StarTable:
    """The optics of each particle, by its group; without groups when there is only one."""
    groups = optics.get(_GROUP, [])
    if not groups:
        return {}
    chosen = table.get(_GROUP, [groups[0]] * len(table[_X]))
    if len(set(groups)) < len(groups) or not set(chosen) <= set(groups):
        return {}
    places = {group: place for place, group in enumerate(groups)}
    return {
        f"{_OPTICS}{tag}": [values[places[group]] for group in chosen]
        for tag, values in optics.items()
        if _GROUP in table or tag != _GROUP
    }


def _optics_table(picks: Picks) -> dict[str, list[str]]:
    """One row for each optics group that the picks name, or nothing when they have none."""
    columns = {name.removeprefix(_OPTICS): values for name, values in picks.extra.items() if name.startswith(_OPTICS)}
    if _GROUP not in picks.extra or not columns or not len(picks):
        return {}
    groups, first = np.unique(picks.extra[_GROUP], return_index=True)
    rest = {tag: [str(value) for value in values[first].tolist()] for tag, values in columns.items() if tag != _GROUP}
    return {_GROUP: [str(group) for group in groups.tolist()], **rest}


def _particle_table(picks: Picks) -> dict[str, list[str]]:
    columns = {
        _X: coordinate_texts(picks.xy[:, 0]),
        _Y: coordinate_texts(picks.xy[:, 1]),
        _MICROGRAPH: _written_paths(picks),
    }
    if picks.score is not None:
        columns[_SCORE] = number_texts(picks.score)
    if picks.diameter_pixels is not None:
        columns[_DIAMETER] = number_texts(picks.diameter_pixels)
    for name, values in picks.extra.items():
        if name != MICROGRAPH_PATH and not name.startswith(_OPTICS) and _TAG.fullmatch(name):
            columns.setdefault(name, [str(value) or "None" for value in values.tolist()])
    if picks.score is not None:  # RELION's own dummies; JoinStar asks for them
        columns.setdefault("rlnClassNumber", ["0"] * len(picks))
        columns.setdefault("rlnAnglePsi", ["0.0"] * len(picks))
    return columns


def _written_paths(picks: Picks) -> list[str]:
    kept: NDArray[Any] | None = picks.extra.get(MICROGRAPH_PATH)
    names = picks.micrograph.tolist()
    pairs = list(zip(names, [""] * len(names) if kept is None else kept.tolist(), strict=True))
    written = {
        (name, path): _not_a_keyword(str(path)) if micrograph_name(str(path)) == name else _written_path(name)
        for name, path in dict.fromkeys(pairs)
    }
    return [written[pair] for pair in pairs]


def _written_path(name: str) -> str:
    return _not_a_keyword(f"{name}.mrc")


def _not_a_keyword(path: str) -> str:
    """`data_1.mrc` alone would start a new block; `./data_1.mrc` is the same file."""
    return path if is_plain_value(path) or not is_plain_value(f"./{path}") else f"./{path}"


def _refuse_unreadable(name: str, table: Mapping[str, Sequence[str]], path: Path) -> None:
    for tag, values in table.items():
        if tag in (_X, _Y, _SCORE, _DIAMETER):
            continue
        bad = next((value for value in dict.fromkeys(values) if not is_plain_value(value)), None)
        if bad is not None:
            raise PicksError(
                f"RELION can't read '{bad[-60:]}' (_{tag}, data_{name}): blanks, quotes, # and letters beyond ASCII "
                "break STAR",
                where=path,
                fix="Rename it, or write CSV instead.",
            )
