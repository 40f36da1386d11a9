"""Write files so that a crash leaves the old content or the new, never half of it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_file_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk and rename it into place.

    Args:
        path: the file to make or replace; its folder is made if needed.
        write: is given the temporary path and fills it. The suffix of `path` is kept.

    Raises:
        OSError: the folder can't be written; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())  # some writers make their files private
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Replace the text (UTF-8) of `path` at once; see `write_file_atomically`."""
    write_file_atomically(path, lambda temporary: _write_text(temporary, text))


def write_json_atomically(path: Path, value: Any) -> None:
    """Replace `path` with `value` as JSON (two spaces, keys in order given); see `write_file_atomically`.

    Raises:
        ValueError: `value` holds nan or infinity, which JSON can't say.
    """
    write_text_atomically(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def append_json_line(path: Path, value: Any) -> int:
    """Add one JSON line to the end of `path`, and say at which byte it starts; a torn last line is cut off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        place = _cut_torn_line(file)
        file.write(json.dumps(value, allow_nan=False).encode() + b"\n")
    return place


def read_json_lines(path: Path) -> Iterator[Any]:
    """Give each whole JSON line of `path`; a torn last line (a crash while writing) is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace a file at once; see `write_file_atomically`."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_file_atomically(path, write)


def write_arrays_atomically(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Replace a `.npz` file of arrays by name at once; see `write_file_atomically`."""
    import numpy as np

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    write_file_atomically(path, write)


def has_locked(file: IO[Any]) -> bool:
    """Lock an open file for this process; where the system has no such locks (Windows), say yes."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _cut_torn_line(file: BinaryIO) -> int:
    """Cut what follows the last end of line, and give the new end."""
    end = file.seek(0, os.SEEK_END)
    keep = end
    while keep > 0:
        start = max(keep - 4096, 0)
        file.seek(start)
        place = file.read(keep - start).rfind(b"\n")
        if place >= 0:
            keep = start + place + 1
            break
        keep = start
    if keep < end:
        file.truncate(keep)
    return file.seek(0, os.SEEK_END)


@cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # Windows can't open folders; a rename is durable enough there
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
