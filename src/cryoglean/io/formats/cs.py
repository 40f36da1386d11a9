"""cryoSPARC `.cs`: a table of particles with their location, a numpy file that cryosparc-tools reads and writes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError
from cryoglean.io.cs_tables import COLUMNS, ROWS, is_table, numbers_of, read_cs_table, shape_columns, text_of
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


sniff = is_table


def read(path: Path) -> Picks:
    """The particles; every other field of one number or text is kept in `extra`.

    Raises:
        PicksError: the file is not cryoSPARC's, or its particles have no location.
    """
    table = read_cs_table(path)
    names = table.dtype.names or ()
    missing = [field for field in (PATH, SHAPE, _X, _Y) if field not in names]
    if missing:
        raise PicksError(f"it lacks {', '.join(missing)}", where=path, fix=_EXAMPLE)
    shapes = numbers_of(table, SHAPE, path, (2,))
    files = [text_of(value) for value in table[PATH].tolist()]
    micrographs = [micrograph_name(file) for file in files]
    if not all(micrographs):
        raise PicksError(f"{PATH} is empty in row {micrographs.index('') + 1}", where=path, fix=_EXAMPLE)
    x = numbers_of(table, _X, path) * shapes[:, 1]
    y = (1.0 - numbers_of(table, _Y, path)) * shapes[:, 0]
    extra = {field: np.array(table[field]) for field in names if field not in _OWN and table[field].ndim == 1}
    extra |= shape_columns(shapes)
    extra["micrograph_path"] = np.array(files, dtype=np.str_)
    scores = numbers_of(table, _SCORE, path) if _SCORE in names else None
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
    sizes = _sizes(picks, shapes, path)
    paths = picks.extra.get("micrograph_path", np.array([f"{name}.mrc" for name in picks.micrograph.tolist()]))
    if not all(text.isascii() for text in set(paths.tolist())):
        raise PicksError("a micrograph's name has letters beyond ASCII", where=path, fix="Rename it, or write CSV.")
    table = _table(picks, np.array(paths.tolist(), dtype=np.bytes_), sizes)

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.lib.format.write_array(file, table, allow_pickle=False)

    write_file_atomically(path, fill)


def _sizes(picks: Picks, shapes: Mapping[str, tuple[int, int]], path: Path) -> NDArray[np.float64]:
    """(n, 2) rows and columns of each pick's micrograph."""
    names = picks.micrograph.tolist()
    missing = next((name for name in dict.fromkeys(names) if name not in shapes), None)
    if missing is None:
        return np.array([shapes[name] for name in names], dtype=np.float64).reshape(-1, 2)
    if ROWS in picks.extra and COLUMNS in picks.extra:
        return _kept_sizes(picks, path)
    raise PicksError(
        f"the width and height of the micrograph '{missing}' are needed", where=path,
        fix="Give the micrographs with --micrographs.",
    )  # fmt: skip


def _kept_sizes(picks: Picks, path: Path) -> NDArray[np.float64]:
    """The sizes that came with the picks; a table may have any text in their columns."""
    try:
        sizes = np.stack([picks.extra[ROWS], picks.extra[COLUMNS]], axis=1).astype(np.float64)
    except ValueError:
        sizes = np.zeros((len(picks), 2))
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise PicksError(f"{ROWS} or {COLUMNS} is no size", where=path, fix="Give the micrographs with --micrographs.")
    return sizes


def _table(picks: Picks, paths: NDArray[np.bytes_], sizes: NDArray[np.float64]) -> NDArray[Any]:
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


def _identifier(text: str) -> int:
    """A number that is the same for the same text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
