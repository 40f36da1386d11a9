"""Tables with a header and a line for each pick: what the cards that read and write CSV and TSV share."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError
from cryoglean.io.picks_file import (
    name_from_picks_file,
    optional_column,
    parse_number,
    read_text,
    telling_file,
)
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

_ALIASES = {
    "micrograph": (
        *("micrograph", "micrographname", "imagename", "image", "filename", "mic"),
        *("micrographfilename", "micrographsfilename", "rlnmicrographname"),
    ),
    "x": (
        *("x", "xcoord", "xcoordinate", "coordinatex", "xpixels", "xpx", "centerx", "centrex", "rlncoordinatex"),
        "axis1",  # napari: axis 0 is rows
    ),
    "y": (
        *("y", "ycoord", "ycoordinate", "coordinatey", "ypixels", "ypx", "centery", "centrey", "rlncoordinatey"),
        "axis0",
    ),
    "score": ("score", "confidence", "probability", "fom", "autopickfigureofmerit", "rlnautopickfigureofmerit"),
    "diameter": ("diameter", "diameterpixels", "diameterpx"),
}
_EXAMPLE = "Give the columns micrograph, x, y in the first line."


def read_table(path: Path) -> Picks:
    """The picks in a table; columns may have other programs' names, unknown ones are kept in `extra`.

    A row with an empty x and y names a micrograph that was looked at and has no particle. Without a column of
    micrographs, the file's name says which micrograph it is (as CryoPPP's files do).

    Raises:
        PicksError: a column is missing, or a cell is no number; the message has the line.
    """
    lines = _rows(read_text(path), path)
    _, header = next(lines, (0, [""]))
    table = _Table(path, tuple(cell.strip() for cell in header))
    for line, cells in lines:
        table.add(line, cells)
    return table.picks()


def write_table(columns: Mapping[str, Sequence[str]], path: Path, delimiter: str = ",") -> None:
    """Write columns of text under their names, at once.

    Raises:
        OSError: the file can't be written.
    """

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = table_writer(file, delimiter)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    write_file_atomically(path, fill)


def table_writer(file: TextIO, delimiter: str) -> Any:
    """A writer of rows with plain line ends."""
    return csv.writer(file, delimiter=delimiter, lineterminator="\n")


def header_of(head: bytes) -> list[str]:
    """The cells of the first line that is neither blank nor a comment."""
    text = head.decode("utf-8-sig", errors="replace")
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return [cell.strip() for cell in first.split(_delimiter(first))]


def names_coordinates(header: Sequence[str]) -> bool:
    """Whether a header has a column for x and one for y."""
    return {"x", "y"} <= _find_columns(header).keys()


@dataclass(slots=True)
class _Table:
    """The rows read so far."""

    path: Path
    header: tuple[str, ...]
    columns: dict[str, int] = field(init=False)
    names: list[str] = field(default_factory=list)
    xy: list[tuple[float, float]] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    diameters: list[float | None] = field(default_factory=list)
    extra: dict[str, list[str]] = field(init=False)
    micrographs: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.header)) < len(self.header):
            raise PicksError("two columns have the same name", where=f"{self.path}:1", fix="Rename one of them.")
        self.columns = _find_columns(self.header)
        missing = [name for name in ("x", "y") if name not in self.columns]
        if missing:
            named = ", ".join(self.header)[:80]
            raise PicksError(
                f"it lacks the column {' and '.join(missing)} (there are: {named})", where=self.path, fix=_EXAMPLE
            )
        known = set(self.columns.values())
        self.extra = {name: [] for place, name in enumerate(self.header) if place not in known and name}
        if "micrograph" not in self.columns:
            self.micrographs[name_from_picks_file(self.path)] = None

    def add(self, line: int, cells: list[str]) -> None:
        """Take one row in."""
        if len(cells) != len(self.header):
            raise self._mistake(line, f"it has {len(cells)} cells, and the first line has {len(self.header)}")
        name = self._name(line, cells)
        self.micrographs[name] = None
        x, y = self._number(line, cells, "x"), self._number(line, cells, "y")
        if x is None and y is None:
            return
        if x is None or y is None:
            raise self._mistake(line, "one coordinate is missing")
        self.names.append(name)
        self.xy.append((x, y))
        self.scores.append(self._number(line, cells, "score"))
        self.diameters.append(self._number(line, cells, "diameter"))
        for column, values in self.extra.items():
            values.append(cells[self.header.index(column)])

    def picks(self) -> Picks:
        """All rows as picks."""
        has_scores = "score" in self.columns
        with telling_file(self.path):
            return Picks(
                np.array(self.names, dtype=np.str_),
                np.array(self.xy, dtype=np.float64).reshape(-1, 2),
                score=(optional_column(self.scores) if self.names else np.empty(0)) if has_scores else None,
                diameter_pixels=optional_column(self.diameters) if "diameter" in self.columns else None,
                extra={name: np.array(values, dtype=np.str_) for name, values in self.extra.items()},
                micrographs=tuple(self.micrographs),
            )

    def _name(self, line: int, cells: list[str]) -> str:
        if "micrograph" not in self.columns:
            return name_from_picks_file(self.path)
        name = micrograph_name(cells[self.columns["micrograph"]])
        if not name:
            raise self._mistake(line, "the micrograph is missing")
        return name

    def _number(self, line: int, cells: list[str], column: str) -> float | None:
        text = cells[self.columns[column]].strip() if column in self.columns else ""
        if not text:
            return None
        try:
            return parse_number(text)
        except ValueError:
            raise self._mistake(line, f"{column} is '{text[:40]}', which is no number") from None

    def _mistake(self, line: int, what: str) -> PicksError:
        return PicksError(what, where=f"{self.path}:{line}", fix="Correct or delete this line.")


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row, without blank lines and comments."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    skipped = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    delimiter = _delimiter(lines[skipped] if skipped < len(lines) else "")
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:]) + "\n", newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            is_comment = len(cells) == 1 and cells[0].startswith("#")
            if any(cell.strip() for cell in cells) and not is_comment:
                yield skipped + reader.line_num, cells
    except csv.Error as error:
        where = f"{path}:{skipped + reader.line_num}"
        raise PicksError(f"it is not a table ({error})", where=where, fix=_EXAMPLE) from error


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _find_columns(header: Sequence[str]) -> dict[str, int]:
    """Where our columns are; a column with the plainest name wins."""
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    found = {}
    for column, aliases in _ALIASES.items():
        place = next((plain.index(alias) for alias in aliases if alias in plain), None)
        if place is not None:
            found[column] = place
    return found
