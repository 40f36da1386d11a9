"""JSON: micrograph names with lists of [x, y] or [x, y, score]; an empty list is an empty micrograph."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import (
    name_from_picks_file,
    optional_column,
    parse_number,
    read_json,
    telling_file,
)
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".json",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (no flip)."
FACTS = FormatFacts()
GENERIC = True

_EXAMPLE = 'Write {"micrograph.mrc": [[x, y], ...]}.'
_KNOWN = ("x", "y", "score", "diameter")


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes can be JSON."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def read(path: Path) -> Picks:
    """The picks in a JSON file.

    It is `{"name": [[x, y], ...]}`, `{"name": [[x, y, score], ...]}`, `{"name": [{"x": .., "y": .., ..}, ..]}`, or
    one such list alone, which belongs to the micrograph that the file is named after.

    Raises:
        PicksError: the file is not JSON, or says something else than picks.
    """
    content = read_json(path, _EXAMPLE)
    lists = {name_from_picks_file(path): content} if isinstance(content, list) else content
    if not isinstance(lists, dict) or not all(isinstance(value, list) for value in lists.values()):
        raise PicksError("it holds something else than lists of picks", where=path, fix=_EXAMPLE)
    rows = [(name, _row(entry, f"{path}: {name[:60]}")) for name, entries in lists.items() for entry in entries]
    names = [micrograph_name(name) for name in lists]
    if not all(names):
        raise PicksError("a micrograph has no name", where=path, fix=_EXAMPLE)
    with telling_file(path):
        return _picks([(micrograph_name(name), row) for name, row in rows], tuple(names))


def write(picks: Picks, path: Path) -> None:
    """Write `{"name": [[x, y, score], ...]}`; entries are `{"x": .., ..}` when there are diameters or extra columns.

    Raises:
        PicksError: a score is infinite.
        OSError: the file can't be written.
    """
    rows: dict[str, list[Any]] = {name: [] for name in picks.micrographs}
    columns: dict[str, list[Any]] = {"x": picks.xy[:, 0].round(6).tolist(), "y": picks.xy[:, 1].round(6).tolist()}
    for column, values in (("score", picks.score), ("diameter", picks.diameter_pixels)):
        if values is not None:
            columns[column] = [None if math.isnan(value) else value for value in values.tolist()]
    is_plain = not picks.extra and picks.diameter_pixels is None
    columns |= {name: values.tolist() for name, values in picks.extra.items() if name not in columns}
    for name, *row in zip(picks.micrograph.tolist(), *columns.values(), strict=True):
        rows[name].append(row if is_plain else dict(zip(columns, row, strict=True)))
    try:
        lines = [f"  {json.dumps(name)}: {json.dumps(entries, allow_nan=False)}" for name, entries in rows.items()]
    except (ValueError, TypeError) as error:
        raise PicksError(f"JSON can't hold these picks ({error})", where=path, fix="Write CSV instead.") from error
    write_text_atomically(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _row(entry: Any, where: str) -> dict[str, Any]:
    """One pick as a mapping, its numbers checked."""
    if isinstance(entry, list) and 2 <= len(entry) <= 3:
        entry = dict(zip(_KNOWN, entry, strict=False))
    if not isinstance(entry, dict) or not {"x", "y"} <= entry.keys():
        raise PicksError(f"'{str(entry)[:40]}' is no pick", where=where, fix=_EXAMPLE)
    return {column: _number(value, where) if column in _KNOWN else value for column, value in entry.items()}


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise ValueError(value)
        return parse_number(value) if isinstance(value, str) else float(value)
    except (ValueError, TypeError, OverflowError):
        raise PicksError(f"'{str(value)[:40]}' is no number", where=where, fix=_EXAMPLE) from None


def _picks(rows: list[tuple[str, dict[str, Any]]], micrographs: tuple[str, ...]) -> Picks:
    entries = [entry for _, entry in rows]
    missing = [name for name, entry in rows if entry["x"] is None or entry["y"] is None]
    if missing:
        raise PicksError("a coordinate is missing", where=missing[0], fix=_EXAMPLE)
    extra = [column for column in (entries[0] if entries else {}) if column not in _KNOWN]
    shared = [column for column in extra if all(column in entry for entry in entries)]
    return Picks(
        np.array([name for name, _ in rows], dtype=np.str_),
        np.array([(entry["x"], entry["y"]) for entry in entries], dtype=np.float64).reshape(-1, 2),
        score=optional_column([entry.get("score") for entry in entries]),
        diameter_pixels=optional_column([entry.get("diameter") for entry in entries]),
        extra={column: np.array([_text(entry[column]) for entry in entries], dtype=np.str_) for column in shared},
        micrographs=micrographs,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
