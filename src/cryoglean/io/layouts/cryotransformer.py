"""CryoTransformer's training set: `train/`, `val/`, `test/`, with `particle_coordinates/` or `annotations/`."""

from __future__ import annotations

from pathlib import Path

from cryoglean.dataset import Role
from cryoglean.errors import PicksError
from cryoglean.io.folder_datasets import FolderDataset
from cryoglean.io.labels import LabelSource
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
from cryoglean.io.picks import read_picks
from cryoglean.io.picks_file import read_json
from cryoglean.micrograph import micrograph_name

_PARTS: dict[str, Role] = {"train": "train", "val": "validation", "test": "test"}
_TABLES, _ANNOTATIONS = "particle_coordinates", "annotations"


def recognises(folder: Path) -> bool:
    """Whether there are `train/` and labels where CryoTransformer has them."""
    return (folder / "train").is_dir() and ((folder / _TABLES).is_dir() or _annotations(folder, "train").is_file())


def open_folder(folder: Path) -> FolderDataset:
    """The pictures of all parts; those of `train/` and `val/` that nobody labelled are unlabelled.

    A picture's CSV goes before its annotation. A picture is not labelled if it has neither, or if its only annotation
    is a box of no size and its CSV, if any, has no row.

    Raises:
        PicksError: an annotation file can't be used, or no picture of `train/` is labelled.
        MicrographError: a part holds no picture, or two have the same name.
    """
    parts = {part: find_micrographs([folder / part]) for part in _PARTS if (folder / part).is_dir()}
    pictures = tuple(path for part in parts.values() for path in part)
    micrographs_by_name(pictures)
    tables = {path.stem: path for path in sorted((folder / _TABLES).glob("*.csv"))}
    labels: list[LabelSource] = []
    for part in ("train", "val"):
        names = {micrograph_name(path) for path in parts.get(part, [])}
        labels += _labels_of(folder, part, names, tables)
    if not any(source.role == "train" for source in labels):
        raise PicksError("no picture in train/ is labelled", where=folder, fix="Check particle_coordinates/.")
    test = frozenset(micrograph_name(path) for path in parts.get("test", []))
    return FolderDataset(folder, pictures, tuple(labels), test)


def _labels_of(folder: Path, part: str, names: set[str], tables: dict[str, Path]) -> list[LabelSource]:
    """The files that speak of the pictures of a part."""
    file = _annotations(folder, part)
    annotated = set(read_picks(file, "coco", flip_y=False).micrographs) if file.is_file() else set()
    unlabelled = _listed(file) - annotated if file.is_file() else set()
    in_tables = {name for name in names & tables.keys() if name not in unlabelled or _has_rows(tables[name])}
    in_annotations = (names & annotated) - in_tables
    found = []
    if in_tables:
        found.append(LabelSource(_PARTS[part], folder / _TABLES, "cryoppp", frozenset(in_tables)))
    if in_annotations:
        found.append(LabelSource(_PARTS[part], file, "coco", frozenset(in_annotations)))
    return found


def _annotations(folder: Path, part: str) -> Path:
    return folder / _ANNOTATIONS / f"instances_{part}.json"


def _listed(file: Path) -> set[str]:
    content = read_json(file, "Give the file as CryoTransformer has it.")
    return {micrograph_name(entry["file_name"]) for entry in content["images"]}  # `read_picks` has checked it


def _has_rows(table: Path) -> bool:
    with table.open("rb") as file:
        return sum(bool(line.strip()) for line in (file.readline(), file.readline())) > 1
