"""Directories of a web server, as Apache and nginx list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

from cryoglean.errors import FetchError
from cryoglean.fetch.server import Server

MOST_FOLDERS = 1000
"""So many directories are looked into before it is given up."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory on a server.

    Args:
        path: relative to where the walk began, without slashes at its ends; empty for the beginning.
        files: names of the files in it, in the order of the alphabet.
        folders: names of the directories in it, likewise.
    """

    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]


def parse_listing(page: str, url: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the files and of the directories in a listing.

    Args:
        page: the HTML.
        url: where the page is from, with a slash at its end. Only links to things right in it count.
    """
    links = _Links()
    links.feed(page)
    here = urlsplit(url)
    files: set[str] = set()
    folders: set[str] = set()
    for link in links.found:
        there = urlsplit(urljoin(url, link))
        if there.netloc != here.netloc or there.query or not there.path.startswith(here.path):
            continue
        rest = there.path[len(here.path) :]
        name = unquote(rest.removesuffix("/"))
        if name and "/" not in name and "\\" not in name and not name.startswith("."):
            (folders if rest.endswith("/") else files).add(name)
    return tuple(sorted(files)), tuple(sorted(folders))


def walk(server: Server, url: str, start: str = "") -> Iterator[Folder]:
    """A directory and those in it, each before the ones in it, in the order of the alphabet.

    Args:
        server: whom to ask.
        url: where the walk begins, without a slash at the end.
        start: a directory below `url` to begin with.

    Raises:
        FetchError: the server can't be reached, has no such directory, or there are too many.
    """
    waiting = [start.strip("/")]
    for _ in range(MOST_FOLDERS):
        path = waiting.pop()
        address = url_of(url, path) + "/"
        folder = Folder(path, *parse_listing(server.read(address), address))
        yield folder
        waiting += [f"{path}/{name}".strip("/") for name in reversed(folder.folders)]
        if not waiting:
            return
    raise FetchError(
        f"{MOST_FOLDERS} directories were looked into without finding enough", where=url_of(url, start),
        fix="Say where to look, with --pattern 'FOLDER/*.mrc'.",
    )  # fmt: skip


def url_of(url: str, path: str) -> str:
    """The address of a file or directory below another address."""
    return f"{url}/{quote(path)}" if path else url


class _Links(HTMLParser):
    """Collects where a page's links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]
