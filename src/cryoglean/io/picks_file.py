"""What all formats of picks share: reading text, names from file names, columns of numbers, one error for the file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

_ENDINGS = re.compile(
    r"[_-](autopick|manualpick|topazpicks|picks|picked|info|particles|coords|coordinates)$", flags=re.IGNORECASE
)


def read_text(path: Path) -> str:
    """The text (UTF-8) of a file of picks.

    Raises:
        PicksError: the file can't be read or is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror})", where=path) from error
    except UnicodeDecodeError as error:
        raise PicksError("it is not text (UTF-8)", where=path, fix="Save it as UTF-8 text.") from error


def read_json(path: Path, example: str) -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        example: what to write, for the message.

    Raises:
        PicksError: the file can't be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise PicksError(f"it is not JSON ({error})", where=path, fix=example) from error


def name_from_picks_file(path: Path) -> str:
    """The micrograph that a file of picks belongs to when it names none: `mic1_autopick.star` belongs to `mic1`."""
    return _ENDINGS.sub("", micrograph_name(path.stem)) or path.stem


def parse_number(text: str) -> float:
    """A finite or infinite number, or nan, from text.

    Raises:
        ValueError: the text is no number.
    """
    if "_" in text:  # Python reads 1_000 as 1000, and nobody else does
        raise ValueError(text)
    return float(text)


def parse_numbers(texts: Sequence[str]) -> NDArray[np.float64]:
    """Numbers from text.

    Raises:
        ValueError: a text is no number; its message is that text.
    """
    try:
        if "_" not in "".join(texts):
            return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        pass
    for text in texts:
        try:
            parse_number(text)
        except ValueError:
            raise ValueError(text) from None
    raise AssertionError("one of the texts is no number")


def coordinate_texts(values: NDArray[np.float64]) -> list[str]:
    """Coordinates in pixels, to a millionth."""
    return [repr(value) for value in np.round(values, 6).tolist()]


def number_texts(values: NDArray[np.float64]) -> list[str]:
    """Numbers with as many digits as it takes to read them back exactly."""
    return [repr(value) for value in values.tolist()]


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.intp]]:
    """Each text once, in the order of the first; and for each of all texts its place among them."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return list(places), np.fromiter(map(places.__getitem__, texts), np.intp, len(texts))


def optional_column(values: list[float | None]) -> NDArray[np.float64] | None:
    """A column with nan where a row says nothing, or None when no row says anything."""
    if all(value is None for value in values):
        return None
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


@contextmanager
def telling_file(path: Path) -> Iterator[None]:
    """Let an error about a table of picks name the file it came from."""
    try:
        yield
    except PicksError as error:
        if str(path) in error.where:
            raise
        raise PicksError(f"{error.where}: {error.what}" if error.where else error.what, where=path) from error


BOX_WIDTH, BOX_HEIGHT = "box_width_pixels", "box_height_pixels"
"""The columns of `Picks.extra` that keep the sides of boxes, whose centres the coordinates are."""


OWN_COLUMNS = (BOX_WIDTH, BOX_HEIGHT, "micrograph_path", "micrograph_rows", "micrograph_columns")
"""Columns of `Picks.extra` that carry what one format says and another asks for; no user made them."""


def box_sides(picks: Picks, where: Path) -> NDArray[np.float64]:
    """(n, 2) width and height of each pick's box: as read, or the particle's diameter.

    Raises:
        PicksError: nobody said how large the boxes are, or what was said is no number.
    """
    if BOX_WIDTH in picks.extra:
        width = picks.extra[BOX_WIDTH]
        try:
            sides = np.stack([width, picks.extra.get(BOX_HEIGHT, width)], axis=1).astype(np.float64)
        except ValueError:
            sides = np.full((len(picks), 2), np.nan)
        if not (np.isfinite(sides).all() and (sides >= 0).all()):
            raise PicksError(
                f"{BOX_WIDTH} or {BOX_HEIGHT} is no number, 0 or more", where=where, fix="Give --box-pixels."
            )
        return sides
    if (
        picks.diameter_pixels is not None
        and np.isfinite(picks.diameter_pixels).all()
        and (picks.diameter_pixels >= 0).all()
    ):
        return np.repeat(picks.diameter_pixels[:, None], 2, axis=1)
    if not len(picks):
        return np.empty((0, 2))
    raise PicksError("the side of the boxes isn't known", where=where, fix="Give --box-pixels (0 writes centres).")


def with_boxes(picks: Picks, sides: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The extra columns of picks whose boxes have these (n, 2) widths and heights."""
    return {**picks.extra, BOX_WIDTH: sides[:, 0], BOX_HEIGHT: sides[:, 1]}


def text_columns(picks: Picks, known: Collection[str] = ()) -> dict[str, list[str]]:
    """The extra columns as text, without those of `known`."""
    return {
        name: [str(value) for value in values.tolist()] for name, values in picks.extra.items() if name not in known
    }


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a coordinate can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
