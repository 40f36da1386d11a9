"""Folders as the source notes and CryoTransformer have them, with pictures that are made up: dark blots on noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 420
DIAMETER = 84
PICTURES = 26
TRAINING = 22


def make_notes_data(root: Path) -> None:
    """`cryotransformer` with 26 pictures and coordinates.json, `train_val_test_data` with the same ones and COCO.

    The first one of the latter has CryoTransformer's mark of a picture that nobody annotated.
    """
    images, second = root / "cryotransformer" / "images", root / "train_val_test_data"
    for folder in (images, second / "train", second / "val", second / "annotations"):
        folder.mkdir(parents=True)
    coordinates: dict[str, list[list[float]]] = {}
    for place in range(PICTURES):
        pixels, xy = draw(place)
        name = f"mic{place:02d}.jpg"
        coordinates[name] = xy.round(1).tolist()
        for folder in (images, second / ("train" if place < TRAINING else "val")):
            Image.fromarray(pixels).save(folder / name)
    (root / "cryotransformer" / "coordinates.json").write_text(json.dumps(coordinates))
    half = DIAMETER // 2
    boxes = {name: [[int(x - half), int(y - half), 84, 84] for x, y in xy] for name, xy in coordinates.items()}
    names = list(boxes)
    boxes[names[0]] = [[0, 0, 0, 0]]
    for role, part in (("train", names[:TRAINING]), ("val", names[TRAINING:])):
        text = json.dumps(as_coco({name: boxes[name] for name in part}))
        (second / "annotations" / f"instances_{role}.json").write_text(text)


def draw(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture (y, x), and the middles (n, 2) of its blots."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid([84, 168, 252, 336], [84, 168, 252, 336]), axis=-1).reshape(-1, 2)
    chosen = random.permutation(grid)[: random.integers(9, 14)]
    xy = chosen + random.uniform(-8, 8, chosen.shape)
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = random.normal(0, 1, (SIDE, SIDE))
    for column, row in xy:
        pixels -= 2 * np.exp(-(((x - column) ** 2 + (y - row) ** 2) / (2 * (DIAMETER / 4) ** 2)))
    return (128 + 30 * pixels).clip(0, 255).astype(np.uint8), xy


def as_coco(boxes: dict[str, list[list[int]]]) -> dict[str, Any]:
    """As CryoTransformer writes it: `iscrowd` is 1 for every particle."""
    images = [{"id": i, "file_name": name, "width": SIDE, "height": SIDE} for i, name in enumerate(boxes)]
    each = [(i, box) for i, found in enumerate(boxes.values()) for box in found]
    annotations = [
        {"id": k, "image_id": i, "category_id": 1, "iscrowd": 1, "bbox": box, "area": box[2] ** 2, "segmentation": []}
        for k, (i, box) in enumerate(each, 1)
    ]
    categories = [{"id": 1, "name": "particle", "supercategory": ""}]
    return {"info": [], "categories": categories, "images": images, "annotations": annotations}
