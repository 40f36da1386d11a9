"""EMAN `.box`: a line of x, y, width, height and, if there is one, a score for each box; one micrograph a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import (
    box_sides,
    name_from_picks_file,
    number_texts,
    parse_number,
    read_text,
    telling_file,
    with_boxes,
)
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".box",)
ORIGIN = (
    "x, y is the corner of the box nearest to (0, 0), the centre of the first stored pixel; y counts down the stored "
    "rows. The particle is at x + width / 2, y + height / 2, so that boxes of width 0 are centres."
)
FACTS = FormatFacts(
    ending=".box", rounding_pixels=0.500001, keeps=frozenset(("score", "empty")), needs=frozenset(("box",))
)

_TUBE = "relion_tube_end"  # RELION's helices: -1 where a tube begins, -2 where it ends
_EXAMPLE = "Each line is: x y width height, or with a score: x y width height score."


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes has lines of four numbers or more."""
    lines = [line.split() for line in head.decode("utf-8", errors="replace").splitlines()[:-1] or [""]]
    lines = [cells for cells in lines if cells and not cells[0].startswith("#")] or [
        head.decode("utf-8", errors="replace").split()
    ]
    try:
        return all(len(cells) >= 4 and all(np.isfinite([float(cell) for cell in cells[:4]])) for cells in lines)
    except ValueError:
        return False


def read(path: Path) -> Picks:
    """The boxes of one micrograph as centres; an empty file is a micrograph without particles.

    Raises:
        PicksError: a line has too few numbers, or other than the first one; the message has the line.
    """
    rows: list[list[float]] = []
    for place, line in enumerate(read_text(path).splitlines(), start=1):
        cells = line.split()
        if not cells or cells[0].startswith("#"):
            continue
        rows.append(_row(cells, f"{path}:{place}"))
        if len(rows[-1]) != len(rows[0]):
            raise PicksError(
                f"it has {len(rows[-1])} numbers, and the first line {len(rows[0])}", where=f"{path}:{place}",
                fix="Correct or delete this line.",
            )  # fmt: skip
    name = name_from_picks_file(path)
    if not rows:
        return Picks.empty([name])
    table = np.array(rows, dtype=np.float64)
    with telling_file(path):
        picks = Picks.of_one(name, table[:, :2] + table[:, 2:4] / 2)
        extra = with_boxes(picks, table[:, 2:4])
        fifth = table[:, 4] if table.shape[1] > 4 else None
        if fifth is not None and _are_tube_ends(fifth):
            return Picks(picks.micrograph, picks.xy, extra={**extra, _TUBE: fifth})
        return Picks(picks.micrograph, picks.xy, fifth, extra=extra)


def write(picks: Picks, path: Path) -> None:
    """Write boxes as whole numbers, which RELION asks for; the corner is off by half a pixel at most.

    Raises:
        PicksError: nobody said how large the boxes are.
        OSError: the file can't be written.
    """
    sides = np.rint(box_sides(picks, path))
    corners = np.rint(picks.xy - sides / 2)
    columns = [[str(int(value)) for value in column] for column in np.hstack([corners, sides]).T.tolist()]
    if picks.score is not None:
        columns.append(number_texts(picks.score))
    elif _TUBE in picks.extra:
        columns.append(_tube_ends(picks.extra[_TUBE], path))
    write_text_atomically(path, "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)))


def _tube_ends(values: NDArray[Any], path: Path) -> list[str]:
    try:
        return [str(int(value)) for value in values.astype(np.float64).tolist()]
    except (ValueError, OverflowError):
        raise PicksError(f"{_TUBE} is no number", where=path, fix="Write .star instead.") from None


def _are_tube_ends(values: NDArray[np.float64]) -> bool:
    return len(values) % 2 == 0 and bool((values[::2] == -1).all() and (values[1::2] == -2).all())


def _row(cells: list[str], where: str) -> list[float]:
    try:
        numbers = [parse_number(cell) for cell in cells[:5]]
    except ValueError as error:
        bad = str(error).rsplit(":", 1)[-1].strip(" '")[:40]
        raise PicksError(f"'{bad}' is no number", where=where, fix=_EXAMPLE) from None
    if len(numbers) < 4:
        raise PicksError(f"it has {len(numbers)} numbers", where=where, fix=_EXAMPLE)
    if not np.isfinite(numbers[:4]).all():
        raise PicksError("a number is not finite", where=where, fix=_EXAMPLE)
    return numbers
