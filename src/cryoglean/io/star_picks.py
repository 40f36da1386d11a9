"""Particles in tables of STAR: what the cards that read and write STAR share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.io.picks_file import (
    coordinate_texts,
    distinct_texts,
    name_from_picks_file,
    number_texts,
    parse_numbers,
    telling_file,
)
from cryoglean.io.star_lines import StarTable
from cryoglean.io.star_tables import find_beside, is_plain_value, read_star_tables
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

MICROGRAPH_PATH = "micrograph_path"
"""The column of `Picks.extra` that keeps the path as it stood in the file; written back as `_rlnMicrographName`."""

X, Y, MICROGRAPH = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"
SCORE, DIAMETER = "rlnAutopickFigureOfMerit", "rlnDiameter"  # _rlnDiameter, in pixels, is CryoSegNet's
INDEX = "rlnMicrographCoordinates"
NUMBERS = (X, Y, SCORE, DIAMETER)
GROUP, OPTICS = "rlnOpticsGroup", "optics."
_TAG = re.compile(r"[A-Za-z][\w.-]*", flags=re.ASCII)


def tables_with_coordinates(tables: dict[str, StarTable], path: Path) -> list[StarTable]:
    """The tables with x and y.

    Args:
        tables: of the file.
        path: of the file.

    Raises:
        PicksError: there are none.
    """
    found = [table for table in tables.values() if X in table and Y in table]
    if not found:
        there = ", ".join(f"data_{name}" for name in tables) or "nothing"
        raise PicksError(
            f"no table has _{X} and _{Y} (there are: {there[:80]})", where=path, fix="Give a STAR file of picks."
        )
    return found


def picks_of_table(path: Path, table: StarTable, optics: StarTable, listed: list[str]) -> Picks:
    """The picks in one table of particles.

    Args:
        path: of the file.
        table: with x and y.
        optics: the table of optics groups, or nothing.
        listed: micrographs that the file names besides.

    Raises:
        PicksError: a name is missing, or a number is none.
    """
    if MICROGRAPH in table:
        written, places = distinct_texts(table[MICROGRAPH])
        names = [micrograph_name(text) for text in written]
    else:
        written, places = [], np.zeros(len(table[X]), dtype=np.intp)
        names = [name_from_picks_file(path)]
        listed = listed or names
    if not all(names):
        row = int(np.flatnonzero(places == names.index(""))[0]) + 1
        raise PicksError(f"the micrograph in row {row} has no name", where=path)
    kept = {MICROGRAPH_PATH: table[MICROGRAPH]} if MICROGRAPH in table else {}
    kept |= {tag: values for tag, values in table.items() if tag not in (*NUMBERS, MICROGRAPH)}
    kept |= _optics_columns(table, optics)
    numbers = {tag: _numbers(path, table, tag) for tag in NUMBERS if tag in table}
    with telling_file(path):
        return Picks(
            np.array(names, dtype=np.str_)[places],
            np.stack([numbers[X], numbers[Y]], axis=1),
            score=numbers.get(SCORE),
            diameter_pixels=numbers.get(DIAMETER),
            extra={tag: np.array(values, dtype=np.object_) for tag, values in kept.items()},
            micrographs=tuple(dict.fromkeys([*listed, *(names if len(places) else [])])),
        )


def index_of(tables: dict[str, StarTable]) -> StarTable | None:
    """RELION's table of micrographs and of the files with their coordinates, if there is one."""
    return next((table for table in tables.values() if INDEX in table and MICROGRAPH in table), None)


def picks_of_index(path: Path, index: StarTable) -> Picks:
    """The picks in all files that an index lists.

    Args:
        path: of the index.
        index: see `index_of`.

    Raises:
        PicksError: a file isn't there, or can't be used.
    """
    parts = []
    for micrograph_path, coordinates in zip(index[MICROGRAPH], index[INDEX], strict=True):
        file = find_beside(coordinates, path)
        if file is None:
            raise PicksError(f"it lists {coordinates}, which isn't there", where=path, fix="Run it from the project.")
        tables = read_star_tables(file, numbers=NUMBERS)
        for table in tables_with_coordinates(tables, file):
            named = table | {MICROGRAPH: [micrograph_path] * len(table[X])}
            parts.append(picks_of_table(file, named, tables.get("optics", {}), [micrograph_name(micrograph_path)]))
    return Picks.concatenate(parts)


def _numbers(path: Path, table: StarTable, tag: str) -> NDArray[np.float64]:
    if isinstance(table[tag], np.ndarray):
        return np.asarray(table[tag])
    try:
        return parse_numbers(table[tag])
    except ValueError as error:
        row = table[tag].index(str(error)) + 1
        raise PicksError(f"_{tag} in row {row} is '{str(error)[:40]}', which is no number", where=path) from None


def _optics_columns(table: StarTable, optics: StarTable) -> StarTable:
    """The optics of each particle, by its group; without groups when there is only one."""
    groups = optics.get(GROUP, [])
    if not groups:
        return {}
    chosen = table.get(GROUP, [groups[0]] * len(table[X]))
    if len(set(groups)) < len(groups) or not set(chosen) <= set(groups):
        return {}
    places = {group: place for place, group in enumerate(groups)}
    return {
        f"{OPTICS}{tag}": [values[places[group]] for group in chosen]
        for tag, values in optics.items()
        if GROUP in table or tag != GROUP
    }


def particle_table(picks: Picks) -> dict[str, list[str]]:
    """The columns of RELION for these picks, tags without the leading underscore."""
    columns = {
        X: coordinate_texts(picks.xy[:, 0]),
        Y: coordinate_texts(picks.xy[:, 1]),
        MICROGRAPH: _written_paths(picks),
    }
    if picks.score is not None:
        columns[SCORE] = number_texts(picks.score)
    if picks.diameter_pixels is not None:
        columns[DIAMETER] = number_texts(picks.diameter_pixels)
    for name, values in picks.extra.items():
        if name != MICROGRAPH_PATH and not name.startswith(OPTICS) and _TAG.fullmatch(name):
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
        (name, path): _not_a_keyword(str(path)) if micrograph_name(str(path)) == name else written_path(name)
        for name, path in dict.fromkeys(pairs)
    }
    return [written[pair] for pair in pairs]


def written_path(name: str) -> str:
    """The path that stands for a micrograph of which only the name is known."""
    return _not_a_keyword(f"{name}.mrc")


def _not_a_keyword(path: str) -> str:
    """`data_1.mrc` alone would start a new block; `./data_1.mrc` is the same file."""
    return path if is_plain_value(path) or not is_plain_value(f"./{path}") else f"./{path}"


def refuse_unreadable(name: str, table: Mapping[str, Sequence[str]], path: Path) -> None:
    """Refuse a table with text that RELION can't read.

    Args:
        name: of the table.
        table: its columns.
        path: of the file.

    Raises:
        PicksError: naming the text.
    """
    for tag, values in table.items():
        if tag in NUMBERS:
            continue
        bad = next((value for value in dict.fromkeys(values) if not is_plain_value(value)), None)
        if bad is not None:
            raise PicksError(
                f"RELION can't read '{bad[-60:]}' (_{tag}, data_{name}): blanks, quotes, # and letters beyond ASCII "
                "break STAR",
                where=path,
                fix="Rename it, or write CSV instead.",
            )
