"""Other programs' own packages open what cryoglean writes, and find every particle where it is."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cryoglean.io.micrographs import micrographs_by_name
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TOPAZ = next(
    (path for folder in (ROOT, Path("/work/main")) if (path := folder / ".venv-topaz" / "bin" / "topaz").exists()), None
)
ROWS, COLUMNS = 300, 400
SIDE = 41.0


@pytest.fixture
def picks() -> Picks:
    """Particles on two micrographs; a third one has none."""
    return Picks(
        np.array(["mic.1", "mic.1", "b-DW"]),
        np.array([[10.25, 20.5], [1 / 3, 299.123456], [399.0, 0.0]]),
        score=np.array([0.9, 0.25, 1e-9]),
        micrographs=("mic.1", "empty", "b-DW"),
    )


@pytest.fixture
def micrographs(tmp_path: Path, picks: Picks) -> dict[str, Path]:
    paths = [tmp_path / "pictures" / f"{name}.png" for name in picks.micrographs]
    paths[0].parent.mkdir()
    for path in paths:
        Image.new("L", (COLUMNS, ROWS)).save(path)
    return micrographs_by_name(paths)


def test_starfile_reads_particles(picks: Picks, tmp_path: Path) -> None:
    starfile = pytest.importorskip("starfile")
    write_picks(picks, tmp_path / "picks.star")

    tables = starfile.read(tmp_path / "picks.star")

    table = tables["particles"]
    assert table["rlnMicrographName"].tolist() == ["mic.1.mrc", "mic.1.mrc", "b-DW.mrc"]
    np.testing.assert_allclose(table[["rlnCoordinateX", "rlnCoordinateY"]], picks.xy, rtol=0, atol=1e-6)
    np.testing.assert_allclose(table["rlnAutopickFigureOfMerit"], picks.score, rtol=1e-12)
    assert tables["micrographs"]["rlnMicrographName"].tolist() == ["mic.1.mrc", "empty.mrc", "b-DW.mrc"]


def test_starfile_reads_optics(tmp_path: Path) -> None:
    """RELION 3.1 in, RELION 3.1 out: starfile sees the same optics and the same particles."""
    starfile = pytest.importorskip("starfile")
    write_picks(read_picks(GOLDEN / "relion_particles.star"), tmp_path / "out.star")

    before, after = starfile.read(GOLDEN / "relion_particles.star"), starfile.read(tmp_path / "out.star")

    assert list(after) == ["optics", "particles"]
    assert after["optics"].to_dict() == before["optics"].to_dict()
    assert set(before["particles"]) <= set(after["particles"])
    for tag in before["particles"]:
        assert after["particles"][tag].tolist() == before["particles"][tag].tolist(), tag


def test_starfile_reads_autopick_files_through_their_index(
    picks: Picks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starfile = pytest.importorskip("starfile")
    monkeypatch.chdir(tmp_path)
    write_picks(picks, Path("AutoPick"), "autopick")

    index = starfile.read("AutoPick/autopick.star", always_dict=True)["coordinate_files"]
    tables = {
        row["rlnMicrographName"]: starfile.read(row["rlnMicrographCoordinates"], always_dict=True)[""]
        for row in index.to_dict("records")
    }

    assert list(tables) == ["mic.1.mrc", "empty.mrc", "b-DW.mrc"]
    assert [len(table) for table in tables.values()] == [2, 0, 1]
    np.testing.assert_allclose(
        tables["mic.1.mrc"][["rlnCoordinateX", "rlnCoordinateY"]], picks.on("mic.1").xy, rtol=0, atol=1e-6
    )
    assert {"rlnAutopickFigureOfMerit", "rlnClassNumber", "rlnAnglePsi"} <= set(tables["b-DW.mrc"])


def write_cbox(picks: Picks, folder: Path) -> Path:
    write_picks(picks, folder / "CBOX", "cbox", box_pixels=SIDE)
    return folder / "CBOX" / "mic.1.cbox"


def test_starfile_reads_cbox(picks: Picks, tmp_path: Path) -> None:
    starfile = pytest.importorskip("starfile")

    tables = starfile.read(write_cbox(picks, tmp_path))

    assert tables["global"] == {"cbox_format_version": 1.0}
    assert tables["cryolo"]["Confidence"].tolist() == [0.9, 0.25]


def test_cryolos_own_library_reads_cbox(picks: Picks, tmp_path: Path) -> None:
    """As napari-boxmanager (src/box_manager/io/cbox.py, 2025) goes about it: table, dimensions, centres, features."""
    pystardb = pytest.importorskip("pyStarDB.sp_pystardb")

    file = pystardb.StarFile(str(write_cbox(picks, tmp_path)))

    assert str(file["global"]["_cbox_format_version"].iloc[0]) == "1.0"
    table = file["cryolo"]
    assert table["_CoordinateZ"].isnull().any()  # so they are boxes of a micrograph, not of a tomogram
    centres = np.stack(
        [table[f"_Coordinate{axis}"] + table[side] / 2 for axis, side in (("X", "_Width"), ("Y", "_Height"))]
    )
    np.testing.assert_allclose(centres.T, picks.on("mic.1").xy, rtol=0, atol=1e-9)
    assert table["_Confidence"].tolist() == [0.9, 0.25]
    assert not table[["_EstWidth", "_EstHeight"]].isnull().any().any()
    assert file["cryolo_include"].columns.tolist() == ["_slice_index"]


def test_cryolos_own_library_reads_a_cbox_without_a_box(picks: Picks, tmp_path: Path) -> None:
    pystardb = pytest.importorskip("pyStarDB.sp_pystardb")
    write_cbox(picks, tmp_path)

    table = pystardb.StarFile(str(tmp_path / "CBOX" / "empty.cbox"))["cryolo"]

    assert len(table) == 0
    assert {"_CoordinateX", "_CoordinateY", "_Width", "_Height", "_Confidence"} <= set(table)


def test_cryosparc_tools_read_cs(picks: Picks, micrographs: dict[str, Path], tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset")
    write_picks(picks, tmp_path / "picks.cs", micrographs=micrographs)

    table = dataset.Dataset.load(tmp_path / "picks.cs")

    assert len(table) == 3
    shape = np.array(table["location/micrograph_shape"])
    assert shape.tolist() == [[ROWS, COLUMNS]] * 3
    x = np.array(table["location/center_x_frac"]) * shape[:, 1]
    y = (1 - np.array(table["location/center_y_frac"])) * shape[:, 0]
    np.testing.assert_allclose(np.stack([x, y], axis=1), picks.xy, rtol=0, atol=1e-3)
    assert [Path(str(path)).stem for path in table["location/micrograph_path"]] == ["mic.1", "mic.1", "b-DW"]
    np.testing.assert_allclose(table["pick_stats/ncc_score"], picks.score, rtol=1e-6)
    assert len(set(table["uid"])) == 3


def test_a_dataset_of_cryosparc_tools_comes_back(micrographs: dict[str, Path], tmp_path: Path) -> None:
    """What its own writer makes is read here, and its fields are still there when it is written again."""
    dataset = pytest.importorskip("cryosparc.dataset")
    made = dataset.Dataset(
        {
            "uid": np.array([7, 9], dtype=np.uint64),
            "location/micrograph_path": ["S1/mic.1.png", "S1/b-DW.png"],
            "location/micrograph_uid": np.array([3, 4], dtype=np.uint64),
            "location/micrograph_shape": np.array([[ROWS, COLUMNS]] * 2, dtype=np.uint32),
            "location/center_x_frac": np.array([0.25, 0.5], dtype=np.float32),
            "location/center_y_frac": np.array([0.75, 0.5], dtype=np.float32),
            "ctf/df1_A": np.array([1e4, 2e4], dtype=np.float32),
        }
    )
    made.save(tmp_path / "theirs.cs")

    picks = read_picks(tmp_path / "theirs.cs")
    write_picks(picks, tmp_path / "ours.cs", micrographs=micrographs)
    back = dataset.Dataset.load(tmp_path / "ours.cs")

    assert picks.xy.tolist() == [[100, 75], [200, 150]]
    for field in ("uid", "location/micrograph_uid", "location/micrograph_path", "ctf/df1_A"):
        assert list(back[field]) == list(made[field]), field


def test_pycocotools_count_every_particle(picks: Picks, micrographs: dict[str, Path], tmp_path: Path) -> None:
    """No annotation is a crowd: found exactly, they have an average precision of 1 (CryoTransformer's own have -1)."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    write_picks(picks, tmp_path / "coco.json", "coco", micrographs=micrographs, flip_y=False, box_pixels=SIDE)

    truth = coco.COCO(str(tmp_path / "coco.json"))

    assert len(truth.getAnnIds(iscrowd=False)) == len(picks)
    assert [image["file_name"] for image in truth.loadImgs(truth.getImgIds())] == ["mic.1.png", "empty.png", "b-DW.png"]
    detections = [{**annotation, "score": 0.9} for annotation in truth.loadAnns(truth.getAnnIds())]
    judged = evaluation.COCOeval(truth, truth.loadRes(detections), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert judged.stats[0] == pytest.approx(1.0)


def points_of_napari(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """As napari 0.6 (src/napari_builtins/io/_read.py) reads a CSV of points: axes by name, the rest are properties."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file))
    table = np.array(rows).reshape(-1, len(names))
    assert {"axis-0", "axis-1"} <= set(names)
    assert "shape-type" not in names
    axes = np.array([name.startswith("axis-") for name in names])
    properties = {name: table[:, place] for place, name in enumerate(names) if not axes[place] and name != "index"}
    assert names[0] == "index"
    return table[:, axes].astype(float), properties


def test_napari_shows_points(picks: Picks, tmp_path: Path) -> None:
    """Axis 0 of napari are rows, axis 1 columns."""
    write_picks(picks, tmp_path / "points", "napari")

    points, properties = points_of_napari(tmp_path / "points" / "mic.1.csv")

    np.testing.assert_allclose(points[:, ::-1], picks.on("mic.1").xy, rtol=0, atol=1e-6)
    assert properties["score"].astype(float).tolist() == [0.9, 0.25]


def test_relion_and_numpy_read_eman_boxes(picks: Picks, tmp_path: Path) -> None:
    """RELION takes the first four words of a line as whole numbers."""
    write_picks(picks, tmp_path / "boxes", "box", box_pixels=40)
    path = tmp_path / "boxes" / "mic.1.box"

    rows = [[int(word) for word in line.split()[:4]] for line in path.read_text(encoding="ascii").splitlines()]
    table = np.loadtxt(path)

    np.testing.assert_array_equal(np.array(rows), table[:, :4])
    np.testing.assert_allclose(table[:, :2] + table[:, 2:4] / 2, picks.on("mic.1").xy, rtol=0, atol=0.5)
    assert table[:, 4].tolist() == [0.9, 0.25]


@pytest.mark.skipif(TOPAZ is None, reason="Topaz is not installed (make topaz)")
def test_topaz_converts_our_table(picks: Picks, tmp_path: Path) -> None:
    """Its `convert` reads our .txt; the STAR that it makes is read here. Topaz cuts coordinates to whole pixels."""
    write_picks(picks, tmp_path / "ours.txt")

    words = [str(TOPAZ), "convert", str(tmp_path / "ours.txt"), "-o", str(tmp_path / "theirs.star")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stderr
    back = read_picks(tmp_path / "theirs.star")
    assert back.micrograph.tolist() == picks.micrograph.tolist()
    np.testing.assert_allclose(back.xy, picks.xy, rtol=0, atol=1)
    np.testing.assert_allclose(back.score, picks.score, rtol=1e-6)
