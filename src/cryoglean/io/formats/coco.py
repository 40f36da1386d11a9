"""COCO JSON: boxes of particles in pictures; also as CryoTransformer writes it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_text_atomically
from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.picks_file import box_sides, is_number, optional_column, read_json, telling_file, with_boxes
from cryoglean.micrograph import micrograph_name
from cryoglean.picks import Picks

SUFFIXES: tuple[str, ...] = (".json",)
ORIGIN = (
    "bbox is x, y of the corner nearest to (0, 0), the centre of the picture's top left pixel, then width and height; "
    "y counts down. The particle is at the box's centre. Of pictures made of MRC files nobody knows whether they were "
    "turned over: say `--flip-y` (CryoTransformer's are) or `--no-flip-y`."
)
FACTS = FormatFacts(
    y_axis="unsaid_for_mrc", keeps=frozenset(("score", "diameter", "empty")), needs=frozenset(("box", "shape"))
)

_KEYS = ("info", "images", "annotations", "categories", "licenses")
_EXAMPLE = 'Write {"images": [{"id": 0, "file_name": ..}], "annotations": [{"image_id": 0, "bbox": [x, y, w, h]}]}.'


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is JSON whose first key is one of COCO's."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().removeprefix(b"{").lstrip()
    return any(start.startswith(f'"{key}"'.encode()) for key in _KEYS)


def read(path: Path) -> Picks:
    """The centres of all boxes, whatever `iscrowd` says: CryoTransformer sets it for every particle.

    An image is an empty micrograph when it has no annotation; when its only one is a box of no size, which is how
    CryoTransformer marks images that nobody labelled, it is left out.

    Raises:
        PicksError: the file is not COCO, or an annotation has no box or no image.
    """
    content = read_json(path, _EXAMPLE)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise PicksError("it has no list of images", where=path, fix=_EXAMPLE)
    files = dict(_image(entry, path) for entry in content["images"])
    names = {key: micrograph_name(file) for key, file in files.items()}
    annotations = content.get("annotations", [])
    if not isinstance(annotations, list):
        raise PicksError("its annotations are no list", where=path, fix=_EXAMPLE)
    boxes = [_annotation(entry, names, path) for entry in annotations]
    unlabelled = {name for name, box, _ in boxes if box == (0.0, 0.0, 0.0, 0.0)}
    boxes = [entry for entry in boxes if entry[1] != (0.0, 0.0, 0.0, 0.0)]
    unlabelled -= {name for name, _, _ in boxes}
    table = np.array([box for _, box, _ in boxes], dtype=np.float64).reshape(-1, 4)
    looked_at = tuple(dict.fromkeys(name for name in names.values() if name not in unlabelled))
    by_name = {names[key]: file for key, file in files.items()}
    with telling_file(path):
        picks = Picks(np.array([name for name, _, _ in boxes], dtype=np.str_), table[:, :2] + table[:, 2:] / 2)
        sides = table[:, 2:]
        written = np.array([by_name[name] for name in picks.micrograph.tolist()], dtype=np.str_)
        has_diameters = len(table) > 0 and bool((sides[:, 0] == sides[:, 1]).all() and (sides > 0).all())
        return Picks(
            picks.micrograph, picks.xy,
            optional_column([score for _, _, score in boxes]) if boxes else np.empty(0),
            sides[:, 0] if has_diameters else None,
            {**with_boxes(picks, sides), "micrograph_path": written},
            looked_at,
        )  # fmt: skip


def write(picks: Picks, path: Path, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Write COCO with one category, `particle`, and `iscrowd` 0, which every loader takes for what it is.

    Args:
        picks: with boxes or diameters.
        path: the file to make.
        shapes: rows and columns by micrograph.

    Raises:
        PicksError: nobody said how large the boxes or a micrograph are, or a score is infinite.
        OSError: the file can't be written.
    """
    if picks.diameter_pixels is not None:
        sides = np.repeat(picks.diameter_pixels[:, None], 2, axis=1)
    else:
        sides = box_sides(picks, path)
    missing = next((name for name in picks.micrographs if name not in shapes), None)
    if missing is not None:
        raise PicksError(
            f"the width and height of the micrograph '{missing}' are needed", where=path,
            fix="Give the micrographs with --micrographs.",
        )  # fmt: skip
    files = {name: getattr(shapes, "paths", {}).get(name, Path(name)).name for name in picks.micrographs}
    ids = {name: place for place, name in enumerate(picks.micrographs)}
    content = {
        "info": {"description": "particles, written by cryoglean"},
        "categories": [{"id": 1, "name": "particle", "supercategory": ""}],
        "images": [
            {"id": place, "file_name": files[name], "width": shapes[name][1], "height": shapes[name][0]}
            for name, place in ids.items()
        ],
        "annotations": list(_annotations(picks, sides, ids)),
    }
    try:
        write_text_atomically(path, json.dumps(content, allow_nan=False) + "\n")
    except ValueError as error:
        raise PicksError(f"JSON can't hold these picks ({error})", where=path, fix="Write CSV instead.") from error


def _annotations(picks: Picks, sides: Any, ids: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    corners = picks.xy - sides / 2
    scores = [math.nan] * len(picks) if picks.score is None else picks.score.tolist()
    rows = zip(picks.micrograph.tolist(), corners.tolist(), sides.tolist(), scores, strict=True)
    for place, (name, corner, (width, height), score) in enumerate(rows, start=1):
        yield {
            "id": place, "image_id": ids[name], "category_id": 1, "bbox": [*corner, width, height],
            "area": width * height, "iscrowd": 0, "segmentation": [],
            **({} if math.isnan(score) else {"score": score}),
        }  # fmt: skip


def _image(entry: Any, path: Path) -> tuple[Any, str]:
    file_name = entry.get("file_name") if isinstance(entry, dict) else None
    key = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(file_name, str) or not micrograph_name(file_name) or not isinstance(key, int | str):
        raise PicksError(f"'{str(entry)[:40]}' is no image with an id and a file_name", where=path, fix=_EXAMPLE)
    return key, file_name


def _annotation(
    entry: Any, names: Mapping[Any, str], path: Path
) -> tuple[str, tuple[float, float, float, float], float | None]:
    box = entry.get("bbox") if isinstance(entry, dict) else None
    key = entry.get("image_id") if isinstance(entry, dict) else None
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(value) for value in box):
        raise PicksError(f"'{str(entry)[:40]}' is no annotation with a bbox of four numbers", where=path, fix=_EXAMPLE)
    if not isinstance(key, int | str) or key not in names:
        raise PicksError(f"an annotation is of the image {str(key)[:40]}, which isn't listed", where=path, fix=_EXAMPLE)
    score = entry.get("score")
    x, y, width, height = (float(value) for value in box)
    return names[key], (x, y, width, height), float(score) if is_number(score) else None
