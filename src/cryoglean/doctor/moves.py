"""Ways in which coordinates come out wrong: mirrored, swapped, of a binned micrograph; and how to undo them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import SettingsError
from cryoglean.picks import Picks

_TURNS = {
    "": "",
    "flip_y": "upside down: y is counted from the other edge",
    "flip_x": "mirrored: x is counted from the other edge",
    "flip_x+flip_y": "turned by half a circle",
    "swap": "x and y are swapped",
    "swap+flip_y": "x and y are swapped, and y is counted from the other edge",
}
_SCALES = (1.0, 2.0, 4.0, 0.5, 0.25)

AS_GIVEN = ""
"""The move that leaves labels where they are."""


def move_names() -> tuple[str, ...]:
    """All moves that are tried, the one that changes nothing first; such as `flip_y` or `scale=2+flip_y`."""
    names = []
    for scale in _SCALES:
        for turn in _TURNS:
            size = "" if scale == 1.0 else f"scale={scale:g}"
            names.append("+".join(part for part in (size, turn) if part))
    return tuple(names)


def describe_move(name: str) -> str:
    """What is wrong with labels that need this move, in words."""
    parts = name.split("+")
    size = next((float(part.removeprefix("scale=")) for part in parts if part.startswith("scale=")), 1.0)
    turn = _TURNS["+".join(part for part in parts if not part.startswith("scale="))]
    words = (
        []
        if size == 1.0
        else [f"in pixels {size:g} times as large" if size > 1 else f"in pixels {1 / size:g} times smaller"]
    )
    return ", and ".join([*words, *([turn] if turn else [])])


def move(xy: NDArray[np.float64], shape: tuple[int, int], name: str) -> NDArray[np.float64]:
    """Coordinates moved to where the particles are: first scaled, then turned.

    Args:
        xy: (n, 2) pixels (x, y).
        shape: (y, x) of the micrograph.
        name: one of `move_names()`.

    Raises:
        SettingsError: there is no such move.
    """
    if name not in move_names():
        raise SettingsError(f"there is no move '{name}'", fix=f"Known are: {', '.join(filter(None, move_names()))}.")
    rows, columns = shape
    moved = np.array(xy, dtype=np.float64)
    for part in filter(None, name.split("+")):
        if part == "swap":
            moved = moved[:, ::-1].copy()
        elif part == "flip_y":
            moved[:, 1] = rows - 1 - moved[:, 1]
        elif part == "flip_x":
            moved[:, 0] = columns - 1 - moved[:, 0]
        else:
            moved = moved * float(part.removeprefix("scale="))
    return moved


def move_picks(picks: Picks, shapes: Mapping[str, tuple[int, int]], name: str) -> Picks:
    """A whole table moved; see `move`. Rows of micrographs whose shape is not known stay as they are.

    Args:
        picks: labels.
        shapes: (y, x) of the micrographs.
        name: one of `move_names()`.
    """
    xy = picks.xy.copy()
    for micrograph, shape in shapes.items():
        here = picks.micrograph == micrograph
        xy[here] = move(xy[here], shape, name)
    return Picks(picks.micrograph, xy, picks.score, picks.diameter_pixels, picks.extra, picks.micrographs)
