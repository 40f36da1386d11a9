"""STAR files as plain tables of text, and the files whose names stand in them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryoglean.errors import CryogleanError, PicksError
from cryoglean.io.star_lines import StarTable, read_plain_tables

_MARK = b"\xef\xbb\xbf"  # that the text is UTF-8
_MARKED = ("'", '"', ";", "?", ".", "")
_PLAIN = re.compile(r"(?![_$\[\];]|[?.]\Z|(?:data|loop|save|stop|global)_)[!$-&(-~]+", flags=re.IGNORECASE)


def read_star_tables(
    path: Path, mistake: type[CryogleanError] = PicksError, numbers: Collection[str] = ()
) -> dict[str, StarTable]:
    """All tables of a STAR file, by block name in the order of the file; a block of single values has one row.

    Args:
        path: a STAR file of RELION 3.0 (one unnamed block), 3.1 or later, or of a program that writes like it.
        mistake: the kind of error to raise.
        numbers: tags whose columns may come as arrays of numbers, which saves time; they come as text when the file is
            not plain.

    Raises:
        CryogleanError: of the kind `mistake`; the file can't be read or is not STAR.
    """
    try:
        with path.open("rb") as file:
            file.seek(len(_MARK) if file.read(len(_MARK)) == _MARK else 0)
            tables = read_plain_tables(file, numbers)
        return parse_star_tables(path.read_bytes().removeprefix(_MARK)) if tables is None else tables
    except OSError as error:
        raise mistake(f"it can't be read ({error.strerror})", where=path) from error
    except (ValueError, RuntimeError) as error:
        raise mistake(f"it is not STAR ({error})", where=path, fix="Give a STAR file as RELION writes it.") from error


def parse_star_tables(content: bytes) -> dict[str, StarTable]:
    """All tables of a STAR file, by gemmi's full parser of the grammar.

    Raises:
        ValueError: it is not text (UTF-8) or not STAR.
        RuntimeError: it is not STAR.
    """
    from gemmi import cif

    document = cif.read_string(content.decode("utf-8"))
    return {block.name.strip(): _table_of(block) for block in document}


def _table_of(block: Any) -> StarTable:
    """The widest loop of a block, or its single values as one row."""
    from gemmi import cif

    def bare(value: str) -> str:
        return str(cif.as_string(value)) if value[:1] in _MARKED else value

    loops = [item.loop for item in block if item.loop is not None]
    if not loops:
        return {item.pair[0][1:]: [bare(item.pair[1])] for item in block if item.pair is not None}
    loop = max(loops, key=lambda loop: int(loop.width()))
    values, width = loop.values, loop.width()
    return {tag[1:]: [bare(value) for value in values[place::width]] for place, tag in enumerate(loop.tags)}


def render_star_tables(tables: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """The text of a STAR file with one loop for each table; the values must have passed `is_plain_value`."""
    lines = ["# version 30001 (written by cryoglean)", ""]
    for name, table in tables.items():
        lines += [f"data_{name}", "", "loop_"]
        lines += [f"_{tag} #{place}" for place, tag in enumerate(table, start=1)]
        lines += ["\t".join(row) for row in zip(*table.values(), strict=True)]
        lines += ["", ""]
    return "\n".join(lines)


def is_plain_value(text: str) -> bool:
    """Whether RELION, gemmi and starfile all read this text back from a table as it is, without quotes."""
    return _PLAIN.fullmatch(text) is not None


def find_beside(name: str, star_file: Path) -> Path | None:
    """The file that `name`, written in a STAR file, means: from here, from the STAR file's folder, or from a parent.

    RELION writes paths from the project's folder, which is where it runs and which holds the STAR file somewhere below.
    From elsewhere, which may be another project with files of the same names, here comes last.
    """
    wanted = Path(name.replace("\\", "/"))
    here = star_file.absolute().parent
    around, current = [here, *here.parents], Path(os.curdir)
    folders = [current, *around] if Path.cwd() in around else [*around, current]
    for folder in folders:
        candidate = folder / wanted
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):  # a name that is too long, or with a zero byte in it
            return None
    return None
