"""EMAN2's `_info.json`, also written by Topaz: {"boxes": [[x, y, "manual"], ...]}; one micrograph a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import is_number, name_from_picks_file, optional_column, read_json, telling_file
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".json",)
ORIGIN = (
    "x, y is the centre, counted from (0, 0), the centre of the first stored pixel, y down the stored rows. Of TIFF "
    "files EMAN2 itself turns the rows over: give `--flip-y` for those."
)
FACTS = FormatFacts(ending="_info.json", keeps=frozenset(("score", "empty")))

_KIND = "eman2_kind"
_EXAMPLE = 'Write {"boxes": [[x, y, "manual"], ...]}.'


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a JSON object with boxes."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and b'"boxes"' in head


def read(path: Path) -> Picks:
    """The boxes of one micrograph; the fourth entry of a box, where there is one, is its score.

    Raises:
        PicksError: the file is not JSON, or its boxes are none.
    """
    content = read_json(path, _EXAMPLE)
    boxes = content.get("boxes") if isinstance(content, dict) else None
    if not isinstance(boxes, list):
        raise PicksError("it has no list of boxes", where=path, fix=_EXAMPLE)
    rows = [_row(box, path) for box in boxes]
    name = name_from_picks_file(path)
    kinds = np.array([row[2] for row in rows], dtype=np.str_)
    with telling_file(path):
        return Picks(
            np.full(len(rows), name),
            np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2),
            optional_column([row[3] for row in rows]) if rows else np.empty(0),
            extra={_KIND: kinds} if rows else {},
            micrographs=(name,),
        )


def write(picks: Picks, path: Path) -> None:
    """Write the boxes of one micrograph, `manual` without a score and `auto` with one.

    Raises:
        PicksError: a score is infinite.
        OSError: the file can't be written.
    """
    default = np.full(len(picks), "manual" if picks.score is None else "auto")
    kinds = picks.extra.get(_KIND, default).tolist()
    scores = [None] * len(picks) if picks.score is None else picks.score.tolist()
    boxes = [
        [*xy, str(kind), *([] if score is None or math.isnan(score) else [score])]
        for xy, kind, score in zip(picks.xy.round(6).tolist(), kinds, scores, strict=True)
    ]
    try:
        text = json.dumps({"boxes": boxes}, allow_nan=False)
    except ValueError as error:
        raise PicksError(f"JSON can't hold these picks ({error})", where=path, fix="Write CSV instead.") from error
    write_text_atomically(path, text + "\n")


def _row(box: Any, path: Path) -> tuple[float, float, str, float | None]:
    if not isinstance(box, list) or len(box) < 2 or not all(is_number(value) for value in box[:2]):
        raise PicksError(f"'{str(box)[:40]}' is no box", where=path, fix=_EXAMPLE)
    score = float(box[3]) if len(box) > 3 and is_number(box[3]) else None
    return float(box[0]), float(box[1]), str(box[2]) if len(box) > 2 else "manual", score
