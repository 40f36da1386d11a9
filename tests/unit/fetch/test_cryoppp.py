"""`cryoglean fetch cryoppp`: which micrographs, which files of the archive, and what happens when it is interrupted."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from loopback import Site, coordinates, cryoppp_files, mrc, pack, spoil_gzip, truncate_gzip

from cryoglean.cli.main import run
from cryoglean.fetch.cryoppp import choose_micrographs, known_entries
from cryoglean.fetch.server import Listener
from cryoglean.io.picks import read_picks

ADDRESS = "/cryoppp/10017.tar.gz"


def fetch(site: Site, out: Path, *words: str) -> int:
    return run(["fetch", "cryoppp", "10017", "--out", str(out), "--url", site.url, *words])


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def packed(site: Site) -> Site:
    site.files[ADDRESS] = pack(cryoppp_files())
    return site


def test_the_labelled_ones_come_first_by_name_with_what_belongs_to_them(
    packed: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(packed, tmp_path, "--micrographs", "2") == 0

    assert tree(tmp_path / "10017") == {
        "fetched.json", "micrographs/mic_02.mrc", "micrographs/mic_03.mrc",
        *(f"ground_truth/{kind}/mic_{number}.csv" for kind in ("particle_coordinates", "false_positives")
          for number in ("02", "03")),
    }  # fmt: skip
    assert (tmp_path / "10017" / "micrographs" / "mic_02.mrc").read_bytes() == mrc(2)
    assert not (tmp_path / "10017.tar.gz").exists()
    folder = tmp_path / "10017"
    assert capsys.readouterr().out.splitlines() == [
        f"2 micrographs, 2 of them labelled: {folder}/micrographs",
        f"next: cryoglean train {folder} --out RUN",
    ]


def test_all_of_it_is_the_archive_without_stacks_and_gains(packed: Site, tmp_path: Path) -> None:
    assert fetch(packed, tmp_path) == 0

    expected = {name for name in cryoppp_files() if "stack" not in name and "gain" not in name}
    assert tree(tmp_path) == expected | {"10017/fetched.json"}
    record = json.loads((tmp_path / "10017" / "fetched.json").read_text())
    assert record["facts"]["sha256"] == hashlib.sha256(packed.files[ADDRESS]).hexdigest()


def test_the_same_command_again_asks_for_nothing_even_offline(
    packed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(packed, tmp_path, "--micrographs", "2") == 0
    packed.forget()
    monkeypatch.setenv("CRYOGLEAN_OFFLINE", "1")

    assert fetch(packed, tmp_path, "--micrographs", "2") == 0
    assert fetch(packed, tmp_path, "--micrographs", "1") == 0
    assert fetch(packed, tmp_path, "--micrographs", "2", "--dry-run") == 0
    assert not packed.asked
    assert "nothing was fetched" in capsys.readouterr().err
    assert fetch(packed, tmp_path, "--micrographs", "3") == 1
    assert "CRYOGLEAN_OFFLINE" in capsys.readouterr().err


def test_a_kept_archive_gives_more_micrographs_without_a_download(packed: Site, tmp_path: Path) -> None:
    assert fetch(packed, tmp_path, "--micrographs", "2", "--keep-archive") == 0
    packed.forget()
    before = (tmp_path / "10017" / "micrographs" / "mic_02.mrc").stat().st_mtime_ns

    assert fetch(packed, tmp_path, "--micrographs", "4", "--keep-archive") == 0

    assert packed.sent[ADDRESS] == 0
    assert (tmp_path / "10017" / "micrographs" / "mic_02.mrc").stat().st_mtime_ns == before
    assert {path.name for path in (tmp_path / "10017" / "micrographs").iterdir()} == {
        "mic_00.mrc", "mic_02.mrc", "mic_03.mrc", "mic_04.mrc",
    }  # fmt: skip


def test_a_lost_file_is_brought_back(packed: Site, tmp_path: Path) -> None:
    assert fetch(packed, tmp_path) == 0
    (tmp_path / "10017" / "micrographs" / "mic_01.mrc").unlink()

    assert fetch(packed, tmp_path) == 0

    assert (tmp_path / "10017" / "micrographs" / "mic_01.mrc").read_bytes() == mrc(1)


def test_labels_that_somebody_corrected_are_not_overwritten(packed: Site, tmp_path: Path) -> None:
    assert fetch(packed, tmp_path, "--micrographs", "2", "--keep-archive") == 0
    mine = tmp_path / "10017" / "ground_truth" / "particle_coordinates" / "mic_02.csv"
    mine.write_bytes(coordinates((1, 2), (3, 4), (5, 6)))
    packed.forget()

    assert fetch(packed, tmp_path, "--micrographs", "2") == 0
    assert not packed.asked
    assert fetch(packed, tmp_path, "--micrographs", "4") == 0
    assert mine.read_bytes() == coordinates((1, 2), (3, 4), (5, 6))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_killed_in_the_middle_the_rest_alone_is_fetched(site: Site, tmp_path: Path, stop: signal.Signals) -> None:
    files = cryoppp_files() | {"10017/particles_stack/big.mrc": np.random.default_rng(0).bytes(6_000_000)}
    site.files[ADDRESS] = pack(files)
    site.bytes_per_second = 2_000_000
    words = [sys.executable, "-m", "cryoglean", "fetch", "cryoppp", "10017", "--out", tmp_path, "--url", site.url]
    process = subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True, env=os.environ)
    part = tmp_path / "10017.tar.gz.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 1_500_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(stop)
    said = process.communicate(timeout=30)[1]
    kept = part.stat().st_size
    assert 1_500_000 < kept < len(site.files[ADDRESS])
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command" in said
        assert "Traceback" not in said
    site.forget()
    site.bytes_per_second = 0

    assert fetch(site, tmp_path) == 0

    assert site.sent[ADDRESS] == len(site.files[ADDRESS]) - kept
    assert (tmp_path / "10017" / "micrographs" / "mic_02.mrc").read_bytes() == files["10017/micrographs/mic_02.mrc"]


def test_a_given_checksum_is_compared_and_a_slip_costs_no_download(
    packed: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = hashlib.md5(packed.files[ADDRESS]).hexdigest()
    assert fetch(packed, tmp_path, "--checksum", f"md5:{'0' * 32}") == 1
    assert f"its md5 is {right}, not 000" in capsys.readouterr().err
    assert not (tmp_path / "10017").exists()
    packed.forget()

    assert fetch(packed, tmp_path, "--checksum", f"md5:{right}") == 0
    assert packed.sent[ADDRESS] == 0


@pytest.mark.parametrize("name", ["../evil.mrc", "10017/../../evil.mrc", "/tmp/evil.mrc", "10017\\..\\evil.mrc"])
def test_an_archive_that_leads_outside_is_not_unpacked_at_all(
    site: Site, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.files[ADDRESS] = pack(cryoppp_files() | {name: b"evil"})

    assert fetch(site, tmp_path / "out") == 1

    assert "outside" in capsys.readouterr().err
    assert tree(tmp_path) == {"out/10017.tar.gz"}


def test_links_in_an_archive_are_left_out(site: Site, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    links = {"10017/micrographs/passwd.mrc": "/etc/passwd", "10017/micrographs/sub": str(tmp_path / "outside")}
    site.files[ADDRESS] = pack(cryoppp_files(), links)

    assert fetch(site, tmp_path / "out") == 0

    assert "10017/micrographs/passwd.mrc" not in tree(tmp_path / "out")
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("spoil", [truncate_gzip, spoil_gzip, lambda _: b"<html>not an archive</html>" * 100])
def test_a_broken_archive_is_said_to_be_broken_and_nothing_is_unpacked(
    packed: Site, tmp_path: Path, spoil: object, capsys: pytest.CaptureFixture[str]
) -> None:
    packed.files[ADDRESS] = spoil(packed.files[ADDRESS])  # type: ignore[operator]

    assert fetch(packed, tmp_path) == 1

    said = capsys.readouterr().err
    assert "10017.tar.gz: the archive is broken" in said
    assert "Delete it" in said
    assert not (tmp_path / "10017").exists()


def test_an_archive_of_something_else_is_refused(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.files[ADDRESS] = pack({"10017/readme.txt": b"hello"})
    assert fetch(site, tmp_path) == 1
    assert "no folder 'micrographs'" in capsys.readouterr().err


def test_a_number_that_is_not_there_names_those_that_are(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(site, tmp_path) == 1
    said = capsys.readouterr().err
    assert "no such archive" in said
    assert "10005, 10017, 10028" in said


def test_a_dry_run_downloads_nothing(packed: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(packed, tmp_path, "--dry-run") == 0

    size = len(packed.files[ADDRESS])
    said = capsys.readouterr().out
    assert f"{packed.url}{ADDRESS}: {size / 1000:.1f} kB" in said
    assert "nothing was downloaded" in said
    assert packed.sent[ADDRESS] == 0
    assert not list(tmp_path.iterdir())


def test_lite_has_its_own_archive_and_says_which_number_is_missing(
    packed: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from io import BytesIO

    from PIL import Image

    picture = BytesIO()
    Image.new("L", (40, 30), 128).save(picture, "JPEG")
    files = {
        "10017/micrographs/a.jpg": picture.getvalue(),
        "10017/ground_truth/particle_coordinates/a.csv": coordinates((3, 4), diameter=8),
    }
    packed.files["/cryoppp_lite/10017.tar.gz"] = pack(files)

    assert fetch(packed, tmp_path, "--lite") == 0

    said = capsys.readouterr().out
    assert f"train {tmp_path / '10017'} --pixel-size-angstrom PIXEL --out RUN" in said
    assert fetch(packed, tmp_path) == 1
    assert "the folder holds something else: CryoPPP_Lite, 10017, not CryoPPP, 10017" in capsys.readouterr().err


def test_two_data_sets_in_one_archive_stay_apart(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {}
    for part in "AB":
        files[f"10389/10389{part}/micrographs/same.mrc"] = mrc(ord(part))
        files[f"10389/10389{part}/ground_truth/particle_coordinates/same.csv"] = coordinates((1, 2))
    site.files["/cryoppp/10389.tar.gz"] = pack(files)

    assert run(["fetch", "cryoppp", "EMPIAR-10389", "--out", str(tmp_path), "--url", site.url]) == 0

    assert tree(tmp_path) - {"10389/fetched.json"} == set(files)
    said = capsys.readouterr().out
    assert said.count("next: cryoglean train") == 2
    assert "note: EMPIAR-10389: two data sets" in said


def test_what_is_fetched_is_read_with_y_turned(site: Site, tmp_path: Path) -> None:
    table = "10017/ground_truth/particle_coordinates/a.csv"
    site.files[ADDRESS] = pack({"10017/micrographs/a.mrc": mrc(0, rows=64), table: coordinates((10, 20))})
    assert fetch(site, tmp_path) == 0

    paths = {"a": tmp_path / "10017" / "micrographs" / "a.mrc"}
    picks = read_picks(tmp_path / "10017" / "ground_truth" / "particle_coordinates", micrographs=paths)

    assert picks.xy[0, 0] == 10
    assert abs(picks.xy[0, 1] - (64 - 20)) <= 1


def test_choosing_is_by_label_then_name() -> None:
    names = ["b.mrc", "a.mrc", "c.jpg", "._a.mrc", "notes.txt"]
    members = [PurePosixPath("micrographs", name) for name in names]
    members += [
        PurePosixPath("ground_truth/particle_coordinates/c.csv"),
        PurePosixPath("ground_truth/false_positives/b.csv"),
    ]

    assert [name.name for name in choose_micrographs(members, None)] == ["c.jpg", "a.mrc", "b.mrc"]
    assert [name.name for name in choose_micrographs(members, 2)] == ["c.jpg", "a.mrc"]


def test_the_table_of_entries_adds_up_to_what_the_paper_says(capsys: pytest.CaptureFixture[str]) -> None:
    entries = known_entries()

    assert len(entries) == 34
    assert sum(int(entry["micrographs"]) for entry in entries.values()) == 9893
    assert entries["10017"]["diameter_pixels"] == "108"
    assert run(["fetch", "cryoppp"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 35


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cryoppp", "ten", "--out", "x"], "'ten' is no EMPIAR number"),
        (["cryoppp", "../10017", "--out", "x"], "is no EMPIAR number"),
        (["cryoppp", "10017"], "--out: it is needed"),
        (["empiar"], "the number: it is needed"),
        (["cryoppp", "10017", "--out", "x", "--micrographs", "0"], "--micrographs: it is 0"),
        (["cryoppp", "10017", "--out", "x", "--url", "ftp://a"], "no address"),
        (["cryoppp", "10017", "--out", "x", "--checksum", "abc"], "no checksum"),
        (["cryoppp", "10017", "--out", "x", "--pattern", "*.mrc"], "--pattern: it is not for cryoppp"),
        (["empiar", "10017", "--out", "x", "--keep-archive"], "--keep-archive: it is not for empiar"),
        (["zenodo", "10017", "--out", "x"], "zenodo"),
    ],
)
def test_wrong_words_are_refused_before_anything_happens(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["fetch", *words]) == 2

    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_environment_names_the_server(packed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOGLEAN_CRYOPPP_URL", packed.url + "/")
    assert run(["fetch", "cryoppp", "10017", "--out", str(tmp_path), "--quiet"]) == 0


def test_a_listener_is_told_each_stage(packed: Site, tmp_path: Path) -> None:
    from cryoglean.fetch.cryoppp import CryopppRequest, fetch_cryoppp

    titles: list[str] = []
    listener = Listener(lambda title, _: titles.append(title) or (lambda _: None), lambda _: None)  # type: ignore[func-returns-value]

    fetched = fetch_cryoppp(CryopppRequest("10017", tmp_path, packed.url, 3), listener)

    assert titles == ["10017.tar.gz", "sha256", "read the archive", "unpack"]
    assert (fetched.micrographs, fetched.labelled) == (3, 3)
