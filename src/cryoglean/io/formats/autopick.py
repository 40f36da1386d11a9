"""RELION's `_autopick.star`: a table of one micrograph, and `autopick.star`, the index that Extract takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cryoglean.durable import write_text_atomically
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import name_from_picks_file
from cryoglean.io.star_picks import (
    DIAMETER,
    INDEX,
    MICROGRAPH,
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
