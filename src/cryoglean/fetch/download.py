"""Download a file so that an interruption loses nothing: what came is kept, and the next call asks for the rest.

The bytes go to `NAME.part`, which takes its name only when all are there. `NAME.part.json` remembers which file they
are of, so that the rest is never taken from another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from urllib3.exceptions import HTTPError

from cryoglean.durable import has_locked, write_json_atomically
from cryoglean.errors import FetchError, SettingsError
from cryoglean.fetch import server as patience
from cryoglean.fetch.server import Listener, Remote, Server, content_length, content_range, reason_of

_CHUNK_BYTES = 2**18
_KINDS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file must add up to.

    Args:
        kind: md5, sha1, sha256 or sha512.
        digest: in hexadecimal, lower case.
    """

    kind: str
    digest: str


def parse_checksum(text: str) -> Checksum:
    """A checksum as written on the command line.

    Raises:
        SettingsError: it is not KIND:DIGEST.

    Example:
        >>> parse_checksum("md5:D41D8CD98F00B204E9800998ECF8427E").kind
        'md5'
    """
    kind, _, digest = text.strip().lower().partition(":")
    if _KINDS.get(kind) != len(digest) or set(digest) - set("0123456789abcdef"):
        raise SettingsError(
            f"'{text}' is no checksum", where="--checksum", fix=f"Write KIND:DIGEST; kinds are {', '.join(_KINDS)}."
        )
    return Checksum(kind, digest)


def is_there(path: Path, remote: Remote) -> bool:
    """Whether the whole file has been downloaded."""
    return path.is_file() and remote.size_bytes in (None, path.stat().st_size)


def part_of(path: Path) -> Path:
    """Where the bytes of a file that is not complete yet are kept."""
    return path.with_name(path.name + ".part")


def missing_bytes(path: Path, remote: Remote) -> int:
    """How many bytes are still to come, as far as the server says."""
    if is_there(path, remote) or remote.size_bytes is None:
        return 0
    return remote.size_bytes - _kept_bytes(part_of(path), remote)


def download(server: Server, remote: Remote, path: Path, listener: Listener) -> None:
    """Bring a file; go on where an earlier call stopped. A file that is there with the right size is left alone.

    Args:
        server: whom to ask.
        remote: which file, as `Server.look` gives it.
        path: the file to make.
        listener: is told the progress.

    Raises:
        FetchError: the server can't be reached or breaks off again and again, or another process is at it. What came
            is kept.
        OSError: the file can't be written, as on a full disk.
    """
    if is_there(path, remote):
        return
    part = part_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    with part.open("r+b") as file:
        if not has_locked(file):
            raise FetchError("another process is downloading it", where=part, fix="Wait for it.")
        kept = _kept_bytes(part, remote)
        if not kept and file.seek(0, os.SEEK_END):
            listener.say(f"{part}: it is of another file, or the server's was changed; starting again")
        file.truncate(kept)
        write_json_atomically(_memory_of(part), _identity(remote))
        _receive_all(server, remote, file, listener)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _memory_of(part).unlink(missing_ok=True)


def digest_of(path: Path, kind: str, tell: Callable[[int], None]) -> str:
    """The checksum of a file, in hexadecimal.

    Args:
        path: the file.
        kind: see `Checksum`.
        tell: is told the bytes read so far.
    """
    found = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
            tell(file.tell())
    return found.hexdigest()


def _receive_all(server: Server, remote: Remote, file: BinaryIO, listener: Listener) -> None:
    """Ask for the rest, again if the answer breaks off, until all is there."""
    tell = listener.watch(Path(remote.url).name, remote.size_bytes)
    failures, end = 0, file.seek(0, os.SEEK_END)
    while remote.size_bytes is None or end < remote.size_bytes:
        start = end
        try:
            _receive(server, remote, file, listener.say, tell)
            if remote.size_bytes is None:
                return
            cut = "it ended too early"
        except HTTPError as error:
            cut = reason_of(error)
        end = file.seek(0, os.SEEK_END)
        if end == remote.size_bytes:
            return
        failures = failures + 1 if end <= start else 1
        if failures > patience.TRIES:
            raise FetchError(
                f"the connection breaks off again and again ({cut})", where=remote.url,
                fix="Try again later; the same command goes on from here.",
            )  # fmt: skip
        time.sleep(patience.BACKOFF_SECONDS * 2 ** (failures - 1))


def _receive(
    server: Server, remote: Remote, file: BinaryIO, say: Callable[[str], None], tell: Callable[[int], None]
) -> None:
    """One answer, written at its place in the file; a server that can't send the rest alone is heard from the start."""
    kept = file.seek(0, os.SEEK_END)
    if remote.size_bytes is None:
        kept = file.seek(file.truncate(0))
    with server.get(remote.url, {"Range": f"bytes={kept}-"} if kept else None) as answer:
        first, total = content_range(answer) if answer.status_code == 206 else (0, content_length(answer))
        if answer.status_code == 416 or first is None or first > kept or total not in (None, remote.size_bytes):
            raise FetchError(
                "the server sends something else than it said; was the file changed?", where=remote.url,
                fix="Give the same command again.",
            )  # fmt: skip
        if first < kept:
            say(f"{remote.url}: the server can't send the rest alone, so it sends all again")
        file.seek(first)
        while chunk := answer.raw.read(_CHUNK_BYTES, decode_content=False):
            file.write(chunk)
            tell(file.tell())


def _kept_bytes(part: Path, remote: Remote) -> int:
    """How many bytes of this very file an earlier call left."""
    try:
        remembered = json.loads(_memory_of(part).read_text(encoding="utf-8"))
        kept = part.stat().st_size
    except (OSError, ValueError):
        return 0
    is_of_it = remembered == _identity(remote) and remote.size_bytes is not None
    return kept if is_of_it and kept <= (remote.size_bytes or 0) else 0


def _identity(remote: Remote) -> dict[str, object]:
    return {"url": remote.url, "size_bytes": remote.size_bytes, "changed": remote.changed}


def _memory_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")
