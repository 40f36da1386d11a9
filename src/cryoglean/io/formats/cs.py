"""cryoSPARC `.cs`: a table of particles with their location, a numpy file that cryosparc-tools reads and writes."""

from __future__ import annotations

import hashlib
import tokenize
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import telling_file
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".cs",)
ORIGIN = (
    "center_x_frac and center_y_frac are shares of the micrograph's width and height, y counted up from the last "
    "stored row: x = center_x_frac * width, y = (1 - center_y_frac) * height, from (0, 0), the first stored pixel."
)
FACTS = FormatFacts(rounding_pixels=1e-3, score_rounding=1e-6, keeps=frozenset(("score",)), needs=frozenset(("shape",)))

PATH, SHAPE = "location/micrograph_path", "location/micrograph_shape"
_X, _Y, _SCORE = "location/center_x_frac", "location/center_y_frac", "pick_stats/ncc_score"
_OWN = (PATH, SHAPE, _X, _Y, _SCORE)
_LAYOUT: dict[str, str] = {
    "uid": "<u8",
    "location/micrograph_uid": "<u8",
    "location/exp_group_id": "<u4",
    SHAPE: "<u4",
    _X: "<f4",
    _Y: "<f4",
    "location/min_dist_A": "<f4",
    "location/micrograph_psize_A": "<f4",
    _SCORE: "<f4",
    "pick_stats/power": "<f4",
    "pick_stats/template_idx": "<u4",
    "pick_stats/angle_rad": "<f4",
}
_EXAMPLE = "Give the .cs of a cryoSPARC job whose particles have a location (a picking or extraction job)."
_LONGEST_HEADER = 1_000_000  # bytes; a hundred fields take 5,000
_BROKEN = (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, EOFError, OverflowError)


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is numpy's, of a table."""
    return head[:6] == b"\x93NUMPY" and b"'descr': [" in head


def read(path: Path) -> Picks:
    """The particles; every other field of one number or text is kept in `extra`.

    Raises:
        PicksError: the file is not cryoSPARC's, or its particles have no location.
    """
    table = _load(path)
    names = table.dtype.names or ()
    missing = [field for field in (PATH, SHAPE, _X, _Y) if field not in names]
    if missing:
        raise PicksError(f"it lacks {', '.join(missing)}", where=path, fix=_EXAMPLE)
    shapes = _numbers(table, SHAPE, (len(table), 2), path)
    files = [_text(value) for value in table[PATH].tolist()]
    micrographs = [micrograph_name(file) for file in files]
    if not all(micrographs):
        raise PicksError(f"{PATH} is empty in row {micrographs.index('') + 1}", where=path, fix=_EXAMPLE)
    x = _numbers(table, _X, (len(table),), path) * shapes[:, 1]
    y = (1.0 - _numbers(table, _Y, (len(table),), path)) * shapes[:, 0]
    extra = {field: np.array(table[field]) for field in names if field not in _OWN and table[field].ndim == 1}
    extra["micrograph_path"] = np.array(files, dtype=np.str_)
    scores = _numbers(table, _SCORE, (len(table),), path) if _SCORE in names else None
    known = scores is not None and (not len(scores) or not np.isnan(scores).all())
    with telling_file(path):
        return Picks(
            np.array(micrographs, dtype=np.str_), np.stack([x, y], axis=1), scores if known else None, extra=extra
        )


def write(picks: Picks, path: Path, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Write what a picking job of cryoSPARC writes: `uid`, `location/*`, `pick_stats/*`.

    What was read from a `.cs` file is written back. Without that, identifiers are made from names and places, and
    cryoSPARC can't tell which of its micrographs is meant: import STAR there, or see the how-to.

    Args:
        picks: any picks.
        path: the file to make.
        shapes: rows and columns by micrograph.

    Raises:
        PicksError: the shape of a micrograph is not known, or a name is not ASCII.
        OSError: the file can't be written.
    """
    missing = next((name for name in np.unique(picks.micrograph).tolist() if name not in shapes), None)
    if missing is not None:
        raise PicksError(
            f"the width and height of the micrograph '{missing}' are needed", where=path,
            fix="Give the micrographs with --micrographs.",
        )  # fmt: skip
    paths = picks.extra.get("micrograph_path", np.array([f"{name}.mrc" for name in picks.micrograph.tolist()]))
    if not all(text.isascii() for text in set(paths.tolist())):
        raise PicksError("a micrograph's name has letters beyond ASCII", where=path, fix="Rename it, or write CSV.")
    table = _table(picks, np.array(paths.tolist(), dtype=np.bytes_), shapes)

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.lib.format.write_array(file, table, allow_pickle=False)

    write_file_atomically(path, fill)


def _table(picks: Picks, paths: NDArray[np.bytes_], shapes: Mapping[str, tuple[int, int]]) -> NDArray[Any]:
    sizes = np.array([shapes[name] for name in picks.micrograph.tolist()], dtype=np.float64).reshape(-1, 2)
    names = picks.micrograph.tolist()
    columns: dict[str, Any] = {
        "uid": np.array(
            [
                _identifier(f"{name} {place} {xy}")
                for place, (name, xy) in enumerate(zip(names, picks.xy.tolist(), strict=True))
            ],
            dtype="<u8",
        ),
        "location/micrograph_uid": np.array([_identifier(name) for name in names], dtype="<u8"),
        SHAPE: sizes,
        _X: picks.xy[:, 0] / sizes[:, 1],
        _Y: 1.0 - picks.xy[:, 1] / sizes[:, 0],
        _SCORE: np.full(len(picks), np.nan) if picks.score is None else picks.score,
    }
    kept = {field: values for field, values in picks.extra.items() if field == "uid" or "/" in field}
    columns |= {field: values for field, values in kept.items() if field not in _OWN and values.dtype.kind in "uifS"}
    layout: list[Any] = [(field, kind, (2,)) if field == SHAPE else (field, kind) for field, kind in _LAYOUT.items()]
    layout.insert(3, (PATH, paths.dtype))
    layout += [(field, values.dtype) for field, values in kept.items() if field in columns and field not in _LAYOUT]
    table = np.zeros(len(picks), dtype=layout)
    table[PATH] = paths
    for field, values in columns.items():
        with np.errstate(over="ignore"):
            table[field] = values
    return table


def _load(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            head = file.read(256)
        length = int.from_bytes(head[8 : 10 if head[6:7] == b"\1" else 12], "little")
        if not sniff(head) or length > _LONGEST_HEADER:  # numpy would make room for whatever length is claimed
            raise PicksError("it is not a table of cryoSPARC", where=path, fix=_EXAMPLE)
        table = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=_LONGEST_HEADER)
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror or error})", where=path) from error
    except (*_BROKEN, tokenize.TokenError) as error:
        said = str(error).split("\n")[0][:80]
        raise PicksError(f"it is no numpy file that can be read ({said})", where=path, fix=_EXAMPLE) from error
    if table.ndim != 1 or table.dtype.names is None:
        raise PicksError("it is not a table", where=path, fix=_EXAMPLE)
    return np.array(table)


def _numbers(table: NDArray[Any], field: str, shape: tuple[int, ...], path: Path) -> NDArray[np.float64]:
    """The numbers of a field, checked to be real ones and of this shape."""
    values = table[field]
    if values.shape != shape or values.dtype.kind not in "biuf":
        raise PicksError(f"{field} is not what cryoSPARC writes ({values.dtype})", where=path, fix=_EXAMPLE)
    return np.asarray(values, dtype=np.float64)


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _identifier(text: str) -> int:
    """A number that is the same for the same text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
