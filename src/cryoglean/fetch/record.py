"""What was fetched into a folder, so that the same command finds it there and fetches nothing again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoglean.durable import write_json_atomically
from cryoglean.errors import FetchError

_NAME = "fetched.json"
TABLES = (".csv", ".star")
"""Suffixes of files that people correct."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a folder holds, and where it is from.

    Args:
        asked: what decides which files these are, such as the URL; another `asked` is another data set.
        micrographs: files of micrographs, relative to the folder, in the order in which they are chosen.
        is_all: whether the source has no further one.
        sizes_bytes: every file, relative to the folder -> its size.
        facts: anything else worth knowing: checksums, dates.
    """

    asked: Mapping[str, Any]
    micrographs: tuple[str, ...]
    is_all: bool
    sizes_bytes: Mapping[str, int]
    facts: Mapping[str, Any]

    def holds(self, folder: Path, micrographs: int | None) -> bool:
        """Whether as many micrographs (None: all) are there, and no file is missing; see `is_kept`."""
        is_enough = self.is_all or (micrographs is not None and len(self.micrographs) >= micrographs)
        return is_enough and all(is_kept(folder / name, size) for name, size in self.sizes_bytes.items())


def is_kept(path: Path, size_bytes: int) -> bool:
    """Whether a file is there and stays: with the size it came with, or a table, which somebody may have corrected."""
    return path.is_file() and (path.suffix in TABLES or path.stat().st_size == size_bytes)


def read_record(folder: Path, asked: Mapping[str, Any]) -> Record | None:
    """What was fetched into a folder; None if nothing was.

    Args:
        folder: the folder.
        asked: what is asked for now.

    Raises:
        FetchError: it holds another data set.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        record = Record(**{**found, "micrographs": tuple(found["micrographs"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FetchError("it can't be read", where=path, fix="Delete it, or give another --out.") from error
    if record.asked != asked:
        raise FetchError(
            f"the folder holds something else: {_say(record.asked)}, not {_say(asked)}", where=folder,
            fix="Give another --out.",
        )  # fmt: skip
    return record


def write_record(folder: Path, record: Record) -> None:
    """Replace the record of a folder."""
    write_json_atomically(folder / _NAME, asdict(record))


def _say(asked: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in asked.values() if value)
