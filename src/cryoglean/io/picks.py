"""Picks in and out of files, whatever the format; each format is a card in `io/formats`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from cryoglean.errors import PicksError, did_you_mean
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

_HEAD_BYTES = 4096


def read_picks(path: str | Path, format: str | None = None) -> Picks:  # noqa: A002 (the word of the command line)
    """The picks in a file.

    Args:
        path: a file that one of the formats can read.
        format: the name of a format; None goes by the suffix, then by the content.

    Raises:
        PicksError: the format is unknown, or the file can't be used.
    """
    path = Path(path)
    card = _card_named(format) if format else _card_by_suffix(path) or _card_by_content(path)
    if card is None:
        raise PicksError("its format is unknown", where=path, fix=f"Known are: {_known()}. Name one with --format.")
    return _as_picks(card.read(path))


def write_picks(picks: Picks, path: str | Path, format: str | None = None) -> None:  # noqa: A002
    """Write picks to a file, at once: a crash leaves the old file or the new one.

    Args:
        picks: any number of picks, on any number of micrographs.
        path: the file to make or replace.
        format: the name of a format; None goes by the suffix.

    Raises:
        PicksError: the format is unknown, can't hold these picks, or the file can't be written.
    """
    path = Path(path)
    card = _card_named(format) if format else _card_by_suffix(path)
    if card is None:
        raise PicksError(
            f"no format has the suffix '{path.suffix}'", where=path, fix=f"Known are: {_known()}. Name one."
        )
    try:
        card.write(picks, path)
    except (OSError, UnicodeEncodeError) as error:
        raise PicksError(f"it can't be written ({error})", where=path) from error


def _card_named(name: str) -> ModuleType:
    names = card_names("formats")
    if name not in names:
        raise PicksError(f"there is no format '{name}'", where="format", fix=did_you_mean(name, names))
    return load_card("formats", name)


def _card_by_suffix(path: Path) -> ModuleType | None:
    for name in card_names("formats"):
        card = load_card("formats", name)
        if path.suffix.lower() in card.SUFFIXES:
            return card
    return None


def _card_by_content(path: Path) -> ModuleType | None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror})", where=path) from error
    for name in card_names("formats"):
        card = load_card("formats", name)
        if card.sniff(head):
            return card
    return None


def _as_picks(value: object) -> Picks:
    if not isinstance(value, Picks):
        raise PicksError("the format's card gave no picks")
    return value


def _known() -> str:
    return ", ".join(f"{name} ({' '.join(load_card('formats', name).SUFFIXES)})" for name in card_names("formats"))


def write_picks_from(parts: Iterable[Picks], path: Path) -> int:
    """Write picks that come one micrograph at a time; formats that can do so never hold them all.

    Args:
        parts: picks, in the order they are to be written.
        path: the file to make or replace; its suffix says the format.

    Returns:
        How many picks were written.

    Raises:
        PicksError: see `write_picks`.
    """
    card = _card_by_suffix(path)
    if card is None or not hasattr(card, "write_parts"):
        picks = Picks.concatenate(parts)
        write_picks(picks, path)
        return len(picks)
    try:
        return int(card.write_parts(parts, path))
    except (OSError, UnicodeEncodeError) as error:
        raise PicksError(f"it can't be written ({error})", where=path) from error


def check_writable(path: Path) -> None:
    """Refuse a picks file that could not be written at the end, before hours are spent.

    Raises:
        PicksError: no format has its suffix, or its folder can't be made.
    """
    if _card_by_suffix(path) is None:
        raise PicksError(f"no format has the suffix '{path.suffix}'", where=path, fix=f"Known are: {_known()}.")
    if path.is_dir():
        raise PicksError("it is a folder", where=path, fix="Give the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PicksError(f"its folder can't be made ({error.strerror})", where=path) from error
