"""Topaz `.txt`: a TAB-separated table of image_name, x_coord, y_coord and, if there are scores, score."""

from __future__ import annotations

from pathlib import Path

from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import coordinate_texts, number_texts
from cryoglean.io.tables import header_of, read_table, write_table
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".txt",)
ORIGIN = (
    "(0, 0) is the centre of the first stored pixel, x to the right, y down the stored rows, in pixels of the picture "
    "that Topaz was given: `--scale` undoes its binning."
)
FACTS = FormatFacts(keeps=frozenset(("score",)))

read = read_table


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a table with Topaz's own column names."""
    return header_of(head)[:3] == ["image_name", "x_coord", "y_coord"]


def write(picks: Picks, path: Path) -> None:
    """Write the table; coordinates to a millionth of a pixel, which Topaz itself rounds when it trains.

    Raises:
        OSError: the file can't be written.
    """
    columns = {
        "image_name": picks.micrograph.tolist(),
        "x_coord": coordinate_texts(picks.xy[:, 0]),
        "y_coord": coordinate_texts(picks.xy[:, 1]),
    }
    if picks.score is not None:
        columns["score"] = number_texts(picks.score)
    write_table(columns, path, "\t")
