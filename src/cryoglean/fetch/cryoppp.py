"""CryoPPP (Dhakal et al., Scientific Data 2023): an archive for each EMPIAR entry, with micrographs and particles.

The folders stay as they are in the archive: `micrographs`, `ground_truth/particle_coordinates`,
`ground_truth/false_positives`; so what was downloaded by hand and what is fetched are one and the same.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from cryoglean.errors import FetchError
from cryoglean.fetch.archive import extract, list_members
from cryoglean.fetch.download import Checksum, digest_of, download, missing_bytes
from cryoglean.fetch.fetched import DataSet, Fetched, Plan
from cryoglean.fetch.record import TABLES, Record, is_kept, read_record, write_record
from cryoglean.fetch.server import Listener, NotThereError, Remote, Server, check_space, say_size
from cryoglean.micrograph import micrograph_name

URL = "https://calla.rnet.missouri.edu"
_PICTURES = (".mrc", ".jpg", ".jpeg", ".png", ".tif", ".tiff")
_TRUTH, _MICROGRAPHS = "ground_truth", "micrographs"
_COORDINATES, _JUNK = "particle_coordinates", "false_positives"


@dataclass(frozen=True, slots=True)
class CryopppRequest:
    """What is asked for.

    Args:
        number: of the EMPIAR entry.
        out: the folder to make the data set's folder, named by its number, in.
        url: the server, without a slash at the end.
        micrographs: how many, 1 or more, the labelled ones first; None: all.
        is_lite: whether the JPEG micrographs of CryoPPP_Lite are meant, an archive about 20 times smaller.
        checksum: what the archive must add up to.
        keeps_archive: whether the archive stays when all is unpacked.
    """

    number: str
    out: Path
    url: str = URL
    micrographs: int | None = None
    is_lite: bool = False
    checksum: Checksum | None = None
    keeps_archive: bool = False

    @property
    def folder(self) -> Path:
        """The data set's folder."""
        return self.out / self.number

    @property
    def address(self) -> str:
        """Where the archive is."""
        return f"{self.url}/{'cryoppp_lite' if self.is_lite else 'cryoppp'}/{self.number}.tar.gz"

    @property
    def archive(self) -> Path:
        """Where the archive goes."""
        return self.out / f"{self.number}{'_lite' if self.is_lite else ''}.tar.gz"

    @property
    def asked(self) -> dict[str, str]:
        """What tells this data set from another one."""
        return {"source": "CryoPPP_Lite" if self.is_lite else "CryoPPP", "number": self.number}


@cache
def known_entries() -> dict[str, dict[str, str]]:
    """The entries of CryoPPP by number: protein, micrographs, diameter_pixels, particles, note."""
    text = files("cryoglean.fetch").joinpath("cryoppp.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row.pop("empiar"): row for row in rows}


def plan_cryoppp(request: CryopppRequest) -> Plan:
    """What would be downloaded; nothing is.

    Raises:
        FetchError: the server can't be reached, or has no such entry.
    """
    record = read_record(request.folder, request.asked)
    if record is not None and record.holds(request.folder, request.micrographs):
        return Plan((), 0, request.folder)
    remote = _look(Server(), request)
    return Plan((remote,), missing_bytes(request.archive, remote), request.folder, _notes(request))


def fetch_cryoppp(request: CryopppRequest, listener: Listener) -> Fetched:
    """Download an archive, and unpack the micrographs asked for with what is known of their particles.

    The archive is whole on the disk before anything is unpacked, and deleted afterwards. What an interruption leaves
    is used by the next call.

    Args:
        request: what is asked for.
        listener: is told the progress.

    Raises:
        FetchError: the server can't be reached or has no such entry, the disk is too small, the checksum is another
            one, or the archive is broken. What came is kept.
        OSError: a file can't be written.
    """
    record = read_record(request.folder, request.asked)
    if record is not None and record.holds(request.folder, request.micrographs):
        listener.say(f"{request.folder}: all is there, nothing was fetched")
        return _describe(request, record)
    server = Server()
    remote = _look(server, request)
    missing = missing_bytes(request.archive, remote)
    listener.say(f"{remote.url}: {say_size(remote.size_bytes)}, {say_size(missing)} of it to come")
    check_space(request.out, missing)
    download(server, remote, request.archive, listener)
    digest = _check(request, remote, listener)
    facts = {
        "url": remote.url,
        "sha256": digest,
        "fetched": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
    }
    record = _unpack(request, facts, listener)
    if not request.keeps_archive:
        request.archive.unlink()
    return _describe(request, record)


def _look(server: Server, request: CryopppRequest) -> Remote:
    try:
        return server.look(request.address)
    except NotThereError as error:
        raise FetchError(
            "the server has no such archive", where=request.address,
            fix=f"CryoPPP has {', '.join(sorted(known_entries()))}.",
        ) from error  # fmt: skip


def _check(request: CryopppRequest, remote: Remote, listener: Listener) -> str:
    """The archive's sha256; a checksum that was given is compared first."""
    if request.checksum is not None:
        tell = listener.watch(f"check {request.checksum.kind}", remote.size_bytes)
        found = digest_of(request.archive, request.checksum.kind, tell)
        if found != request.checksum.digest:
            raise FetchError(
                f"its {request.checksum.kind} is {found}, not {request.checksum.digest}", where=request.archive,
                fix="If the checksum that you gave is right, delete the file and fetch it again.",
            )  # fmt: skip
        if request.checksum.kind == "sha256":
            return found
    return digest_of(request.archive, "sha256", listener.watch("sha256", remote.size_bytes))


def _unpack(request: CryopppRequest, facts: Mapping[str, str], listener: Listener) -> Record:
    """Unpack what is not there yet, and write down what is."""
    size = request.archive.stat().st_size
    members = {
        _inside(name, request.number): (name, bytes_in_it)
        for name, bytes_in_it in list_members(request.archive, listener.watch("read the archive", size)).items()
    }
    names = [name for name in members if _is_micrograph(name)]
    if not names:
        raise FetchError(
            "it holds no folder 'micrographs' with pictures", where=request.archive,
            fix="Check that the address is right.",
        )  # fmt: skip
    chosen = choose_micrographs(list(members), request.micrographs)
    wanted = {name: members[name][1] for name in _belonging(chosen, list(members), is_all=len(chosen) == len(names))}
    missing = {
        name: bytes_in_it for name, bytes_in_it in wanted.items() if not is_kept(request.folder / name, bytes_in_it)
    }
    check_space(request.folder, sum(missing.values()))
    tell = listener.watch("unpack", size)
    extract(request.archive, {members[name][0]: request.folder / name for name in missing}, tell)
    record = Record(
        request.asked, tuple(map(str, chosen)), len(chosen) == len(names),
        {str(name): wanted[name] for name in sorted(wanted)}, facts,
    )  # fmt: skip
    write_record(request.folder, record)
    return record


def choose_micrographs(members: list[PurePosixPath], count: int | None) -> list[PurePosixPath]:
    """The first micrographs by name, the labelled ones before the others.

    Args:
        members: all files of the data set, relative to its folder.
        count: how many, 1 or more; None: all.
    """
    labelled = {_key(name) for name in members if _is_table_in(name, _COORDINATES)}
    found = (name for name in members if _is_micrograph(name))
    return sorted(found, key=lambda name: (_key(name) not in labelled, str(name)))[:count]


def _belonging(chosen: list[PurePosixPath], members: list[PurePosixPath], *, is_all: bool) -> list[PurePosixPath]:
    """Micrographs with their tables; tables over all micrographs belong to all of them."""
    keys = {_key(name) for name in chosen}
    tables = [
        name
        for name in members
        if (_is_table_in(name, _COORDINATES) or _is_table_in(name, _JUNK)) and _key(name) in keys
    ]
    whole = [name for name in members if is_all and name.parent.name == _TRUTH and name.suffix in TABLES]
    return [*chosen, *tables, *whole]


def _is_micrograph(name: PurePosixPath) -> bool:
    is_hidden = name.name.startswith(".")  # macOS puts ._NAME beside NAME into archives
    return name.parent.name == _MICROGRAPHS and name.suffix.lower() in _PICTURES and not is_hidden


def _is_table_in(name: PurePosixPath, folder: str) -> bool:
    return name.parts[-3:-1] == (_TRUTH, folder) and name.suffix == ".csv" and not name.name.startswith(".")


def _key(name: PurePosixPath) -> tuple[PurePosixPath, str]:
    """The data set's folder, and the micrograph's name."""
    root = name.parent.parent.parent if _TRUTH in name.parts[-3:-1] else name.parent.parent
    return root, micrograph_name(name.stem if name.suffix == ".csv" else name)


def _inside(name: PurePosixPath, number: str) -> PurePosixPath:
    """A name without the folder that all of the archive is in."""
    return PurePosixPath(*name.parts[1:]) if name.parts[0] == number and len(name.parts) > 1 else name


def _describe(request: CryopppRequest, record: Record) -> Fetched:
    roots = sorted({PurePosixPath(name).parent.parent for name in record.micrographs})
    names = [PurePosixPath(name) for name in record.sizes_bytes]
    labelled = {_key(name) for name in names if _is_table_in(name, _COORDINATES)}
    sets = []
    for root in roots:
        labels = request.folder / root / _TRUTH / _COORDINATES
        has_labels = any(of == root for of, _ in labelled)
        sets.append(DataSet(request.folder / root / _MICROGRAPHS, labels if has_labels else None))
    return Fetched(tuple(sets), len(record.micrographs), len(labelled), _notes(request))


def _notes(request: CryopppRequest) -> tuple[str, ...]:
    note = known_entries().get(request.number, {}).get("note")
    return (f"EMPIAR-{request.number}: {note}",) if note else ()
