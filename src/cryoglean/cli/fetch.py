"""`cryoglean fetch`."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter
from rich.console import Console

from cryoglean.errors import SettingsError

if TYPE_CHECKING:
    from cryoglean.fetch.cryoppp import CryopppRequest
    from cryoglean.fetch.empiar import EmpiarRequest
    from cryoglean.fetch.fetched import DataSet, Fetched, Plan
    from cryoglean.fetch.server import Listener


@Parameter(name="*")
@dataclass(frozen=True)
class Selection:
    """What of it, and from where."""

    micrographs: int | None = None
    """How many micrographs; by default all of a CryoPPP archive, 20 of an EMPIAR entry."""
    lite: bool = False
    """CryoPPP_Lite: JPEG instead of MRC, an archive about 20 times smaller."""
    pattern: str | None = None
    """EMPIAR: which files, as in `'*.mrc'` for names, or `'Micrographs/*.tif'` for paths below the entry's `data`."""
    checksum: str | None = None
    """CryoPPP: what the archive must add up to, as in sha256:DIGEST."""
    keep_archive: bool = False
    """CryoPPP: keep the archive after unpacking, to take more micrographs from it later."""
    url: str | None = None
    """Another server with the same folders; by default what CRYOGLEAN_CRYOPPP_URL or CRYOGLEAN_EMPIAR_URL says, else
    the archive's own."""

    def check(self, source: str) -> None:
        """Refuse options that are for the other source.

        Raises:
            SettingsError: naming the option.
        """
        foreign = {"cryoppp": ("pattern",), "empiar": ("lite", "checksum", "keep_archive")}[source]
        for name in foreign:
            if getattr(self, name):
                raise SettingsError(f"it is not for {source}", where=f"--{name.replace('_', '-')}", fix="Leave it out.")


def fetch_command(
    source: Literal["cryoppp", "empiar"],
    number: str | None = None,
    /,
    *,
    out: Path | None = None,
    selection: Selection = Selection(),
    dry_run: bool = False,
    quiet: bool = False,
) -> int:
    """Download a public data set. The same command goes on after an interruption, and fetches nothing twice.

    Args:
        source: cryoppp: micrographs with expert labels; empiar: micrographs as deposited.
        number: of the EMPIAR entry, as in 10017; without it, CryoPPP's entries are listed.
        out: the folder to make the data set's folder, OUT/NUMBER, in.
        selection: what of it, and from where.
        dry_run: only say what would be downloaded.
        quiet: no progress, and nothing said at the end.
    """
    selection.check(source)
    if number is None and source == "cryoppp":
        _list_entries()
        return 0
    if number is None or out is None:
        raise SettingsError(
            "it is needed", where="the number" if number is None else "--out",
            fix=f"As in: cryoglean fetch {source} 10017 --out data.",
        )  # fmt: skip
    with _listening(quiet=quiet) as listener:
        done = _fetch(source, number, out, selection, None if dry_run else listener)
    if dry_run or not quiet:
        _say(done)
    return 0


def _fetch(source: str, number: str, out: Path, selection: Selection, listener: Listener | None) -> Fetched | Plan:
    """Fetch, or plan where nobody listens."""
    from cryoglean.fetch.cryoppp import fetch_cryoppp, plan_cryoppp
    from cryoglean.fetch.empiar import fetch_empiar, plan_empiar

    if source == "cryoppp":
        of_cryoppp = _ask_cryoppp(number, out, selection)
        return plan_cryoppp(of_cryoppp) if listener is None else fetch_cryoppp(of_cryoppp, listener)
    of_empiar = _ask_empiar(number, out, selection)
    return plan_empiar(of_empiar) if listener is None else fetch_empiar(of_empiar, listener)


def _ask_cryoppp(number: str, out: Path, selection: Selection) -> CryopppRequest:
    from cryoglean.fetch.cryoppp import URL, CryopppRequest
    from cryoglean.fetch.download import parse_checksum
    from cryoglean.fetch.fetched import check_count, choose_url, entry_number

    check_count(selection.micrographs)
    checksum = parse_checksum(selection.checksum) if selection.checksum else None
    url = choose_url(selection.url, "CRYOGLEAN_CRYOPPP_URL", URL)
    return CryopppRequest(
        entry_number(number), out, url, selection.micrographs, selection.lite, checksum, selection.keep_archive
    )


def _ask_empiar(number: str, out: Path, selection: Selection) -> EmpiarRequest:
    from cryoglean.fetch.empiar import ENTRY_URL, FEW, URL, EmpiarRequest
    from cryoglean.fetch.fetched import check_count, choose_url, entry_number

    check_count(selection.micrographs)
    url = choose_url(selection.url, "CRYOGLEAN_EMPIAR_URL", URL)
    return EmpiarRequest(
        entry_number(number),
        out,
        url,
        ENTRY_URL if url == URL else url,
        selection.micrographs or FEW,
        selection.pattern,
    )


@contextmanager
def _listening(*, quiet: bool) -> Iterator[Listener]:
    """Progress in megabytes, and lines on standard error."""
    from cryoglean.cli.progress import counting
    from cryoglean.fetch.server import MEGABYTE, Listener

    console = Console(stderr=True, quiet=quiet)
    with counting(quiet=quiet, console=console) as make_counter:

        def watch(title: str, size_bytes: int | None) -> Callable[[int], None]:
            total = -(-size_bytes // MEGABYTE) if size_bytes is not None else 0
            counter, started, first = make_counter(f"{title}, MB", total), time.monotonic(), -1

            def tell(done_bytes: int) -> None:
                nonlocal first
                first = done_bytes if first < 0 else first
                speed = (done_bytes - first) / MEGABYTE / max(time.monotonic() - started, 1e-3)
                count = total if done_bytes == size_bytes else done_bytes // MEGABYTE
                counter.advance(f"{max(speed, 0):.1f} MB/s", count)

            return tell

        yield Listener(watch, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))


def _list_entries() -> None:
    from cryoglean.fetch.cryoppp import known_entries

    print(f"{'EMPIAR':8s}{'micrographs':>12s}{'particles':>11s}{'diameter, pixels':>18s}  protein")
    for number, entry in sorted(known_entries().items()):
        counts = f"{entry['micrographs']:>12s}{entry['particles']:>11s}{entry['diameter_pixels']:>18s}"
        print(f"{number:8s}{counts}  {entry['protein']}")


def _say(done: Fetched | Plan) -> None:
    from cryoglean.fetch.fetched import Plan
    from cryoglean.fetch.server import say_size

    for note in done.notes:
        print(f"note: {note}")
    if isinstance(done, Plan):
        for file in done.files:
            print(f"{file.url}: {say_size(file.size_bytes)}")
        print(f"to come: {say_size(done.missing_bytes)}, into {done.folder}; nothing was downloaded")
        return
    for one in done.data_sets:
        print(f"{done.micrographs} micrographs, {done.labelled} of them labelled: {one.micrographs}")
        print(f"next: {next_command(one)}")


def next_command(data_set: DataSet) -> str:
    """What to type now: train where there are labels, else pick with the general network.

    Where the files do not say how large a pixel or a particle is, the words PIXEL and DIAMETER stand for the numbers.
    The folder of a data set with labels is taken as it is; the labels say the diameter.
    """
    pixels, in_header = _diameter_pixels(data_set), _pixel_size_in_header(data_set)
    angstrom = in_header or data_set.pixel_size_angstrom
    size = [] if pixels else ["--diameter-angstrom", "DIAMETER"]
    if in_header is None:
        size += ["--pixel-size-angstrom", f"{angstrom:g}" if angstrom else "PIXEL"]
    if data_set.labels is None:
        words = ["pick", "general", str(data_set.micrographs), *size, "--out", "picks.star"]
    else:
        words = ["train", str(data_set.micrographs.parent), *size, "--out", "RUN"]
    command = shlex.join(["cryoglean", *words])
    if "PIXEL" not in words and "DIAMETER" not in words:
        return command
    return f"{command} (put numbers in angstrom for the words)"


def _diameter_pixels(data_set: DataSet) -> float | None:
    import numpy as np

    from cryoglean.io.picks import read_picks

    if data_set.labels is None:
        return None
    files = sorted(data_set.labels.glob("*.csv"))
    diameters = read_picks(files[0], "cryoppp", flip_y=False).diameter_pixels if files else None
    return float(np.median(diameters)) if diameters is not None and len(diameters) else None


def _pixel_size_in_header(data_set: DataSet) -> float | None:
    """The pixel size in the first micrograph."""
    from cryoglean.errors import MicrographError
    from cryoglean.io.micrographs import find_micrographs, read_micrograph

    try:
        return read_micrograph(find_micrographs([data_set.micrographs])[0]).pixel_size_angstrom
    except MicrographError:
        return None
