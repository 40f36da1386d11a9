"""`cryoglean convert`: from any program's files to any other's, asking where a file can't say what it means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cryoglean.cli.main import run
from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.io.star_tables import read_star_tables
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks

ROWS, COLUMNS = 60, 80


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two MRC and two JPEG micrographs, labels of both in CSV; the second has no particle."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    for name in ("a_1", "b"):
        Path("mrc").mkdir(exist_ok=True)
        Path("jpg").mkdir(exist_ok=True)
        write_micrograph(Micrograph(name, pixels, 1.5), Path("mrc") / f"{name}.mrc")
        Image.fromarray(np.uint8(np.clip(pixels * 40 + 128, 0, 255))).save(Path("jpg") / f"{name}.jpg")
    labels = Picks(np.array(["a_1", "a_1"]), np.array([[10.0, 20.25], [70.5, 5.0]]), micrographs=("a_1", "b"))
    write_picks(labels, "labels.csv")


def convert(*words: str) -> int:
    return run(["convert", *words])


def test_star_to_box_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of .box files, one of them empty, with corners as whole numbers."""
    assert convert("labels.csv", "boxes", "--to", "box", "--box-pixels", "30") == 0
    assert Path("boxes/a_1.box").read_text() == "-5\t5\t30\t30\n56\t-10\t30\t30\n"
    assert Path("boxes/b.box").read_text() == ""
    assert "2 picks on 2 micrographs: csv to box, boxes" in capsys.readouterr().out

    assert convert("boxes", "back.star") == 0
    back = read_picks("back.star")
    assert back.micrographs == ("a_1", "b")
    np.testing.assert_allclose(back.xy, [[10, 20], [71, 5]])


def test_the_side_of_boxes_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("labels.csv", "boxes", "--to", "box") == 1
    assert "Give --box-pixels" in capsys.readouterr().err
    assert convert("labels.csv", "boxes", "--to", "box", "--box-pixels", "0") == 0
    assert Path("boxes/a_1.box").read_text() == "10\t20\t0\t0\n70\t5\t0\t0\n"


def test_relions_folder_has_an_index_that_is_read() -> None:
    assert convert("labels.csv", "External/job005", "--to", "autopick") == 0

    index = read_star_tables(Path("External/job005/autopick.star"))["coordinate_files"]
    assert index["rlnMicrographName"] == ["a_1.mrc", "b.mrc"]
    assert index["rlnMicrographCoordinates"][0] == "External/job005/a_1_autopick.star"
    for source in ("External/job005", "External/job005/autopick.star"):
        back = read_picks(source)
        assert back.micrographs == ("a_1", "b")
        np.testing.assert_array_equal(back.xy, [[10, 20.25], [70.5, 5]])


def test_cryoppp_counts_from_the_last_row_of_mrc_and_the_first_of_jpeg(capsys: pytest.CaptureFixture[str]) -> None:
    Path("truth").mkdir()
    Path("truth/a_1.csv").write_text("X-Coordinate,Y-Coordinate,Diameter\n10,20,12\n")

    assert convert("truth", "out.star") == 1
    assert "can't say whether y counts" in capsys.readouterr().err
    assert not Path("out.star").exists()

    assert convert("truth", "out.star", "--micrographs", "mrc") == 0
    assert "y of 1 micrograph counts from the last stored row in the source" in capsys.readouterr().out
    np.testing.assert_array_equal(read_picks("out.star").xy, [[10, ROWS - 20]])

    assert convert("truth", "out.star", "--micrographs", "jpg") == 0
    np.testing.assert_array_equal(read_picks("out.star").xy, [[10, 20]])

    assert convert("truth", "out.star", "--no-flip-y") == 0
    np.testing.assert_array_equal(read_picks("out.star").xy, [[10, 20]])

    assert convert("out.star", "again", "--to", "cryoppp", "--micrographs", "mrc") == 0
    assert Path("again/a_1.csv").read_text().splitlines()[1] == "10.0,40.0,12.0"


def test_coco_of_pictures_made_of_mrc_is_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("labels.csv", "labels.json", "--to", "coco", "--micrographs", "jpg", "--box-pixels", "12") == 0
    assert convert("labels.json", "back.csv", "--micrographs", "jpg") == 0
    np.testing.assert_array_equal(read_picks("back.csv").xy, [[10, 20.25], [70.5, 5]])
    capsys.readouterr()

    assert convert("labels.json", "back.csv", "--micrographs", "mrc") == 1
    assert "Say --flip-y or --no-flip-y" in capsys.readouterr().err
    assert convert("labels.json", "back.csv", "--micrographs", "mrc", "--flip-y") == 0
    np.testing.assert_array_equal(read_picks("back.csv").xy[:, 1], ROWS - 1 - np.array([20.25, 5]))


def test_coco_that_names_the_mrc_itself_is_not_asked_about() -> None:
    assert convert("labels.csv", "of_mrc.json", "--to", "coco", "--micrographs", "mrc", "--box-pixels", "12") == 0
    assert '"file_name": "a_1.mrc"' in Path("of_mrc.json").read_text()

    assert convert("of_mrc.json", "back.csv", "--micrographs", "mrc") == 0
    np.testing.assert_array_equal(read_picks("back.csv").xy, [[10, 20.25], [70.5, 5]])


def test_binned_and_upside_down_is_scaled_first() -> None:
    """Y of a binned picture is turned over at the height of the micrograph."""
    Path("binned.csv").write_text("micrograph,x,y,diameter\na_1,5,2,6\n")

    assert convert("binned.csv", "full.csv", "--scale", "4", "--flip-y", "--micrographs", "mrc") == 0

    full = read_picks("full.csv")
    np.testing.assert_array_equal(full.xy, [[20, ROWS - 1 - 8]])
    assert full.diameter_pixels is not None
    assert full.diameter_pixels.tolist() == [24]


@pytest.mark.parametrize("scale", ["0", "-1", "nan"])
def test_a_scale_that_is_none_is_refused(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("labels.csv", "out.star", "--scale", scale) == 1
    assert "Give a number above 0" in capsys.readouterr().err


def test_what_a_format_cannot_hold_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rich.csv").write_text("micrograph,x,y,score,diameter,note\na_1,5,2,.5,6,good\nb,,,,,\n")

    assert convert("rich.csv", "picks.txt") == 0

    said = capsys.readouterr().out
    assert "topaz has no place for it: diameters; 1 micrographs without a pick; the columns note" in said


def test_low_scores_are_left_out_when_asked() -> None:
    Path("scored.csv").write_text("micrograph,x,y,score\na_1,5,2,.5\na_1,6,2,.1\n")

    assert convert("scored.csv", "few.star", "--threshold", "0.3") == 0

    assert len(read_picks("few.star")) == 1


def test_cryosparcs_identifiers_are_taken_from_its_exposures() -> None:
    exposures = np.zeros(
        2, dtype=[("uid", "<u8"), ("micrograph_blob/path", "S60"), ("micrograph_blob/shape", "<u4", (2,)),
                  ("micrograph_blob/psize_A", "<f4"), ("mscope_params/exp_group_id", "<u4")],
    )  # fmt: skip
    exposures["uid"] = [77, 78]
    exposures["micrograph_blob/path"] = [f"J3/imported/000000000000000000123_{n}.mrc".encode() for n in ("a_1", "b")]
    exposures["micrograph_blob/shape"] = (ROWS, COLUMNS)
    exposures["micrograph_blob/psize_A"] = 1.5
    exposures["mscope_params/exp_group_id"] = 4
    np.save("exposures.npy", exposures)
    Path("exposures.npy").rename("exposures.cs")

    assert convert("labels.csv", "picks.cs", "--exposures", "exposures.cs") == 0

    table = np.load("picks.cs", allow_pickle=False)
    assert table["location/micrograph_uid"].tolist() == [77, 77]
    assert table["location/micrograph_path"][0] == b"J3/imported/000000000000000000123_a_1.mrc"
    assert table["location/exp_group_id"].tolist() == [4, 4]
    assert table["location/micrograph_shape"].tolist() == [[ROWS, COLUMNS]] * 2
    np.testing.assert_allclose(table["location/center_x_frac"], [10 / COLUMNS, 70.5 / COLUMNS], rtol=1e-6)
    np.testing.assert_allclose(table["location/center_y_frac"], [1 - 20.25 / ROWS, 1 - 5 / ROWS], rtol=1e-6)
    assert len(set(table["uid"].tolist())) == 2


def test_exposures_of_other_micrographs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("e.npy", np.zeros(1, dtype=[("uid", "<u8"), ("micrograph_blob/path", "S9")]))
    Path("e.npy").rename("e.cs")

    assert convert("labels.csv", "picks.cs", "--exposures", "e.cs") == 1
    assert "there is no exposure 'a_1'" in capsys.readouterr().err


def test_a_folder_of_several_formats_is_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    convert("labels.csv", "mixed", "--to", "box", "--box-pixels", "9")
    convert("labels.csv", "mixed", "--to", "autopick")
    Path("mixed/autopick.star").unlink()

    assert convert("mixed", "out.csv") == 1
    assert "several formats: 2 box, 2 autopick" in capsys.readouterr().err
    assert convert("mixed", "out.csv", "--from", "box") == 0


def test_two_files_of_one_micrograph_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("twice/x", "twice/y"):
        convert("labels.csv", folder, "--to", "box", "--box-pixels", "9")

    assert convert("twice", "out.csv") == 1
    assert "both speak of 'a_1'" in capsys.readouterr().err


def test_many_micrographs_do_not_go_into_one_box_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("labels.csv", "all.box", "--box-pixels", "9") == 1
    assert "holds one micrograph, and there are 2" in capsys.readouterr().err


def test_micrographs_that_are_not_given_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("truth").mkdir()
    for name in ("a_1", "c"):
        Path(f"truth/{name}.csv").write_text("X-Coordinate,Y-Coordinate,Diameter\n10,20,12\n")

    assert convert("truth", "out.star", "--micrographs", "mrc") == 1
    assert "c for one" in capsys.readouterr().err


def test_picking_refuses_formats_that_need_more_than_picks(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is read: the way is to write STAR and to convert it."""
    assert run(["pick", "general", "mrc", "--diameter-angstrom", "20", "--out", "picks.cs"]) == 1
    assert "cryoglean convert picks.star OUT --to cs" in capsys.readouterr().err


def test_picks_outside_and_picks_of_binned_micrographs_are_doubted(capsys: pytest.CaptureFixture[str]) -> None:
    places = np.random.default_rng(1).uniform(1, 14, size=(30, 2))
    binned = Picks.of_one("a_1", places)
    write_picks(binned, "binned.txt")

    assert convert("binned.txt", "out.star", "--micrographs", "mrc") == 0
    assert "of binned micrographs? See --scale" in capsys.readouterr().out

    assert convert("binned.txt", "out.star", "--micrographs", "mrc", "--scale", "4") == 0
    assert "WARNING" not in capsys.readouterr().out

    assert convert("binned.txt", "out.star", "--micrographs", "mrc", "--scale", "8") == 0
    outside = int(((places * 8) > [COLUMNS - 0.5, ROWS - 0.5]).any(axis=1).sum())
    assert f"WARNING: {outside} of 30 picks lie outside" in capsys.readouterr().out
