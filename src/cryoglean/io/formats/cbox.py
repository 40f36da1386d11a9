"""crYOLO `.cbox`: boxes of all confidences, in a dialect of STAR; one micrograph a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import (
    box_sides,
    name_from_picks_file,
    number_texts,
    parse_numbers,
    telling_file,
    with_boxes,
)
from cryoglean.io.star_lines import StarTable
from cryoglean.io.star_tables import read_star_tables, render_star_tables
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".cbox",)
ORIGIN = (
    "CoordinateX, CoordinateY is the corner of the box nearest to (0, 0), the centre of the first stored pixel; y "
    "counts down the stored rows. The particle is at the corner plus half of Width and Height."
)
FACTS = FormatFacts(ending=".cbox", keeps=frozenset(("score", "empty")), needs=frozenset(("box",)))

_MISSING = "<NA>"
_KEPT = ("CoordinateZ", "Depth", "EstWidth", "EstHeight", "NumBoxes", "Angle", "filamentid")
_EXAMPLE = "Give a file that crYOLO wrote."


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a cbox of crYOLO 1.8 or later."""
    return b"_cbox_format_version" in head


def read(path: Path) -> Picks:
    """All boxes of one micrograph as centres; `_Confidence` is the score, other columns are kept in `extra`.

    Raises:
        PicksError: the file is no cbox, is one of a tomogram, or a number is none.
    """
    table = read_star_tables(path).get("cryolo")
    needed = ("CoordinateX", "CoordinateY", "Width", "Height")
    if table is None or not set(needed) <= table.keys():
        raise PicksError("it has no table data_cryolo with corners and sides", where=path, fix=_EXAMPLE)
    x, y, width, height = (_numbers(path, table, tag) for tag in needed)
    if len(set(table.get("CoordinateZ", []))) > 1:
        raise PicksError("its boxes lie in several slices of a tomogram", where=path, fix="Give one of a micrograph.")
    sides = np.stack([width, height], axis=1)
    scores = _numbers(path, table, "Confidence") if "Confidence" in table else np.full(len(x), np.nan)
    kept = {tag: np.array(table[tag], dtype=np.str_) for tag in _KEPT if tag in table and len(x)}
    name = name_from_picks_file(path)
    with telling_file(path):
        picks = Picks.of_one(name, np.stack([x, y], axis=1) + sides / 2)
        has_scores = not len(x) or not np.isnan(scores).all()
        return Picks(
            picks.micrograph, picks.xy, scores if has_scores else None,
            extra=with_boxes(picks, sides) | kept, micrographs=(name,),
        )  # fmt: skip


def write(picks: Picks, path: Path) -> None:
    """Write the boxes of one micrograph as crYOLO does, `<NA>` where nothing is known.

    Raises:
        PicksError: nobody said how large the boxes are.
        OSError: the file can't be written.
    """
    sides = box_sides(picks, path)
    corners = picks.xy - sides / 2
    missing = [_MISSING] * len(picks)
    kept = {tag: [str(value) for value in picks.extra[tag].tolist()] for tag in _KEPT if tag in picks.extra}
    scores = missing if picks.score is None else _texts(picks.score)
    columns = {
        "CoordinateX": number_texts(corners[:, 0]),
        "CoordinateY": number_texts(corners[:, 1]),
        "CoordinateZ": kept.get("CoordinateZ", missing),
        "Width": number_texts(sides[:, 0]),
        "Height": number_texts(sides[:, 1]),
        "Depth": kept.get("Depth", missing),
        "EstWidth": kept.get("EstWidth", number_texts(sides[:, 0])),
        "EstHeight": kept.get("EstHeight", number_texts(sides[:, 1])),
        "Confidence": scores,
        "NumBoxes": kept.get("NumBoxes", missing),
        "Angle": kept.get("Angle", missing),
    }
    if "filamentid" in kept:
        columns["filamentid"] = kept["filamentid"]
    head = "\ndata_global\n\n_cbox_format_version 1.0\n\n"
    boxes = render_star_tables({"cryolo": columns}).split("\n", 2)[2].rstrip("\n")
    write_text_atomically(path, f"{head}{boxes}\n\ndata_cryolo_include\n\nloop_\n_slice_index #1\n")


def _texts(values: NDArray[np.float64]) -> list[str]:
    return [_MISSING if text == "nan" else text for text in number_texts(values)]


def _numbers(path: Path, table: StarTable, tag: str) -> NDArray[np.float64]:
    try:
        return parse_numbers(["nan" if text == _MISSING else text for text in table[tag]])
    except ValueError as error:
        raise PicksError(f"_{tag} is '{str(error)[:40]}', which is no number", where=path, fix=_EXAMPLE) from None
