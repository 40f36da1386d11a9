"""CSV and TSV with a header: micrograph, x, y and, if wanted, score, diameter and more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import coordinate_texts, number_texts, text_columns
from cryoglean.io.tables import header_of, names_coordinates, read_table, table_writer
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".csv", ".tsv")
ORIGIN = "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows (no flip)."
FACTS = FormatFacts()
GENERIC = True

read = read_table


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a table whose first line names x and y."""
    return names_coordinates(header_of(head))


def write(picks: Picks, path: Path) -> None:
    """Write CSV (TSV if the suffix says so); coordinates to a millionth of a pixel, everything else exactly.

    Raises:
        OSError: the file can't be written.
    """
    write_parts([picks], path)


def write_parts(parts: Iterable[Picks], path: Path) -> int:
    """Write picks that come one micrograph at a time, holding no more than one; the first part says the columns.

    Returns:
        How many picks were written.

    Raises:
        PicksError: a later part has other columns.
        OSError: the file can't be written.
    """
    counts: list[int] = []

    def fill(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            counts.append(_write_rows(parts, file, "\t" if path.suffix.lower() == ".tsv" else ","))

    write_file_atomically(path, fill)
    return counts[0]


def _write_rows(parts: Iterable[Picks], file: TextIO, delimiter: str) -> int:
    writer = table_writer(file, delimiter)
    header: list[str] = []
    empty: list[str] = []
    count = 0
    for picks in parts:
        columns = _text_columns(picks)
        if not header:
            header = list(columns)
            writer.writerow(header)
        if len(picks) and list(columns) != header:
            raise PicksError(f"the columns {', '.join(columns)} differ from the first, {', '.join(header)}")
        writer.writerows(zip(*columns.values(), strict=True))
        with_particles = set(picks.micrograph.tolist())
        empty += [name for name in picks.micrographs if name not in with_particles]
        count += len(picks)
    writer.writerows([name, *[""] * (len(header) - 1)] for name in empty)
    return count


def _text_columns(picks: Picks) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {
        "micrograph": picks.micrograph.tolist(),
        "x": coordinate_texts(picks.xy[:, 0]),
        "y": coordinate_texts(picks.xy[:, 1]),
    }
    for name, values in (("score", picks.score), ("diameter", picks.diameter_pixels)):
        if values is not None:
            columns[name] = ["" if text == "nan" else text for text in number_texts(values)]
    return {**columns, **text_columns(picks, columns)}
