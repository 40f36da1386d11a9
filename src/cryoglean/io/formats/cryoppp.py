"""CryoPPP's coordinates: X-Coordinate, Y-Coordinate, Diameter; one micrograph a file, or a table of all particles."""

from __future__ import annotations

from pathlib import Path

from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import OWN_COLUMNS, box_sides, coordinate_texts, number_texts, text_columns
from cryoglean.io.tables import header_of, read_table, write_table
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".csv",)
ORIGIN = (
    "(0, 0) is the centre of the top left pixel of the JPEG, x to the right, y down. The JPEG is the MRC turned over: "
    "of an MRC, y counts up from the last stored row (y = height - row)."
)
FACTS = FormatFacts(
    y_axis="flipped_for_mrc", ending=".csv", keeps=frozenset(("score", "diameter", "extra", "empty")),
    needs=frozenset(("box",)),
)  # fmt: skip

read = read_table


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a table with CryoPPP's own column names."""
    return {"X-Coordinate", "Y-Coordinate"} <= set(header_of(head))


def write(picks: Picks, path: Path) -> None:
    """Write the coordinates of one micrograph; the diameter, in pixels, is the box's side when nothing else is known.

    Raises:
        PicksError: nobody said how large the particles are.
        OSError: the file can't be written.
    """
    diameters = picks.diameter_pixels if picks.diameter_pixels is not None else box_sides(picks, path)[:, 0]
    columns = {
        "X-Coordinate": coordinate_texts(picks.xy[:, 0]),
        "Y-Coordinate": coordinate_texts(picks.xy[:, 1]),
        "Diameter": number_texts(diameters),
    }
    if picks.score is not None:
        columns["score"] = number_texts(picks.score)
    write_table({**columns, **text_columns(picks, (*columns, *OWN_COLUMNS))}, path)
