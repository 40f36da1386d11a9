"""Data sets as folders: micrographs and labels found where a program or an archive puts them.

Each layout is a card in `io/layouts`: `recognises(folder)` looks quickly, `open_folder(folder)` says what lies where.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryoglean.errors import PicksError
from cryoglean.io.labels import LabelSource
from cryoglean.registry import card_names, load_card


@dataclass(frozen=True, slots=True)
class FolderDataset:
    """What a folder holds.

    Args:
        folder: the data set's folder.
        micrographs: their files.
        labels: where labels are, for training and, if the layout says so, for validation.
        test: names of the micrographs that must not be looked at.
        lists: further files that were read to find micrographs.
        pixel_size_angstrom: what the layout says; None leaves it to the headers.
        notes: what was chosen and what else there is, a sentence each.
        layout: the card's name.
    """

    folder: Path
    micrographs: tuple[Path, ...]
    labels: tuple[LabelSource, ...]
    test: Collection[str] = ()
    lists: tuple[Path, ...] = ()
    pixel_size_angstrom: float | None = None
    notes: tuple[str, ...] = ()
    layout: str = ""


def layouts_of(folder: Path) -> tuple[str, ...]:
    """The names of the layouts that a folder has: usually one, or none."""
    if not folder.is_dir():
        return ()
    return tuple(name for name in card_names("layouts") if load_card("layouts", name).recognises(folder))


def find_folder_dataset(arguments: Sequence[str | Path]) -> FolderDataset | None:
    """The data set in a folder; None if it is not one folder, or one of no known layout.

    Args:
        arguments: what was given as micrographs.

    Raises:
        PicksError: the folder has several layouts, or what it holds can be meant in several ways.
        MicrographError: its micrographs are not there.
    """
    if len(arguments) != 1:
        return None
    folder = Path(arguments[0])
    names = layouts_of(folder)
    if len(names) > 1:
        raise PicksError(
            f"it looks like {' and like '.join(names)}", where=folder, fix="Give the micrographs, and --picks."
        )
    if not names:
        return None
    opened = load_card("layouts", names[0]).open_folder(folder)
    if not isinstance(opened, FolderDataset):
        raise PicksError("the layout's card gave no data set", where=names[0])
    return replace(opened, layout=names[0])
