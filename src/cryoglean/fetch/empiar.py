"""EMPIAR (Iudin et al., Nucleic Acids Research 2023): micrographs as they were deposited, one file each, no labels."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from cryoglean.errors import FetchError, MicrographError
from cryoglean.fetch.download import digest_of, download, missing_bytes
from cryoglean.fetch.fetched import DataSet, Fetched, Plan
from cryoglean.fetch.listing import Folder, url_of, walk
from cryoglean.fetch.record import Record, read_record, write_record
from cryoglean.fetch.server import Listener, NotThereError, Remote, Server, check_space, say_size
from cryoglean.io.micrographs import read_micrograph_shape
from cryoglean.micrograph import micrograph_name

URL = "https://ftp.ebi.ac.uk/empiar"
ENTRY_URL = "https://www.ebi.ac.uk/empiar"
FEW = 20
"""How many micrographs are taken if nobody says."""
_USABLE = (".mrc", ".mrc.gz", ".mrc.bz2")
_PERHAPS_MOVIES = (".tif", ".tiff")
_PICTURES = (
    *_USABLE,
    *_PERHAPS_MOVIES,
    ".mrcs",
    ".eer",
    ".dm3",
    ".dm4",
    ".tbz",
    ".png",
    ".jpg",
    ".jpeg",
    ".hdf",
    ".st",
)
_SINGLE_FRAME = "micrographs - single frame"
_MOST_COLUMNS = 2**17


@dataclass(frozen=True, slots=True)
class EmpiarRequest:
    """What is asked for.

    Args:
        number: of the entry.
        out: the folder to make the data set's folder, named by its number, in.
        url: the server with the files, without a slash at the end; below it `world_availability/NUMBER/data`.
        entry_url: the server that describes entries; below it `api/entry/NUMBER`.
        micrographs: how many, 1 or more.
        pattern: which files: a pattern for their names, or, with a slash in it, for their paths below `data`. None:
            what looks like micrographs.
    """

    number: str
    out: Path
    url: str = URL
    entry_url: str = ENTRY_URL
    micrographs: int = FEW
    pattern: str | None = None

    @property
    def folder(self) -> Path:
        """The data set's folder."""
        return self.out / self.number

    @property
    def asked(self) -> dict[str, str | None]:
        """What tells this data set from another one."""
        return {"source": "EMPIAR", "number": self.number, "pattern": self.pattern}


@dataclass(slots=True)
class _Choice:
    """Files that were chosen, by name, and what was passed over."""

    files: dict[str, Remote] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    is_all: bool = False
    pixel_size_angstrom: float | None = None

    def say(self) -> tuple[str, ...]:
        """What a user should know, a sentence each."""
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.skipped.items()))
        return (*self.notes, *([f"passed over: {counts}; --pattern takes any file"] if counts else []))


def plan_empiar(request: EmpiarRequest) -> Plan:
    """Which files would be downloaded; none is.

    Raises:
        FetchError: the server can't be reached, has no such entry, or none of its files is a micrograph.
    """
    record = read_record(request.folder, request.asked)
    if record is not None and record.holds(request.folder, request.micrographs):
        return Plan((), 0, request.folder)
    choice = _choose(Server(), request)
    return Plan(tuple(choice.files.values()), _missing(request, choice), request.folder, choice.say())


def fetch_empiar(request: EmpiarRequest, listener: Listener) -> Fetched:
    """Download some micrographs of an entry; what an interruption leaves is used by the next call.

    Args:
        request: what is asked for.
        listener: is told the progress.

    Raises:
        FetchError: the server can't be reached, has no such entry, or none of its files is a micrograph; or the disk
            is too small. What came is kept.
        OSError: a file can't be written.
    """
    record = read_record(request.folder, request.asked)
    if record is not None and record.holds(request.folder, request.micrographs):
        listener.say(f"{request.folder}: all is there, nothing was fetched")
        return _describe(request, record)
    server = Server()
    choice = _choose(server, request)
    missing = _missing(request, choice)
    listener.say(f"EMPIAR-{request.number}: {len(choice.files)} files, {say_size(missing)} to come")
    check_space(request.folder, missing)
    for name, remote in choice.files.items():
        download(server, remote, _path(request, name), listener)
    unusable = [note for name in choice.files if (note := _check(request, _path(request, name)))]
    record = _make_record(request, choice)
    write_record(request.folder, record)
    return _describe(request, record, (*choice.say(), *unusable))


def sections_of_mrc(head: bytes) -> int:
    """How many pictures an MRC file holds, from its first 12 bytes; 0 if they make no sense."""
    if len(head) < 12:
        return 0
    for order in "<>":
        columns, rows, sections = struct.unpack(f"{order}3i", head[:12])
        if 0 < columns < _MOST_COLUMNS and 0 < rows < _MOST_COLUMNS and sections > 0:
            return int(sections)
    return 0


def _choose(server: Server, request: EmpiarRequest) -> _Choice:
    """The first files by folder and name that are asked for."""
    choice = _Choice()
    sets = _read_sets(server, request, choice)
    single = [one for one in sets if _SINGLE_FRAME in one["category"]]
    if single and request.pattern is None:
        left = [f"'{one['name']}' ({one['category']})" for one in sets if one not in single]
        choice.notes += [f"not looked at: {', '.join(left)}"] if left else []
        choice.pixel_size_angstrom = single[0]["pixel_size"]
    starts = [one["directory"] for one in single] if request.pattern is None else [_beginning(request.pattern)]
    choice.is_all = True
    try:
        for folder in _folders(server, request, starts or [""]):
            if not _take_from(server, request, folder, choice, is_single=bool(single)):
                choice.is_all = False
                break
    except NotThereError as error:
        raise FetchError(
            "there is no such entry, or no such folder in it", where=error.where,
            fix=f"See https://www.ebi.ac.uk/empiar/EMPIAR-{request.number}.",
        ) from error  # fmt: skip
    if not choice.files:
        raise FetchError(
            "; ".join(("none of its files looks like a micrograph", *choice.say())), where=f"EMPIAR-{request.number}",
            fix="Look at its folders with a browser, and give a --pattern.",
        )  # fmt: skip
    return choice


def _folders(server: Server, request: EmpiarRequest, starts: list[str]) -> Iterator[Folder]:
    data = f"{request.url}/world_availability/{request.number}/data"
    for start in dict.fromkeys(starts):
        yield from walk(server, data, start)


def _take_from(server: Server, request: EmpiarRequest, folder: Folder, choice: _Choice, *, is_single: bool) -> bool:
    """Take what is asked for from a folder; whether more is wanted.

    Where an MRC file of a folder is a movie, those after it are taken for movies, too: a server is not asked for each.
    """
    data = f"{request.url}/world_availability/{request.number}/data"
    holds_movies = False
    for name in folder.files:
        path = f"{folder.path}/{name}".strip("/")
        kind = _kind(path, request.pattern, is_single=is_single)
        if kind or (holds_movies and request.pattern is None):
            choice.skipped.update([kind or "movies or stacks (.mrc)"] if kind != "other" else [])
            continue
        if any(micrograph_name(name) == micrograph_name(other) for other in choice.files):
            choice.skipped.update(["of a name that is taken"])
            continue
        remote = server.look(url_of(data, path))
        if request.pattern is None and name.lower().endswith(".mrc") and sections_of_mrc(remote.head) > 1:
            holds_movies = True
            choice.skipped.update(["movies or stacks (.mrc)"])
            continue
        choice.files[name] = remote
        if len(choice.files) == request.micrographs:
            return False
    return True


def _kind(path: str, pattern: str | None, *, is_single: bool) -> str:
    """Empty for a file to take; else what it is: a suffix, or `other` for what no one would ask for."""
    name = path.rsplit("/", 1)[-1]
    if pattern is not None:
        relative = pattern.strip("/").removeprefix("data/")
        return "" if fnmatchcase(path if "/" in relative else name, relative) else "other"
    suffix = next((each for each in sorted(_PICTURES, key=len, reverse=True) if name.lower().endswith(each)), "")
    if suffix in _USABLE or (is_single and suffix in (*_PERHAPS_MOVIES, ".png", ".jpg", ".jpeg")):
        return ""
    return suffix or "other"


def _beginning(pattern: str) -> str:
    """The folders in a pattern before the first with a magic sign; data/ is where all patterns begin."""
    parts = pattern.strip("/").removeprefix("data/").split("/")[:-1]
    plain = next((count for count, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return "/".join(parts[:plain])


def _read_sets(server: Server, request: EmpiarRequest, choice: _Choice) -> list[dict[str, Any]]:
    """What EMPIAR says of an entry's image sets; nothing, with a note, if it says nothing that can be used."""
    url = f"{request.entry_url}/api/entry/{request.number}/"
    try:
        entry = json.loads(server.read(url))[f"EMPIAR-{request.number}"]
        found = [_read_set(one) for one in entry.get("imagesets") or []]
    except (FetchError, ValueError, KeyError, TypeError, AttributeError) as error:
        choice.notes.append(f"EMPIAR's description of the entry can't be read ({error}); going by the files' names")
        return []
    return [one for one in found if one["directory"] is not None]


def _read_set(one: dict[str, Any]) -> dict[str, Any]:
    directory = str(one.get("directory") or "").strip("/")
    below = directory.removeprefix("data").strip("/") if directory.split("/")[0] == "data" else None
    width = one.get("pixel_width")
    size = float(width) if isinstance(width, int | float | str) and str(width).replace(".", "", 1).isdigit() else None
    return {
        "name": str(one.get("name")), "category": str(one.get("category")),
        "directory": None if below is None or ".." in below else below, "pixel_size": size or None,
    }  # fmt: skip


def _path(request: EmpiarRequest, name: str) -> Path:
    return request.folder / "micrographs" / name


def _missing(request: EmpiarRequest, choice: _Choice) -> int:
    return sum(missing_bytes(_path(request, name), remote) for name, remote in choice.files.items())


def _check(request: EmpiarRequest, path: Path) -> str:
    """What is wrong with a file; empty if it is a micrograph.

    A server has been seen to send an error page of the right size. Such a file is renamed, so that no program takes it
    for a micrograph and the next call fetches it again; a file asked for by pattern is only told of.
    """
    try:
        read_micrograph_shape(path)
    except MicrographError as error:
        if request.pattern is not None:
            return f"{path}: no micrograph, {error.what}"
        return f"{path.replace(path.with_name(path.name + '.unusable'))}: set aside, {error.what}"
    return ""


def _make_record(request: EmpiarRequest, choice: _Choice) -> Record:
    there = [name for name in choice.files if _path(request, name).is_file()]
    names = [str(PurePosixPath("micrographs", name)) for name in there]
    sizes = {name: (request.folder / name).stat().st_size for name in names}
    facts = {
        "pixel_size_angstrom": choice.pixel_size_angstrom,
        "urls": {name: choice.files[name].url for name in there},
        "sha256": {name: digest_of(_path(request, name), "sha256", lambda _: None) for name in there},
    }
    return Record(request.asked, tuple(names), choice.is_all, sizes, facts)


def _describe(request: EmpiarRequest, record: Record, notes: tuple[str, ...] = ()) -> Fetched:
    size = record.facts.get("pixel_size_angstrom")
    data_set = DataSet(request.folder / "micrographs", None, size if isinstance(size, float) else None)
    return Fetched((data_set,), len(record.micrographs), 0, notes)
