"""The source notes' data: pictures, and `coordinates.json` beside them or in their folder."""

from __future__ import annotations

from pathlib import Path

from cryoglean.errors import PicksError
from cryoglean.io.folder_datasets import FolderDataset
from cryoglean.io.labels import LabelSource
from cryoglean.io.micrographs import find_micrographs, holds_micrographs
from cryoglean.io.pick_cards import card_named, card_of_file

_LABELS = "coordinates.json"
_PICTURES = "images"


def recognises(folder: Path) -> bool:
    """Whether there are pictures with a `coordinates.json` of lists of picks."""
    return bool(_pairs(folder))


def open_folder(folder: Path) -> FolderDataset:
    """All pictures; those in `coordinates.json` are labelled.

    Raises:
        PicksError: there are several files of coordinates.
        MicrographError: there is no picture.
    """
    pairs = _pairs(folder)
    if len(pairs) > 1:
        files = ", ".join(str(file) for _, file in pairs)
        raise PicksError(f"it has {len(pairs)} files of labels: {files}", where=folder, fix="Give one with --picks.")
    ((pictures, file),) = pairs
    return FolderDataset(folder, tuple(find_micrographs([pictures])), (LabelSource("train", file, "json"),))


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """A folder of pictures and its file of labels: in the folder, beside it, or both of `images/` below."""
    inside = folder / _PICTURES
    if holds_micrographs(folder):
        candidates = [(folder, folder / _LABELS), (folder, folder.absolute().parent / _LABELS)]
    elif inside.is_dir() and holds_micrographs(inside):
        candidates = [(inside, folder / _LABELS), (inside, inside / _LABELS)]
    else:
        return []
    return [(pictures, file) for pictures, file in candidates if file.is_file() and _is_lists(file)]


def _is_lists(file: Path) -> bool:
    return card_of_file(file) is card_named("json")
