"""Reading what other programs write, and telling line and cell of what is wrong."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cryoglean.errors import PicksError
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks

GOLDEN = Path(__file__).parents[2] / "golden"


def test_topaz_tables_are_read() -> None:
    picks = read_picks(GOLDEN / "topaz_extract.txt")

    assert picks.xy.tolist() == [[1024, 88], [77, 2011], [640, 480]]
    assert picks.score is not None
    assert picks.score.tolist() == [3.25, -1.5, 0.125]
    assert picks.micrographs == (
        "14sep05c_c_00003gr_00014sq_00011hl_00002es.frames",
        "14sep05c_c_00007gr_00021sq_00011hl_00004es.frames",
    )


def test_cryoppp_files_belong_to_the_micrograph_they_are_named_after() -> None:
    picks = read_picks(GOLDEN / "cryoppp.csv", flip_y=False)

    assert picks.micrographs == ("cryoppp",)
    assert picks.xy.tolist() == [[3752, 693], [3474, 182]]
    assert picks.diameter_pixels is not None
    assert picks.diameter_pixels.tolist() == [108, 108]
    assert picks.extra["Angle-Psi"].tolist() == ["12.5", "-90.0"]


def test_a_spreadsheets_export_is_read() -> None:
    """Semicolons, a comment, other names, an empty micrograph, a cell without a score."""
    picks = read_picks(GOLDEN / "semicolon.csv")

    assert picks.xy.tolist() == [[10.5, 20.0], [30.0, 40.25]]
    assert picks.micrographs == ("May08_03.05.02", "May08_04.32.27")
    assert picks.score is not None
    np.testing.assert_array_equal(picks.score, [0.75, np.nan])
    assert picks.extra["checked by"].tolist() == ["anna", ""]


def test_pandas_agrees_about_our_csv(tmp_path: Path) -> None:
    path = tmp_path / "picks.csv"
    picks = Picks.of_one("a, b", np.array([[1.5, 2.5], [3.0, 4.125]]), np.array([0.1, 0.2]))
    write_picks(picks, path)

    table = pd.read_csv(path)

    assert table["micrograph"].tolist() == ["a, b", "a, b"]
    np.testing.assert_array_equal(table[["x", "y"]], picks.xy)
    np.testing.assert_array_equal(table["score"], picks.score)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("micrograph,x\nm,1\n", "lacks the column y"),
        ("a,b\n1,2\n", "lacks the column x and y.*there are: a, b"),
        ("1,2,3\n4,5,6\n", "lacks the column"),
        ("micrograph,x,y\nm,1,2\nm,one,2\n", r"picks.csv:3: x is 'one', which is no number"),
        ("micrograph,x,y\nm,1,2\nm,1\n", r"picks.csv:3: it has 2 cells"),
        ("micrograph,x,y\n\n\nm,1,\n", r"picks.csv:4: one coordinate is missing"),
        ("micrograph,x,y\n,1,2\n", r"picks.csv:2: the micrograph is missing"),
        ("micrograph,x,y\nm,nan,2\n", r"picks.csv: m: a coordinate in row 1 is not a number"),
        ("micrograph,x,y,score\nm,1,2,1_000\n", r"picks.csv:2: score is '1_000'"),
        ("x,y,x\n1,2,3\n", "two columns have the same name"),
        ("", "lacks the column"),
    ],
)
def test_a_mistake_in_csv_is_told_with_its_line(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "picks.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PicksError, match=fault):
        read_picks(path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "something else than lists"),
        ('{"m": 3}', "something else than lists"),
        ('{"m": [[1]]}', "picks.json: m: .*is no pick"),
        ('{"m": [[1, "a"]]}', "'a' is no number"),
        ('{"m": [[1, null]]}', "a coordinate is missing"),
        ('{"m": [[1, true]]}', "is no number"),
        ('{"m": [[1, NaN]]}', "is not a number"),
        ('{"": []}', "no name"),
    ],
)
def test_a_mistake_in_json_is_told(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "picks.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PicksError, match=fault):
        read_picks(path)


def test_the_notes_json_is_read(tmp_path: Path) -> None:
    """An empty list is an empty micrograph, not an unknown one."""
    path = tmp_path / "coordinates.json"
    path.write_text('{"a.b.jpg": [[1, 2.5], [3, 4]], "empty.jpg": []}', encoding="utf-8")

    picks = read_picks(path)

    assert picks.micrographs == ("a.b", "empty")
    assert picks.on("a.b").xy.tolist() == [[1, 2.5], [3, 4]]
    assert picks.score is None


def test_a_json_list_belongs_to_the_micrograph_it_is_named_after(tmp_path: Path) -> None:
    path = tmp_path / "mic1_picks.json"
    path.write_text('[{"x": 5, "y": 6, "score": 0.5, "id": "tp-0"}]', encoding="utf-8")

    picks = read_picks(path)

    assert picks.micrographs == ("mic1",)
    assert picks.extra["id"].tolist() == ["tp-0"]


def test_infinite_scores_do_not_fit_into_json(tmp_path: Path) -> None:
    picks = Picks.of_one("m", np.array([[1.0, 2.0]]), np.array([np.inf]))

    with pytest.raises(PicksError, match="JSON can't hold"):
        write_picks(picks, tmp_path / "picks.json")
    assert not list(tmp_path.iterdir())


def test_the_format_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "picks.dat"
    write_picks(Picks.of_one("m", np.array([[1.0, 2.0]])), path, format="star")

    assert read_picks(path).xy.tolist() == [[1.0, 2.0]]
    with pytest.raises(PicksError, match="not JSON"):
        read_picks(path, format="json")


def test_unknown_formats_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    picks = Picks.empty()

    with pytest.raises(PicksError, match=r"Known are: autopick \(\.star.*csv \(\.csv \.tsv\)"):
        write_picks(picks, tmp_path / "picks.xyz")
    with pytest.raises(PicksError, match="Did you mean star"):
        write_picks(picks, tmp_path / "picks.xyz", format="starr")


def test_an_unwritable_place_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(PicksError, match="can't be written"):
        write_picks(Picks.empty(), tmp_path / "file" / "picks.csv")


@pytest.mark.parametrize(
    ("column", "text", "fault"),
    [
        ("box_width_pixels", "", "box_width_pixels or box_height_pixels is no number"),
        ("box_width_pixels", "nan", "box_width_pixels or box_height_pixels is no number"),
        ("box_width_pixels", "-5", "box_width_pixels or box_height_pixels is no number"),
        ("relion_tube_end", "x", "relion_tube_end is no number"),
        ("relion_tube_end", "nan", "relion_tube_end is no number"),
    ],
)
def test_columns_of_boxes_that_a_table_has_wrong_are_told(column: str, text: str, fault: str, tmp_path: Path) -> None:
    """A table can have any text in the columns that boxes are written from."""
    path = tmp_path / "m.csv"
    box_pixels = None if column.startswith("box") else 40
    path.write_text(f"micrograph,x,y,{column}\nm,1,2,{text}\n", encoding="utf-8")

    with pytest.raises(PicksError, match=fault):
        write_picks(read_picks(path), tmp_path / "m.box", box_pixels=box_pixels)


def test_a_tubes_ends_survive_a_table(tmp_path: Path) -> None:
    (tmp_path / "m.box").write_text("1 2 40 40 -1\n9 9 40 40 -2\n", encoding="utf-8")
    write_picks(read_picks(tmp_path / "m.box"), tmp_path / "m.csv")
    write_picks(read_picks(tmp_path / "m.csv"), tmp_path / "again.box")

    assert (tmp_path / "again.box").read_text(encoding="utf-8") == "1\t2\t40\t40\t-1\n9\t9\t40\t40\t-2\n"


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    picks = Picks(np.array(["a\0b", "c"]), np.zeros((2, 2)))

    with pytest.raises(PicksError, match="can't be the name of a file"):
        write_picks(picks, tmp_path / "boxes", "box", box_pixels=40)


def test_an_index_with_a_name_longer_than_any_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "autopick.star"
    rows = f"m.mrc {'x' * 5000}.star"
    path.write_text(
        f"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n{rows}\n", encoding="utf-8"
    )

    with pytest.raises(PicksError, match="which isn't there"):
        read_picks(path)


@pytest.mark.parametrize(
    "kind",
    [("<f4", (2,)), ("<f8", (3,)), ("S8",)],
)
def test_a_cs_file_whose_fields_are_of_another_kind_is_refused(kind: tuple[Any, ...], tmp_path: Path) -> None:
    layout: list[Any] = [("location/micrograph_path", "S8"), ("location/micrograph_shape", "<u4", (2,))]
    layout.append(("location/center_y_frac", "<f4"))
    table = np.zeros(3, dtype=[*layout, ("location/center_x_frac", *kind)])
    table["location/micrograph_path"] = b"m.mrc"
    np.save(tmp_path / "m.npy", table)
    (tmp_path / "m.npy").rename(tmp_path / "m.cs")

    with pytest.raises(PicksError, match="location/center_x_frac is not what cryoSPARC writes"):
        read_picks(tmp_path / "m.cs")


def test_a_cs_file_that_claims_an_endless_header_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.cs"
    path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr': [('uid', '<u8')]}")

    tracemalloc.start()
    with pytest.raises(PicksError, match="not a table of cryoSPARC"):
        read_picks(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
