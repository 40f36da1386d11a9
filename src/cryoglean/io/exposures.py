"""cryoSPARC's exposures: the identifiers by which it knows its micrographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoglean.errors import PicksError
from cryoglean.io.cs_tables import numbers_of, read_cs_table, shape_columns, text_of
from cryoglean.io.folders import without_number
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

_PATH, _SHAPE, _PIXEL = "micrograph_blob/path", "micrograph_blob/shape", "micrograph_blob/psize_A"
_GROUP = "mscope_params/exp_group_id"


def with_exposures(picks: Picks, path: Path) -> Picks:
    """Picks with cryoSPARC's own identifiers and paths of their micrographs, for a `.cs` that it can connect.

    Micrographs are matched by name; cryoSPARC's leading number may be missing on the picks' side.

    Args:
        picks: any picks.
        path: the `.cs` of exposures, with `uid` and `micrograph_blob`.

    Raises:
        PicksError: the file is none of exposures, or lacks a micrograph of the picks.
    """
    table = read_cs_table(path)
    fields = table.dtype.names or ()
    if "uid" not in fields or _PATH not in fields or table["uid"].dtype.kind not in "iu":
        raise PicksError(
            f"it lacks uid or {_PATH}", where=path, fix="Give the exposures.cs of the job with micrographs."
        )
    files = [text_of(value) for value in table[_PATH].tolist()]
    rows: dict[str, int] = {}
    for row, file in enumerate(files):
        name = micrograph_name(file)
        rows.setdefault(without_number(name), row)
        rows[name] = row
    missing = next((name for name in np.unique(picks.micrograph).tolist() if name not in rows), None)
    if missing is not None:
        raise PicksError(
            f"there is no exposure '{missing}' ({Path(files[0]).name if files else 'nothing'} for one)", where=path,
            fix="Give the exposures that the micrographs were exported from.",
        )  # fmt: skip
    chosen = np.array([rows[name] for name in picks.micrograph.tolist()], dtype=np.intp)
    columns = {
        "micrograph_path": np.array(files, dtype=np.str_)[chosen] if files else np.empty(0, dtype=np.str_),
        "location/micrograph_uid": np.asarray(table["uid"], dtype="<u8")[chosen],
    }
    if _SHAPE in fields:
        columns |= shape_columns(numbers_of(table, _SHAPE, path, (2,))[chosen])
    if _PIXEL in fields:
        columns["location/micrograph_psize_A"] = numbers_of(table, _PIXEL, path)[chosen].astype("<f4")
    if _GROUP in fields:
        columns["location/exp_group_id"] = numbers_of(table, _GROUP, path)[chosen].astype("<u4")
    return replace(picks, extra={**picks.extra, **columns})
