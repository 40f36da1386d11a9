"""Take files out of a `.tar.gz`, one after the other, none of them outside the folder that it was given."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path, PurePosixPath

from cryoglean.durable import write_file_atomically
from cryoglean.errors import FetchError

_CHUNK_BYTES = 2**20


def list_members(archive: Path, tell: Callable[[int], None]) -> dict[PurePosixPath, int]:
    """The plain files in an archive and their sizes in bytes; it is read to its end, which checks it.

    Args:
        archive: a `.tar.gz`.
        tell: is told the bytes of the archive read so far.

    Raises:
        FetchError: the archive is broken, or holds a name that leads outside. Links and devices are left out.
    """
    found: dict[PurePosixPath, int] = {}
    with _opened(archive) as (tar, unpacked, packed):
        for member in tar:
            tell(packed.tell())
            if member.isfile():
                found[_checked(member.name, archive)] = member.size
        while unpacked.read(_CHUNK_BYTES):  # what gzip knows to be wrong, it says at the end
            tell(packed.tell())
    return found


def extract(archive: Path, wanted: Mapping[PurePosixPath, Path], tell: Callable[[int], None]) -> None:
    """Write some files of an archive, each at once: a crash leaves it whole or not at all.

    Args:
        archive: a `.tar.gz`.
        wanted: name in the archive -> the file to make.
        tell: is told the bytes of the archive read so far.

    Raises:
        FetchError: the archive is broken.
        OSError: a file can't be written.
    """
    left = set(wanted)
    if not left:
        return
    with _opened(archive) as (tar, _, packed):
        for member in tar:
            tell(packed.tell())
            name = PurePosixPath(member.name)
            if not member.isfile() or name not in left:
                continue
            _write(tar, member, wanted[name])
            left.discard(name)
            if not left:
                break


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise tarfile.TarError(f"{member.name} has no content")

    def copy(temporary: Path) -> None:
        with temporary.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)

    write_file_atomically(path, copy)
    if path.stat().st_size != member.size:
        path.unlink()
        raise tarfile.TarError(f"{member.name} ends too early")


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile, BufferedReader]]:
    """The archive as a stream, what gzip makes of it, and the file itself."""
    try:
        with (
            archive.open("rb") as packed,
            gzip.GzipFile(fileobj=packed) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as tar,
        ):
            yield tar, unpacked, packed
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FetchError(
            f"the archive is broken ({error})", where=archive, fix="Delete it and give the same command again."
        ) from error


def _checked(name: str, archive: Path) -> PurePosixPath:
    """A member's name, if it stays inside; nothing is unpacked from an archive with another one."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or os.path.splitdrive(name)[0]:
        raise FetchError(
            f"it holds a file that would be written outside of the folder: {name!r}", where=archive,
            fix="Nothing was unpacked. Don't trust this archive.",
        )  # fmt: skip
    return path
