"""The blocks of code in a page of the documentation, and what the page says about running them (docs/developers.md)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

RUN = ("sh", "bash", "python", "yaml")
SHOWN = ("text", "console", "pyi")
NOTES = ("file", "folder", "not run")
_FENCE = re.compile(r"^ *(```+|~~~+) *(\S*)")
_NOTE = re.compile(r"^ *<!-- ([\w ]+): (.+?) -->$")


@dataclass(frozen=True)
class Block:
    """A block of code."""

    language: str
    text: str
    line: int
    """Of its first fence, counted from 1."""
    end: int
    """Line of its second fence."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What comments right before it say, such as `not run: needs RELION`."""


@dataclass(frozen=True)
class Page:
    """A page: what it needs, and its blocks in order."""

    name: str
    needs: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def runs(self) -> bool:
        """Whether any of its blocks is to run."""
        return any(block.language in RUN and "not run" not in block.notes for block in self.blocks)


def read_page(path: Path, root: Path) -> Page:
    """A page.

    Raises:
        ValueError: a block without a known language, an unknown note, a fence that is not closed; with the line.
    """
    name, lines = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8").splitlines()
    blocks = tuple(_blocks(name, lines))
    inside = {number for block in blocks for number in range(block.line, block.end)}
    notes = [_NOTE.match(line) for number, line in enumerate(lines) if number not in inside]
    needs = [word for note in notes if note and note[1] == "needs" for word in note[2].split()]
    return Page(name, tuple(needs), blocks)


def _blocks(name: str, lines: list[str]) -> Iterator[Block]:
    start = 0
    while start < len(lines):
        fence = _FENCE.match(lines[start])
        if fence is None:
            start += 1
            continue
        where = f"{name}:{start + 1}"
        end = next((i for i in range(start + 1, len(lines)) if lines[i].strip() == fence[1]), None)
        if end is None:
            raise ValueError(f"{where}: the block is not closed")
        if fence[2] not in (*RUN, *SHOWN):
            raise ValueError(f"{where}: '{fence[2]}': blocks that run are {RUN}, others {SHOWN}")
        text = textwrap.dedent("\n".join(lines[start + 1 : end]) + "\n")
        yield Block(fence[2], text, start + 1, end + 1, _notes(where, lines[:start]))
        start = end + 1


def _notes(where: str, above: list[str]) -> dict[str, str]:
    """The comments right above a block."""
    near = takewhile(_NOTE.match, reversed(above))
    notes = dict(note.groups() for line in near if (note := _NOTE.match(line)) and note[1] != "needs")
    if unknown := notes.keys() - set(NOTES):
        raise ValueError(f"{where}: {', '.join(unknown)}: a block's notes are {NOTES}")
    if notes.get("folder", "new") != "new":
        raise ValueError(f"{where}: folder: {notes['folder']}: only `new` is known")
    return notes
