"""CryoPPP and CryoPPP_Lite: `micrographs/` and `ground_truth/particle_coordinates/`, as unpacked or fetched."""

from __future__ import annotations

from pathlib import Path

from cryoglean.errors import PicksError
from cryoglean.io.folder_datasets import FolderDataset
from cryoglean.io.labels import LabelSource
from cryoglean.io.micrographs import find_micrographs

_MICROGRAPHS = "micrographs"
_LABELS = Path("ground_truth", "particle_coordinates")
_REJECTED = Path("ground_truth", "false_positives")


def recognises(folder: Path) -> bool:
    """Whether it is an entry, or a folder of entries."""
    return _is_entry(folder) or bool(_entries(folder))


def open_folder(folder: Path) -> FolderDataset:
    """All micrographs; those with a file of coordinates are labelled.

    Raises:
        PicksError: it is a folder of several entries.
        MicrographError: there is no micrograph.
    """
    notes = []
    if not _is_entry(folder):
        entries = _entries(folder)
        if len(entries) > 1:
            names = ", ".join(entry.name for entry in entries)
            raise PicksError(
                f"it holds {len(entries)} data sets: {names}", where=folder,
                fix=f"Give one of them, as in {entries[0]}: the particles of each have their own diameter.",
            )  # fmt: skip
        (folder,) = entries
    if (folder / _REJECTED).is_dir():
        notes.append(f"{_REJECTED.as_posix()} is not used")
    return FolderDataset(
        folder, tuple(find_micrographs([folder / _MICROGRAPHS])), (LabelSource("train", folder / _LABELS, "cryoppp"),),
        notes=tuple(notes),
    )  # fmt: skip


def _is_entry(folder: Path) -> bool:
    return (folder / _MICROGRAPHS).is_dir() and (folder / _LABELS).is_dir()


def _entries(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and _is_entry(child))
