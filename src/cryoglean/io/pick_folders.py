"""Folders of picks: a file for each micrograph, as RELION, crYOLO, EMAN and CryoPPP keep them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from cryoglean.errors import PicksError
from cryoglean.io.pick_cards import card_of_file, suffixes
from cryoglean.picks import Picks
from cryoglean.registry import load_card

_INDEX = b"_rlnMicrographCoordinates"
_AT_MOST_SHOWN = 3


def find_pick_files(folder: Path, format: str | None = None) -> dict[Path, ModuleType]:  # noqa: A002
    """The files of picks in a folder and in the folders in it, with the card that reads each.

    Of a folder with RELION's index (`autopick.star`) it is the index alone. Files that no card knows are passed over.

    Args:
        folder: the folder.
        format: the name of a format that all are in; None finds out.

    Raises:
        PicksError: there are none, or files of several formats.
    """
    cards = {}
    for path in sorted(folder.rglob("*")):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes() or not path.is_file():
            continue
        card = load_card("formats", format) if format else card_of_file(path, strict=True)
        if card is not None and (not format or path.suffix.lower() in card.SUFFIXES):
            cards[path] = card
    indices = [path for path in cards if path.parent == folder and _is_index(path)]
    if indices:
        return {path: cards[path] for path in indices[:1]}
    kinds = Counter(card.__name__.rsplit(".", 1)[-1] for card in cards.values())
    if not kinds:
        raise PicksError(
            "there is no file of picks in this folder", where=folder, fix="Give the folder with the files."
        )
    if len(kinds) > 1:
        found = ", ".join(f"{count} {name}" for name, count in kinds.most_common(_AT_MOST_SHOWN))
        raise PicksError(f"it holds files of several formats: {found}", where=folder, fix="Name one with --from.")
    return cards


def read_files(files: Mapping[Path, ModuleType], folder: Path) -> Picks:
    """The picks of all files together.

    Raises:
        PicksError: a file can't be used, or two files speak of one micrograph.
    """
    parts = {path: card.read(path) for path, card in files.items()}
    first: dict[str, Path] = {}
    for path, part in parts.items():
        for name in part.micrographs:
            twin = first.setdefault(name, path)
            if twin != path:
                raise PicksError(
                    f"{twin.relative_to(folder)} and {path.relative_to(folder)} both speak of '{name}'",
                    where=folder, fix="Give one of the files, or a folder with only one of them.",
                )  # fmt: skip
    return Picks.concatenate(parts.values())


def file_of_micrograph(folder: Path, name: str, card: ModuleType) -> Path:
    """The file in which a format keeps the picks of a micrograph."""
    return folder / f"{name}{card.FACTS.ending}"


def _is_index(path: Path) -> bool:
    if path.suffix.lower() != ".star":
        return False
    with path.open("rb") as file:
        return _INDEX in file.read(4096)
