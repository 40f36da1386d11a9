"""A download goes on where it stopped, ends with the right bytes or says why not, and never mixes two files."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from loopback import Site

from cryoglean.errors import FetchError, SettingsError
from cryoglean.fetch import server as patience
from cryoglean.fetch.download import download, missing_bytes, parse_checksum
from cryoglean.fetch.server import Listener, NotThereError, Server, check_space, say_size

BODY = np.random.default_rng(0).bytes(3_000_000)


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.totals: list[tuple[str, int | None]] = []
        self.done: list[int] = []
        self.listener = Listener(self.watch, self.lines.append)

    def watch(self, title: str, size: int | None) -> Callable[[int], None]:
        self.totals.append((title, size))
        return self.done.append


def bring(site: Site, path: Path, name: str = "/a.bin") -> Ear:
    server, ear = Server(), Ear()
    download(server, server.look(site.url + name), path, ear.listener)
    return ear


def leave_part(site: Site, path: Path, size: int) -> None:
    """What an interrupted download leaves: the connection breaks at `size` and again at once, until it gives up."""
    site.cuts["/a.bin"] = [size] + [0] * (patience.TRIES + 1)
    with pytest.raises(FetchError, match="breaks off again and again"):
        bring(site, path)
    site.cuts.clear()
    site.forget()


@pytest.fixture
def served(site: Site) -> Site:
    site.files["/a.bin"] = BODY
    return site


def test_a_file_arrives_whole_and_its_size_is_told(served: Site, tmp_path: Path) -> None:
    ear = bring(served, tmp_path / "new" / "a.bin")

    assert (tmp_path / "new" / "a.bin").read_bytes() == BODY
    assert ear.totals == [("a.bin", len(BODY))]
    assert ear.done[-1] == len(BODY)
    assert sorted(ear.done) == ear.done
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.bin"]


def test_a_file_that_is_there_is_not_asked_for(served: Site, tmp_path: Path) -> None:
    bring(served, tmp_path / "a.bin")
    served.forget()

    bring(served, tmp_path / "a.bin")

    assert served.sent["/a.bin"] == 0
    assert served.asked == [("/a.bin", "bytes=0-1023")]


def test_a_connection_that_breaks_off_is_taken_up_in_the_same_call(served: Site, tmp_path: Path) -> None:
    served.cuts["/a.bin"] = [1_000_000, 500_000]

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert served.sent["/a.bin"] == len(BODY)
    assert [wanted for _, wanted in served.asked[1:]] == ["", "bytes=1000000-", "bytes=1500000-"]


def test_the_next_call_asks_only_for_the_rest(served: Site, tmp_path: Path) -> None:
    leave_part(served, tmp_path / "a.bin", 2_000_000)
    assert not (tmp_path / "a.bin").exists()
    assert missing_bytes(tmp_path / "a.bin", Server().look(f"{served.url}/a.bin")) == 1_000_000

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert served.sent["/a.bin"] == 1_000_000


def test_a_server_without_ranges_sends_all_again(served: Site, tmp_path: Path) -> None:
    served.knows_ranges = False
    served.cuts["/a.bin"] = [1_000_000]

    ear = bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert served.sent["/a.bin"] == 4_000_000
    assert "can't send the rest alone" in ear.lines[0]


def test_a_server_that_says_no_length_is_heard_to_the_end(served: Site, tmp_path: Path) -> None:
    served.knows_ranges = served.says_length = False

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("what", ["size", "date"])
def test_the_rest_is_never_taken_from_another_file(served: Site, tmp_path: Path, what: str) -> None:
    leave_part(served, tmp_path / "a.bin", 2_000_000)
    served.files["/a.bin"] = BODY[::-1] + (b"longer" if what == "size" else b"")
    served.changed = served.changed if what == "size" else "Wed, 25 Nov 2026 10:00:00 GMT"

    ear = bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == served.files["/a.bin"]
    assert "starting again" in ear.lines[0]


def test_a_part_that_is_longer_than_the_file_is_not_trusted(served: Site, tmp_path: Path) -> None:
    leave_part(served, tmp_path / "a.bin", 2_000_000)
    with (tmp_path / "a.bin.part").open("ab") as file:
        file.write(bytes(2_000_000))

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_part_that_is_complete_needs_no_byte_more(served: Site, tmp_path: Path) -> None:
    leave_part(served, tmp_path / "a.bin", 2_000_000)
    (tmp_path / "a.bin.part").write_bytes(BODY)  # killed between the last byte and the new name

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert served.sent["/a.bin"] == 0


def test_a_busy_server_is_asked_again(served: Site, tmp_path: Path) -> None:
    served.busy["/a.bin"] = 2

    bring(served, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_server_that_stays_busy_is_told_of(served: Site) -> None:
    served.busy["/a.bin"] = 100

    with pytest.raises(FetchError, match="answers 503"):
        Server().look(f"{served.url}/a.bin")
    assert len(served.asked) == patience.TRIES + 1


def test_a_missing_file_is_asked_for_once(site: Site) -> None:
    with pytest.raises(NotThereError, match="no such file"):
        Server().look(f"{site.url}/b.bin")
    assert len(site.asked) == 1


def test_an_empty_file_is_a_file(site: Site, tmp_path: Path) -> None:
    site.files["/a.bin"] = b""

    bring(site, tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == b""


def test_nobody_there_is_said_plainly(site: Site) -> None:
    site.close()

    with pytest.raises(FetchError, match=r"can't be reached \(\[Errno \d+\] Connection refused\)"):
        Server().look(f"{site.url}/a.bin")


def test_two_processes_do_not_write_one_file(served: Site, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "a.bin.part").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match="another process"):
            bring(served, tmp_path / "a.bin")


@pytest.mark.parametrize("value", ["1", "true"])
def test_offline_forbids_connections(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CRYOGLEAN_OFFLINE", value)
    with pytest.raises(FetchError, match="CRYOGLEAN_OFFLINE: it forbids connections"):
        Server()


def test_a_disk_that_is_too_small_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10**6})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    check_space(tmp_path / "not" / "there", 10**6)
    with pytest.raises(FetchError, match=r"2\.0 GB more are needed, 1\.0 MB are free"):
        check_space(tmp_path / "not" / "there", 2 * 10**9)


def test_checksums_are_read_and_refused() -> None:
    digest = hashlib.sha256(b"").hexdigest()
    assert parse_checksum(f"SHA256:{digest.upper()}").digest == digest
    for wrong in ("sha256:12", digest, f"crc:{digest}", f"sha256:{'g' * 64}", ""):
        with pytest.raises(SettingsError, match="no checksum"):
            parse_checksum(wrong)


def test_sizes_are_said_in_the_unit_that_fits() -> None:
    assert [say_size(size) for size in (None, 5, 1500, 67_109_888, 88 * 10**9, 2 * 10**12)] == [
        "an unknown size", "5 bytes", "1.5 kB", "67.1 MB", "88.0 GB", "2.0 TB",
    ]  # fmt: skip
