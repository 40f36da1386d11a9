"""Which card reads or writes a file of picks: by name, by suffix, by content."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from cryoglean.errors import PicksError, did_you_mean
from cryoglean.io.format_facts import FormatFacts
from cryoglean.registry import card_names, load_card

_HEAD_BYTES = 4096


def card_named(name: str) -> ModuleType:
    """The card of a format.

    Raises:
        PicksError: there is none of this name; the message proposes the nearest ones.
    """
    names = card_names("formats")
    if name not in names:
        raise PicksError(f"there is no format '{name}'", where="format", fix=did_you_mean(name, names))
    return load_card("formats", name)


def facts_of(name: str) -> FormatFacts:
    """What a format can hold, and what it needs.

    Raises:
        PicksError: there is none of this name.
    """
    facts = card_named(name).FACTS
    if not isinstance(facts, FormatFacts):
        raise PicksError("the format's card says no facts", where=name)
    return facts


def card_to_write(path: Path) -> ModuleType:
    """The card that a suffix stands for when a file is made: of several, the one that is called like it.

    A file that is called like a format's index (RELION's `autopick.star`) stands for that format.

    Raises:
        PicksError: no format has this suffix.
    """
    cards = _with_suffix(path)
    indexed = next((card for card in cards.values() if getattr(card, "INDEX_NAME", "") == path.name), None)
    if indexed is not None:
        return indexed
    if not cards:
        raise PicksError(
            f"no format has the suffix '{path.suffix}'", where=path, fix=f"Known are: {known()}. Name one."
        )
    return cards.get(path.suffix.lower().removeprefix(".")) or next(iter(cards.values()))


def card_of_file(path: Path, *, strict: bool = False) -> ModuleType | None:
    """The card that reads a file: among those with its suffix, by content; then by content alone; then by suffix.

    Args:
        path: the file.
        strict: None unless a card with the file's suffix knows its content.

    Raises:
        PicksError: the file can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise PicksError(f"it can't be read ({error.strerror})", where=path) from error
    by_suffix = _with_suffix(path)
    found = _by_content(by_suffix, head)
    if strict and found is None and not head and path.suffix.lower() == ".box":
        return by_suffix["box"]
    if found is not None or strict:
        return found
    everything = {name: load_card("formats", name) for name in card_names("formats")}
    return _by_content(everything, head) or (card_to_write(path) if by_suffix else None)


def suffixes() -> frozenset[str]:
    """All suffixes of files of picks."""
    return frozenset(suffix for name in card_names("formats") for suffix in load_card("formats", name).SUFFIXES)


def known() -> str:
    """All formats with their suffixes, for messages."""
    return ", ".join(f"{name} ({' '.join(load_card('formats', name).SUFFIXES)})" for name in card_names("formats"))


def _with_suffix(path: Path) -> dict[str, ModuleType]:
    cards = {name: load_card("formats", name) for name in card_names("formats")}
    return {name: card for name, card in cards.items() if path.suffix.lower() in card.SUFFIXES}


def _by_content(cards: dict[str, ModuleType], head: bytes) -> ModuleType | None:
    """The card that knows the content; one that says it is generic comes last."""
    knowing = [card for card in cards.values() if card.sniff(head)]
    knowing.sort(key=lambda card: getattr(card, "GENERIC", False))
    return knowing[0] if knowing else None
