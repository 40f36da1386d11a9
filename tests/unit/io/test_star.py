"""STAR as RELION has it: tables, optics, indices, paths, and names that would break it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoglean.errors import PicksError
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.io.star_tables import find_beside, is_plain_value, read_star_tables
from cryoglean.picks import Picks

GOLDEN = Path(__file__).parents[2] / "golden"


def split_table(path: Path, name: str) -> dict[str, list[str]]:
    """A table read in the plainest way there is, as an awk script would."""
    lines = path.read_text(encoding="ascii").splitlines()
    rest = lines[lines.index(f"data_{name}") + 1 :]
    tags = [line.split()[0] for line in rest if line.startswith("_")]
    start = max(place for place, line in enumerate(rest) if line.startswith(tags[-1])) + 1
    rows = [line.split() for line in rest[start:]]
    rows = rows[: rows.index([])]
    return {tag: [row[place] for row in rows] for place, tag in enumerate(tags)}


def test_an_autopick_file_belongs_to_the_micrograph_it_is_named_after() -> None:
    picks = read_picks(GOLDEN / "mic1_autopick.star")

    assert picks.micrographs == ("mic1",)
    assert picks.xy.tolist() == [[839.125024, 19.979167], [899.062526, 199.791672]]
    assert picks.score is not None
    assert picks.score.tolist() == [0.624705, 0.623809]


def test_an_empty_autopick_file_is_an_empty_micrograph() -> None:
    picks = read_picks(GOLDEN / "mic2_autopick.star")

    assert (len(picks), picks.micrographs) == (0, ("mic2",))


def test_an_index_gives_the_picks_of_all_its_files() -> None:
    picks = read_picks(GOLDEN / "relion_index.star")

    assert (len(picks), picks.micrographs) == (2, ("mic1", "mic2"))
    assert set(picks.extra["micrograph_path"]) == {"MotionCorr/job002/mic1.mrc"}


def test_an_index_whose_files_are_gone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "autopick.star"
    path.write_text((GOLDEN / "relion_index.star").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(PicksError, match=r"it lists tests/golden/mic1_autopick\.star, which isn't there"):
        read_picks(path)


def test_particles_keep_their_optics_and_paths(tmp_path: Path) -> None:
    """RELION 3.1 in, RELION 3.1 out: optics groups, other columns and project-relative paths are the same."""
    picks = read_picks(GOLDEN / "relion_particles.star")
    write_picks(picks, tmp_path / "out.star")

    before, after = read_star_tables(GOLDEN / "relion_particles.star"), read_star_tables(tmp_path / "out.star")

    assert list(after) == ["optics", "particles"]
    assert after["optics"] == before["optics"]
    assert {tag: after["particles"][tag] for tag in ("rlnMicrographName", "rlnOpticsGroup", "rlnAnglePsi")} == {
        tag: before["particles"][tag] for tag in ("rlnMicrographName", "rlnOpticsGroup", "rlnAnglePsi")
    }
    assert picks.micrographs == ("20170629_00021_frameImage", "20170629_00022_frameImage")


def test_single_values_are_a_table_of_one_row() -> None:
    assert read_picks(GOLDEN / "single_row.star").xy.tolist() == [[12.5, 99.0]]


def test_every_table_with_coordinates_counts(tmp_path: Path) -> None:
    path = tmp_path / "two.star"
    head = "loop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
    path.write_text(f"data_a\n{head}m1.mrc 1 2\n\ndata_b\n{head}m2.mrc 3 4\n", encoding="utf-8")

    assert read_picks(path).xy.tolist() == [[1, 2], [3, 4]]


def test_the_written_table_can_be_split_at_blanks(tmp_path: Path) -> None:
    """No quotes, no text blocks: what RELION's reader, awk and starfile need."""
    path = tmp_path / "picks.star"
    picks = Picks.of_one("mic1", np.array([[1.25, 2.5], [1 / 3, 1e5]]), np.array([0.5, 1e-12]))
    write_picks(picks, path)

    table = split_table(path, "particles")

    assert table["_rlnMicrographName"] == ["mic1.mrc", "mic1.mrc"]
    np.testing.assert_allclose(np.array(table["_rlnCoordinateX"], dtype=float), picks.xy[:, 0], atol=1e-6)
    np.testing.assert_array_equal(np.array(table["_rlnAutopickFigureOfMerit"], dtype=float), picks.score)
    assert table["_rlnClassNumber"] == ["0", "0"]
    assert table["_rlnAnglePsi"] == ["0.0", "0.0"]


@pytest.mark.parametrize("name", ["a b", "it's", 'say"', "a#1", "grün"])
def test_names_that_relion_cannot_read_are_refused(name: str, tmp_path: Path) -> None:
    picks = Picks.of_one(name, np.array([[1.0, 2.0]]))

    with pytest.raises(PicksError, match="RELION can't read"):
        write_picks(picks, tmp_path / "picks.star")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["data_1", "_x", "loop_", "[a]", "$b", ";c", "stop_2"])
def test_names_that_look_like_star_are_written_as_paths(name: str, tmp_path: Path) -> None:
    path = tmp_path / "picks.star"
    write_picks(Picks.of_one(name, np.array([[1.0, 2.0]])), path)

    assert read_picks(path).micrographs == (name,)
    assert split_table(path, "particles")["_rlnMicrographName"] == [f"./{name}.mrc"]


def test_a_number_that_is_none_is_told_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "bad.star"
    path.write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n3 four\n", encoding="utf-8")

    with pytest.raises(PicksError, match=r"_rlnCoordinateY in row 2 is 'four'"):
        read_picks(path)


def test_files_are_sought_here_then_beside_the_star_file_then_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    star = tmp_path / "project" / "Job" / "x.star"
    (star.parent / "mics").mkdir(parents=True)
    for folder in (tmp_path / "project", star.parent, star.parent / "mics"):
        (folder / "a.mrc").touch()
    monkeypatch.chdir(tmp_path)

    assert find_beside("a.mrc", star) == star.parent / "a.mrc"
    assert find_beside("mics/a.mrc", star) == star.parent / "mics" / "a.mrc"
    assert find_beside("Job/a.mrc", star) == tmp_path / "project" / "Job" / "a.mrc"
    assert find_beside("b.mrc", star) is None
    monkeypatch.chdir(tmp_path / "project")
    assert find_beside("a.mrc", star) == Path("a.mrc")


@pytest.mark.parametrize("text", ["Job/a.mrc", "1e-9", "-999.0"])
def test_plain_values_need_no_quotes(text: str) -> None:
    assert is_plain_value(text)


@pytest.mark.parametrize("text", ["", "?", ".", "a	b", "a b", "DATA_x", "a#b", "é"])
def test_other_values_would_need_quotes(text: str) -> None:
    assert not is_plain_value(text)
