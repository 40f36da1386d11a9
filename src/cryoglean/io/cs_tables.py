"""Tables of cryoSPARC: numpy files with one row for each particle or micrograph."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError

_LONGEST_HEADER = 1_000_000  # bytes; a hundred fields take 5,000
_BROKEN = (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, EOFError, OverflowError)
_EXAMPLE = "Give a .cs file of cryoSPARC."


def is_table(head: bytes) -> bool:
    """Whether a file that starts with these bytes is numpy's, of a table.

    A header that claims to be longer than any is none: numpy would make room for it.
    """
    length = int.from_bytes(head[8 : 10 if head[6:7] == b"\1" else 12], "little")
    return head[:6] == b"\x93NUMPY" and b"'descr': [" in head and length <= _LONGEST_HEADER


def read_cs_table(path: Path) -> NDArray[Any]:
    """The rows (n,) of a `.cs` file, with named fields.

    Raises:
        PicksError: the file can't be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            if not is_table(file.read(256)):
                raise PicksError("it is not a table of cryoSPARC", where=path, fix=_EXAMPLE)
        table = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=_LONGEST_HEADER)
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror or error})", where=path) from error
    except (*_BROKEN, tokenize.TokenError) as error:
        said = str(error).split("\n")[0][:80]
        raise PicksError(f"it is no numpy file that can be read ({said})", where=path, fix=_EXAMPLE) from error
    if table.ndim != 1 or table.dtype.names is None:
        raise PicksError("it is not a table", where=path, fix=_EXAMPLE)
    return np.array(table)


def fields_of(path: Path) -> frozenset[str]:
    """The names of a table's fields, from its header alone; none of anything that is no such table."""
    try:
        with path.open("rb") as file:
            if not is_table(file.read(256)):
                return frozenset()
        names = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=_LONGEST_HEADER).dtype.names
    except (OSError, *_BROKEN, tokenize.TokenError):
        return frozenset()
    return frozenset(names or ())


def numbers_of(table: NDArray[Any], field: str, path: Path, each: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """The numbers (n, *each) of a field.

    Args:
        table: of a `.cs` file.
        field: that it has.
        path: of the file, for the message.
        each: the shape of one value.

    Raises:
        PicksError: they are of another kind or shape.
    """
    values = table[field]
    if values.shape != (len(table), *each) or values.dtype.kind not in "iuf":
        raise PicksError(f"{field} is not what cryoSPARC writes ({values.dtype})", where=path, fix=_EXAMPLE)
    return np.asarray(values, dtype=np.float64)


def text_of(value: object) -> str:
    """Text that a field holds, as bytes or as text."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


ROWS, COLUMNS = "micrograph_rows", "micrograph_columns"
"""The columns of `Picks.extra` that keep the shape of each pick's micrograph."""


def shape_columns(shapes: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The extra columns of picks whose micrographs have these (n, 2) rows and columns."""
    whole = np.nan_to_num(shapes, nan=0.0, posinf=0.0, neginf=0.0).clip(0, 2**32).astype(np.int64)
    return {ROWS: whole[:, 0], COLUMNS: whole[:, 1]}
