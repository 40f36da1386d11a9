"""`cryoglean fetch empiar`: which files of an entry, what is passed over, and that each goes on where it stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import Site, mrc

from cryoglean.cli.main import run
from cryoglean.fetch import listing
from cryoglean.fetch.empiar import sections_of_mrc
from cryoglean.fetch.listing import parse_listing

DATA = "/world_availability/10081/data/"
ENTRY = "/api/entry/10081/"


def fetch(site: Site, out: Path, *words: str) -> int:
    return run(["fetch", "empiar", "10081", "--out", str(out), "--url", site.url, *words])


def image_set(directory: str, category: str, **more: Any) -> dict[str, Any]:
    return {"name": directory, "directory": directory, "category": category, "pixel_width": 1.3, **more}


def describe(site: Site, *sets: dict[str, Any]) -> None:
    site.files[ENTRY] = json.dumps({"EMPIAR-10081": {"title": "HCN1", "imagesets": sets}}).encode()


def fetched(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "10081" / "micrographs").iterdir())


@pytest.fixture
def entry(site: Site) -> Site:
    """Micrographs in two folders and beside movies in a third, described."""
    describe(
        site, image_set("data/movies", "micrographs - multiframe"),
        image_set("data/micrographs", "micrographs - single frame"),
    )  # fmt: skip
    for index in range(3):
        site.files[f"{DATA}micrographs/day 2/m{index}.mrc"] = mrc(index)
        site.files[f"{DATA}micrographs/a{index}.mrc"] = mrc(index + 10)
        site.files[f"{DATA}movies/a{index}.tif"] = b"II*\0"
    site.files[f"{DATA}micrographs/a1.txt"] = b"hello"
    return site


def test_the_first_by_folder_and_name_come_from_the_single_frame_set(
    entry: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(entry, tmp_path, "--micrographs", "4") == 0

    assert fetched(tmp_path) == ["a0.mrc", "a1.mrc", "a2.mrc", "m0.mrc"]
    assert (tmp_path / "10081" / "micrographs" / "m0.mrc").read_bytes() == mrc(0)
    folder = tmp_path / "10081" / "micrographs"
    assert capsys.readouterr().out.splitlines() == [
        "note: not looked at: 'data/movies' (micrographs - multiframe)",
        f"4 micrographs, 0 of them labelled: {folder}",
        f"next: cryoglean pick general {folder} --diameter-angstrom DIAMETER --out picks.star "
        "(put numbers in angstrom for the words)",
    ]
    assert not [path for path, _ in entry.asked if "movies" in path]


def test_again_nothing_is_asked_and_more_adds_to_it(entry: Site, tmp_path: Path) -> None:
    assert fetch(entry, tmp_path, "--micrographs", "2") == 0
    entry.forget()
    assert fetch(entry, tmp_path, "--micrographs", "2") == 0
    assert not entry.asked

    assert fetch(entry, tmp_path, "--micrographs", "3") == 0

    assert fetched(tmp_path) == ["a0.mrc", "a1.mrc", "a2.mrc"]
    assert {path for path, count in entry.sent.items() if count and path.endswith(".mrc")} == {
        f"{DATA}micrographs/a2.mrc"
    }


def test_when_all_are_there_more_is_not_asked_for(entry: Site, tmp_path: Path) -> None:
    assert fetch(entry, tmp_path, "--micrographs", "50") == 0
    assert len(fetched(tmp_path)) == 6
    entry.forget()

    assert fetch(entry, tmp_path, "--micrographs", "60") == 0
    assert not entry.asked


def test_a_file_that_breaks_off_is_taken_up(entry: Site, tmp_path: Path) -> None:
    entry.cuts[f"{DATA}micrographs/a0.mrc"] = [5000]

    assert fetch(entry, tmp_path, "--micrographs", "1") == 0

    assert (tmp_path / "10081" / "micrographs" / "a0.mrc").read_bytes() == mrc(10)
    assert entry.sent[f"{DATA}micrographs/a0.mrc"] == len(mrc(10))


def test_movies_are_passed_over_and_counted(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.files |= {f"{DATA}raw/{index}.mrc": mrc(index, sections=3) for index in range(5)}
    site.files |= {f"{DATA}raw/{index}.mrcs": b"" for index in range(2)} | {f"{DATA}t.tif": b"", f"{DATA}e.eer": b""}
    site.files[f"{DATA}sums/x.mrc"] = mrc(0)

    assert fetch(site, tmp_path) == 0

    said = capsys.readouterr().out
    assert fetched(tmp_path) == ["x.mrc"]
    assert "passed over: 1 .eer, 2 .mrcs, 1 .tif, 5 movies or stacks (.mrc)" in said
    assert "description of the entry can't be read" in said
    assert len([path for path, _ in site.asked if path.startswith(f"{DATA}raw/") and path.endswith(".mrc")]) == 1


def test_a_pattern_takes_any_file_and_goes_straight_to_its_folder(
    entry: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(entry, tmp_path, "--pattern", "movies/*1.tif") == 0

    assert fetched(tmp_path) == ["a1.tif"]
    assert f"{DATA}micrographs/" not in [path for path, _ in entry.asked]
    assert "no micrograph" in capsys.readouterr().out
    assert fetch(entry, tmp_path, "--pattern", "m?.mrc") == 1
    assert "holds something else" in capsys.readouterr().err
    assert fetch(entry, tmp_path / "other", "--pattern", "m[12].mrc") == 0
    assert fetched(tmp_path / "other") == ["m1.mrc", "m2.mrc"]


def test_an_error_page_in_place_of_a_micrograph_is_set_aside_and_fetched_again(
    entry: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{DATA}micrographs/a1.mrc"
    entry.files[path] = b"<?xml version='1.0'?><Error>ConnectionClosedException</Error>".ljust(len(mrc(11)))
    assert fetch(entry, tmp_path, "--micrographs", "2") == 0
    assert fetched(tmp_path) == ["a0.mrc", "a1.mrc.unusable"]
    assert "a1.mrc.unusable: set aside" in capsys.readouterr().out
    entry.files[path] = mrc(11)

    assert fetch(entry, tmp_path, "--micrographs", "2") == 0

    assert "a1.mrc" in fetched(tmp_path)


def test_the_pixel_size_of_the_entry_is_said_where_headers_have_none(
    entry: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry.files[f"{DATA}micrographs/a0.mrc"] = mrc(0, pixel_size=0.0)

    assert fetch(entry, tmp_path, "--micrographs", "1") == 0

    assert "--pixel-size-angstrom 1.3" in capsys.readouterr().out


def test_names_that_two_folders_share_are_taken_once(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.files |= {f"{DATA}{folder}/same.mrc": mrc(index) for index, folder in enumerate("ab")}

    assert fetch(site, tmp_path) == 0

    assert fetched(tmp_path) == ["same.mrc"]
    assert "1 of a name that is taken" in capsys.readouterr().out


def test_an_entry_that_is_not_there(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(site, tmp_path) == 1
    assert "there is no such entry" in capsys.readouterr().err


def test_an_entry_without_micrographs(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.files |= {f"{DATA}a.eer": b"x", f"{DATA}readme.txt": b"x"}
    assert fetch(site, tmp_path) == 1
    said = capsys.readouterr().err
    assert "none of its files looks like a micrograph" in said
    assert "1 .eer" in said


def test_too_many_folders_are_not_all_looked_into(
    entry: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listing, "MOST_FOLDERS", 1)
    assert fetch(entry, tmp_path, "--micrographs", "3") == 0
    assert fetch(entry, tmp_path, "--micrographs", "4") == 1
    assert "--pattern" in capsys.readouterr().err


def test_a_dry_run_lists_the_files(entry: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch(entry, tmp_path, "--micrographs", "4", "--dry-run") == 0

    said = capsys.readouterr().out
    assert f"{entry.url}{DATA}micrographs/day%202/m0.mrc: 25.6 kB" in said
    assert "to come: 102.4 kB" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "answer",
    [b"[]", b"not json", b'{"EMPIAR-10081": null}', b'{"EMPIAR-10081": {"imagesets": ["x"]}}', b'{"EMPIAR-10081": {}}'],
)
def test_an_odd_description_is_no_reason_to_stop(entry: Site, tmp_path: Path, answer: bytes) -> None:
    entry.files[ENTRY] = answer
    assert fetch(entry, tmp_path, "--micrographs", "1") == 0
    assert fetched(tmp_path) == ["a0.mrc"]


def test_a_description_can_not_lead_outside_of_the_data(site: Site, tmp_path: Path) -> None:
    describe(site, image_set("data/../../10082/data", "micrographs - single frame"))
    site.files[f"{DATA}a.mrc"] = mrc(0)
    assert fetch(site, tmp_path) == 0
    assert fetched(tmp_path) == ["a.mrc"]


def test_listings_of_apache_and_nginx_are_read_and_links_elsewhere_are_not_followed() -> None:
    page = """<h1>Index of /d/</h1><a href="?C=M;O=A">Last modified</a> <a href="/">Parent Directory</a>
    <a href="../">../</a> <a href="b%20c.mrc">b c.mrc</a> <a href='/d/sub/'>sub</a> <a href="/d/deep/er.mrc">no</a>
    <A HREF="http://elsewhere/d/x.mrc">x</A> <a href="..%2f..%2fetc.mrc">e</a> <a href=".hidden">h</a> <a>nothing</a>
    <a href="http://host/d/full.mrc">full</a>"""

    assert parse_listing(page, "http://host/d/") == (("b c.mrc", "full.mrc"), ("sub",))


def test_sections_are_counted_in_either_byte_order() -> None:
    assert sections_of_mrc(mrc(0, sections=3)[:1024]) == 3
    swapped = b"".join(mrc(0, sections=3)[start : start + 4][::-1] for start in range(0, 12, 4))
    assert sections_of_mrc(swapped) == 3
    assert sections_of_mrc(b"<?xml version") == 0
    assert sections_of_mrc(b"short") == 0
