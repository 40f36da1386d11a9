"""Ask a server, patiently: a few tries with growing pauses, then one clear sentence."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from cryoglean.errors import FetchError

MEGABYTE = 10**6
TRIES = 4
"""How often more a request is made that failed, and how often in a row a body may break off without a new byte."""
BACKOFF_SECONDS = 1.0
"""The second try comes at once, the third after twice this, each further one after twice the pause before."""
_HEAD_BYTES = 1024
_TIMEOUTS_SECONDS = (10.0, 60.0)
_BUSY = (408, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes\s+(?:(\d+)-\d+|\*)/(\d+|\*)")


class NotThereError(FetchError):
    """The server says that it has no such file."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server.

    Args:
        url: where it is.
        size_bytes: its size, 0 or more; None if the server does not say.
        changed: when it was last changed, in the server's words; empty if it does not say.
        head: its first bytes, up to 1,024.
    """

    url: str
    size_bytes: int | None
    changed: str = ""
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to know how far it is.

    Args:
        watch: (what is done, its size in bytes or None) -> a function that is told the bytes done so far.
        say: is given one line for people.
    """

    watch: Callable[[str, int | None], Callable[[int], None]]
    say: Callable[[str], None]


class Server:
    """Connections that are kept open from one file to the next.

    Raises:
        FetchError: `CRYOGLEAN_OFFLINE` forbids connections.
    """

    def __init__(self) -> None:
        if os.environ.get("CRYOGLEAN_OFFLINE", "0") not in ("", "0"):
            raise FetchError("it forbids connections", where="CRYOGLEAN_OFFLINE", fix="Unset it to fetch data.")
        patience = Retry(
            total=TRIES, backoff_factor=BACKOFF_SECONDS, status_forcelist=_BUSY, raise_on_status=False,
            respect_retry_after_header=False,
        )  # fmt: skip
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "cryoglean fetch", "Accept-Encoding": "identity"})
        for kind in ("http://", "https://"):
            self._session.mount(kind, HTTPAdapter(max_retries=patience))

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """The answer to a request, its body not read yet; to be used in `with`.

        Raises:
            NotThereError: 404 or 410.
            FetchError: no connection, or another refusal, after a few tries.
        """
        try:
            answer = self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUTS_SECONDS)
        except requests.RequestException as error:
            raise FetchError(
                f"the server can't be reached ({reason_of(error)})", where=url,
                fix="Check the connection, or name another server with --url; the same command goes on from here.",
            ) from error  # fmt: skip
        if answer.status_code in (404, 410):
            answer.close()
            raise NotThereError("the server has no such file", where=url, fix="Check the number.")
        if answer.status_code >= 400 and answer.status_code != 416:
            answer.close()
            raise FetchError(
                f"the server answers {answer.status_code} {answer.reason}", where=url,
                fix="Try again later; the same command goes on from here.",
            )  # fmt: skip
        return answer

    def read(self, url: str) -> str:
        """A short page of text.

        Raises:
            FetchError: see `get`.
        """
        try:
            with self.get(url) as answer:
                return answer.content.decode("utf-8", errors="replace")
        except requests.RequestException as error:
            raise FetchError(f"the page broke off ({reason_of(error)})", where=url, fix="Try again.") from error

    def look(self, url: str) -> Remote:
        """What the server says of a file, and its first bytes.

        Raises:
            FetchError: see `get`.
        """
        with self.get(url, {"Range": f"bytes=0-{_HEAD_BYTES - 1}"}) as answer:
            total = content_length(answer) if answer.status_code == 200 else content_range(answer)[1]
            try:
                head = b"" if answer.status_code == 416 else answer.raw.read(_HEAD_BYTES, decode_content=False)
            except HTTPError as error:
                raise FetchError(f"the answer broke off ({reason_of(error)})", where=url, fix="Try again.") from error
        return Remote(url, total, answer.headers.get("Last-Modified", ""), head)


def content_range(answer: requests.Response) -> tuple[int | None, int | None]:
    """Where the part starts that a server sends, and the size of the whole file, in bytes; None where it is unsaid."""
    found = _RANGE.match(answer.headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return (None if first is None else int(first), int(total) if total and total != "*" else None)


def content_length(answer: requests.Response) -> int | None:
    """The size of what the server sends, in bytes; None where it is unsaid."""
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isdigit() else None


def reason_of(error: Exception) -> str:
    """The last and plainest part of a chain of network errors."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    return str(inner).rsplit(": ", 1)[-1].strip("'\")( ") or type(error).__name__


def check_space(folder: Path, needed_bytes: int) -> None:
    """Refuse what will not fit on the disk.

    Args:
        folder: where it goes; it need not exist yet.
        needed_bytes: how much more will be written there.

    Raises:
        FetchError: less is free.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed_bytes > free:
        raise FetchError(
            f"{say_size(needed_bytes)} more are needed, {say_size(free)} are free", where=folder,
            fix="Make room, or give an --out on another disk; what is there is kept.",
        )  # fmt: skip


def say_size(size_bytes: int | None) -> str:
    """A size in words.

    Example:
        >>> say_size(67109888)
        '67.1 MB'
    """
    if size_bytes is None:
        return "an unknown size"
    for unit, bytes_in_it in (("TB", 10**12), ("GB", 10**9), ("MB", MEGABYTE), ("kB", 1000)):
        if size_bytes >= bytes_in_it:
            return f"{size_bytes / bytes_in_it:.1f} {unit}"
    return f"{size_bytes} bytes"
