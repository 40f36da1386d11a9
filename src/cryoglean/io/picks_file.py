"""What all formats of picks share: reading text, names from file names, columns of numbers, one error for the file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.micrograph import micrograph_name

_ENDINGS = re.compile(
    r"[_-](autopick|manualpick|topazpicks|picks|picked|particles|coords|coordinates)$", flags=re.IGNORECASE
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
    values = np.empty(len(texts), dtype=np.float64)
    for place, text in enumerate(texts):
        try:
            values[place] = parse_number(text)
        except ValueError:
            raise ValueError(text) from None
    return values


def coordinate_texts(values: NDArray[np.float64]) -> list[str]:
    """Coordinates in pixels, to a millionth."""
    return [repr(value) for value in np.round(values, 6).tolist()]


def number_texts(values: NDArray[np.float64]) -> list[str]:
    """Numbers with as many digits as it takes to read them back exactly."""
    return [repr(value) for value in values.tolist()]


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
