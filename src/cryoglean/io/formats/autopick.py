"""RELION's `_autopick.star`: a table of one micrograph, and `autopick.star`, the index that Extract takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from cryoglean.durable import write_text_atomically
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import name_from_picks_file
from cryoglean.io.star_picks import (
    DIAMETER,
    INDEX,
    MICROGRAPH,
    MICROGRAPH_PATH,
    NUMBERS,
    index_of,
    particle_table,
    picks_of_index,
    picks_of_table,
    refuse_unreadable,
    tables_with_coordinates,
)
from cryoglean.io.star_tables import read_star_tables, render_star_tables
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".star",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (as RELION has it)."
FACTS = FormatFacts(ending="_autopick.star", keeps=frozenset(("score", "extra", "empty")))
INDEX_NAME = "autopick.star"

_JOB = re.compile(r"^[A-Za-z0-9]+/job\d+/")


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes has coordinates in an unnamed block, and no names of micrographs."""
    text = head.decode("utf-8", errors="replace")
    return bool(re.search(r"^data_\s*$", text, flags=re.MULTILINE)) and (
        "_rlnCoordinateX" in text and f"_{MICROGRAPH}" not in text
    )


def read(path: Path) -> Picks:
    """The picks of the micrograph that the file is named after, or of all that an index lists.

    Raises:
        PicksError: the file is not STAR, has no coordinates, or a number is none.
    """
    tables = read_star_tables(path, numbers=NUMBERS)
    index = index_of(tables)
    if index is not None:
        return picks_of_index(path, index)
    listed = [name_from_picks_file(path)]
    found = tables_with_coordinates(tables, path)
    return Picks.concatenate(picks_of_table(path, table, tables.get("optics", {}), listed) for table in found)


def write(picks: Picks, path: Path) -> None:
    """Write the table of one micrograph as RELION's AutoPick does.

    Raises:
        PicksError: a text in a further column is one that RELION can't read.
        OSError: the file can't be written.
    """
    table = {tag: values for tag, values in particle_table(picks).items() if tag not in (MICROGRAPH, DIAMETER)}
    refuse_unreadable("", table, path)
    write_text_atomically(path, render_star_tables({"": table}))


def write_parts(parts: Iterable[Picks], path: Path, known: Mapping[str, str]) -> int:
    """Write a file for each micrograph that comes, and at the end the index.

    The files lie beside the index, under the micrograph's path without the job that it comes from, as RELION has it:
    `MotionCorr/job002/Movies/a.mrc` becomes `Movies/a_autopick.star`.

    Args:
        parts: picks, one micrograph at a time.
        path: the index.
        known: the micrographs' own paths by name; others come from `extra["micrograph_path"]`, or are `<name>.mrc`.

    Returns:
        How many picks were written.

    Raises:
        PicksError: a name is one that RELION can't read, or two micrographs would have one file.
        OSError: a file can't be written.
    """
    files: dict[str, Path] = {}
    paths: dict[str, str] = {}
    count = 0
    for picks in parts:
        for name, part in picks.each():
            kept = part.extra.get(MICROGRAPH_PATH)
            said = str(kept[0]) if kept is not None and len(kept) else f"{name}.mrc"
            paths[name] = known.get(name, said)
            files[name] = path.parent / _place(paths[name], name)
            files[name].parent.mkdir(parents=True, exist_ok=True)
            write(part, files[name])
            count += len(part)
    write_index(files, paths, path)
    return count


def _place(micrograph_path: str, name: str) -> PurePosixPath:
    """Where the picks of a micrograph lie below the job's folder."""
    inside = PurePosixPath(_JOB.sub("", micrograph_path))
    is_plain = not inside.is_absolute() and ".." not in inside.parts
    return (inside.parent if is_plain else PurePosixPath()) / f"{name}{FACTS.ending}"


def write_index(files: Mapping[str, Path], paths: Mapping[str, str], index: Path) -> None:
    """Write the index: which file holds the picks of which micrograph.

    Args:
        files: the files of picks by micrograph.
        paths: the micrographs' own paths, by name, as they shall stand in the index; `<name>.mrc` where there is none.
        index: the file to write.

    Raises:
        PicksError: a path is one that RELION can't read.
        OSError: the file can't be written.
    """
    table = {
        MICROGRAPH: [paths.get(name, f"{name}.mrc") for name in files],
        INDEX: [file.as_posix() for file in files.values()],
    }
    refuse_unreadable("coordinate_files", table, index)
    write_text_atomically(index, render_star_tables({"coordinate_files": table}))
