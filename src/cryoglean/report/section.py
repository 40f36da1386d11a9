"""What a section of the report is made of: a title and blocks, without a word of HTML."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph.

    Args:
        text: plain text.
    """

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that must not be overlooked.

    Args:
        text: plain text.
        level: `warning` asks the reader to act, `note` to know.
    """

    text: str
    level: Literal["warning", "note"] = "warning"
    kind: ClassVar[str] = "notice"


@dataclass(frozen=True, slots=True)
class Fact:
    """One number, large.

    Args:
        label: what it is.
        value: the number in text.
        detail: a few words below it, such as the interval.
    """

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbers beside each other.

    Args:
        each: in order.
    """

    each: tuple[Fact, ...]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure.

    Args:
        name: of its file in `figures/`, without suffix; another one for each picture of a report.
        png: the PNG file.
        alt: what is to be seen, for readers who can't see it.
        caption: what it means; may be empty.
        is_wide: whether it takes the whole width.
    """

    name: str
    png: bytes
    alt: str
    caption: str = ""
    is_wide: bool = False
    kind: ClassVar[str] = "picture"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the file, pixels: what its first chunk says."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height


@dataclass(frozen=True, slots=True)
class Gallery:
    """Figures beside each other where there is room, below each other where not.

    Args:
        pictures: in order.
        is_small: whether three of them fit beside each other on a wide screen, rather than two; they may be many, so
            each is laid out only when it is scrolled to.
    """

    pictures: tuple[Picture, ...]
    is_small: bool = False
    kind: ClassVar[str] = "gallery"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column names the rows.

    Args:
        columns: the headings.
        rows: a text for each column.
        caption: what it shows.
        is_words: whether the cells are words rather than numbers.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    is_words: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied as it is.

    Args:
        text: with its line breaks.
    """

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that are shown when the reader asks for them.

    Args:
        title: what is in them.
        blocks: any but `Folded`.
    """

    title: str
    blocks: tuple[Text | Notice | Facts | Picture | Gallery | Table | Code, ...]
    kind: ClassVar[str] = "folded"


Block = Text | Notice | Facts | Picture | Gallery | Table | Code | Folded


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Args:
        title: its heading.
        blocks: from top to bottom.
    """

    title: str
    blocks: tuple[Block, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All of its figures, the folded ones among them."""
        return tuple(picture for block in self.blocks for picture in _pictures(block))


def fold_if_long(table: Table, rows: int = 30) -> Table | Folded:
    """The table, folded when it has more than this many rows."""
    return table if len(table.rows) <= rows else Folded(f"All {len(table.rows)} rows", (table,))


def _pictures(block: Block) -> tuple[Picture, ...]:
    if isinstance(block, Picture):
        return (block,)
    if isinstance(block, Gallery):
        return block.pictures
    if isinstance(block, Folded):
        return tuple(picture for inner in block.blocks for picture in _pictures(inner))
    return ()
