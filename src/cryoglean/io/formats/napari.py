"""Points of napari as CSV: index, axis-0 (y), axis-1 (x), and columns of properties; one micrograph a file."""

from __future__ import annotations

from pathlib import Path

from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import OWN_COLUMNS, coordinate_texts, number_texts, text_columns
from cryoglean.io.tables import header_of, read_table, write_table
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".csv",)
ORIGIN = "(0, 0) is the centre of the first stored pixel, axis-0 counts down the stored rows, axis-1 to the right."
FACTS = FormatFacts(ending=".csv")


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a table with napari's column names."""
    return {"axis-0", "axis-1"} <= set(header_of(head))


def read(path: Path) -> Picks:
    """The points of one layer; properties are kept in `extra`.

    Raises:
        PicksError: a column is missing, or a cell is no number.
    """
    picks = read_table(path)
    extra = {name: values for name, values in picks.extra.items() if name != "index"}
    return Picks(picks.micrograph, picks.xy, picks.score, picks.diameter_pixels, extra, picks.micrographs)


def write(picks: Picks, path: Path) -> None:
    """Write the points of one micrograph.

    Raises:
        OSError: the file can't be written.
    """
    columns = {
        "index": [str(place) for place in range(len(picks))],
        "axis-0": coordinate_texts(picks.xy[:, 1]),
        "axis-1": coordinate_texts(picks.xy[:, 0]),
    }
    for name, values in (("score", picks.score), ("diameter", picks.diameter_pixels)):
        if values is not None:
            columns[name] = number_texts(values)
    write_table({**columns, **text_columns(picks, (*columns, *OWN_COLUMNS))}, path)
