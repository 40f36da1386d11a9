"""Every odd file we could find or make: each is read right or refused in one line, in little memory and time.

The expected values are those of the conformance set (`MANIFEST.csv`: sha256 of mrcfile's array; `expected.json`: what
the made files truly hold). Where mrcfile is known to be wrong (IMOD's unsigned bytes, 4-bit data), the truth counts.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import re
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cryoglean.errors import MicrographError, PicksError
from cryoglean.io.micrographs import find_micrographs, read_micrograph, read_micrograph_shape
from cryoglean.io.picks import read_picks

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
FORMATS = DATA / "formats"
pytestmark = pytest.mark.skipif(not FORMATS.exists(), reason=f"the conformance set is not at {FORMATS}")

REFUSED_MICROGRAPHS = {
    "mrc/5i55_tiny.ccp4": "volume of 10 sections",
    "mrc/EMD-3001.map": "volume of 25 sections",
    "mrc/EMD-3001.map.bz2": "volume of 25 sections",
    "mrc/emd_3001.map.gz": "volume of 25 sections",
    "mrc/EMD-3197.map": "volume of 20 sections",
    "mrc/EMD-3197.map.bz2": "volume of 20 sections",
    "mrc/iota_yzx.ccp4.gz": "volume of 4 sections",
    "mrc/junk_9bytes.mrc": "it has 9 bytes",
    "mrc/zero_bytes.mrc": "it has 0 bytes",
    "mrc/toxo.dv": "DeltaVision",
    "other_images/5MRC.mrc-1.tif": "stack of 20 pictures",
    "synthetic/huge_dims.mrc": "no camera has",
    "synthetic/negative_dims.mrc": "header is broken",
    "synthetic/mode_99.mrc": "mode 99 is unknown",
    "synthetic/mode4_complex.mrc": "complex numbers",
    "synthetic/movie_3frames.mrc": "stack of 3 pictures",
    "synthetic/truncated.mrc": "cut off",
}
REFUSED_PICKS = {
    "box/2d_corrupt_has_string.box": ":2: 'sixty_three' is no number",
    "box/2d_corrupt_unqual_columns.box": ":3: it has 3 numbers",
    "cbox/empty.cbox": "no table data_cryolo",
    **dict.fromkeys(
        [
            *("star/basic_double_quote.star", "star/basic_single_quote.star", "star/default_pipeline.star"),
            *("star/empty_loop.star", "star/loop_double_quote.star", "star/loop_single_quote.star"),
            *("star/postprocess.star", "star/two_basic_blocks.star", "star/two_single_line_loop_blocks.star"),
        ],
        "no table has _rlnCoordinateX and _rlnCoordinateY",
    ),
}
WITHOUT_PIXEL_SIZE = {"mrc/2d.mrc", "synthetic/zero_pixel_size.mrc"}
PICKS = {
    "box/2d_0_center.box": 2,
    "box/2d_center.box": 3,
    "box/2d_center_float.box": 3,
    "box/2d_empty.box": 0,
    "box/2d_left.box": 3,
    "box/autopickbc_manual.box": 130,
    "box/repic_cryolo.box": 908,
    "box/repic_topaz.box": 869,
    "cbox/2d_particles.cbox": 3,
    "cbox/ActLifeact_04203.cbox": 737,
    "cbox/TcdA1-0018_frames_sum.cbox": 120,
    "cs/4k_dataset.cs": 0,
    "csv_json/Falcon_2012_06_12-14_33_35_0.csv": 629,
    "csv_json/magellon_picks.json": 186,
    "star/Ucsf_stack_1142_DW_autopick.star": 45,
    "star/one_loop.star": 16,
    "star/rln3.1_data_style.star": 4,
    "star/sample.star": 629,
    "star/sample2.star": 2,
    "star/single_line_end_of_multiblock.star": 3,
    "star/single_line_middle_of_multiblock.star": 2,
}


def load_benchmark(name: str) -> ModuleType:
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


def files_in(*folders: str) -> list[str]:
    found = [path for folder in folders for path in sorted((FORMATS / folder).glob("*"))]
    return [
        path.relative_to(FORMATS).as_posix()
        for path in found
        if path.suffix != ".json" or folder_of(path) != "synthetic"
    ]


def folder_of(path: Path) -> str:
    return path.parent.name


def manifest() -> dict[str, str]:
    with (FORMATS / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["reference_reading"] for row in csv.DictReader(file)}


@contextmanager
def bounded(megabytes: float, seconds: float) -> Iterator[None]:
    tracemalloc.start()
    began = time.process_time()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
        assert time.process_time() - began < seconds
    finally:
        tracemalloc.stop()


def refuses(read: Callable[[], Any], kind: type[Exception], path: Path, fault: str) -> None:
    with bounded(8, 2.0), pytest.raises(kind, match=fault) as caught:
        read()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert re.search(r"\. [A-Z][^.]*\.?", message.removeprefix(str(path))), f"no way out in: {message}"


@pytest.mark.parametrize("name", files_in("mrc", "other_images", "synthetic"))
def test_every_picture_is_read_right_or_refused(name: str) -> None:
    path = FORMATS / name
    if name in REFUSED_MICROGRAPHS:
        refuses(lambda: read_micrograph(path), MicrographError, path, REFUSED_MICROGRAPHS[name])
        return

    with bounded(16, 2.0):
        micrograph = read_micrograph(path)

    assert micrograph.pixels.dtype == np.float32
    assert read_micrograph_shape(path) == micrograph.shape
    assert (micrograph.pixel_size_angstrom is None) == (name in WITHOUT_PIXEL_SIZE)
    check_against_mrcfile(micrograph.pixels, manifest()[name])
    if folder_of(path) == "synthetic":
        check_against_truth(micrograph.pixels, path.name)


def check_against_mrcfile(pixels: np.ndarray, reading: str) -> None:
    """The sha256 of mrcfile's array, in mrcfile's kind of number, where mrcfile read the file right."""
    found = re.search(r"\((\d+), (\d+)\) (\S+) mode (\d+) min (\S+) .*sha256\[:12\] (\w+)", reading)
    if found is None:
        assert "data None" in reading  # mode 101, which mrcfile does not know
        return
    rows, columns, number, _, lowest, digest = found.groups()
    assert pixels.shape == (int(rows), int(columns))
    if number == "int8" and float(lowest) < 0 <= pixels.min():
        return  # IMOD's unsigned bytes, which mrcfile takes for signed ones; expected.json has the truth
    assert hashlib.sha256(pixels.astype(number.replace(">", "<")).tobytes()).hexdigest()[:12] == digest


def check_against_truth(pixels: np.ndarray, name: str) -> None:
    truth = json.loads((FORMATS / "synthetic" / "expected.json").read_text(encoding="utf-8"))[name]
    assert list(pixels.shape) == truth["shape"]
    if "first_row" in truth:
        np.testing.assert_allclose(pixels[0, :8], truth["first_row"], rtol=1e-6)
    np.testing.assert_allclose(pixels.astype(np.float64).mean(), truth["mean"], rtol=1e-3 if "mode12" in name else 1e-6)


def test_every_file_of_the_manifest_is_judged_here() -> None:
    """77 files, none changed since the manifest was made, each read as a picture or as picks."""
    with (FORMATS / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        digests = {row["file"]: row["sha256"] for row in csv.DictReader(file)}

    assert len(digests) == 77
    assert {
        name for name in digests if hashlib.sha256((FORMATS / name).read_bytes()).hexdigest() != digests[name]
    } == set()
    assert set(digests) == {*files_in("mrc", "other_images", "synthetic"), *PICKS, *REFUSED_PICKS}


@pytest.mark.parametrize("name", sorted(REFUSED_PICKS))
def test_tables_without_whole_particles_are_refused(name: str) -> None:
    refuses(lambda: read_picks(FORMATS / name), PicksError, FORMATS / name, REFUSED_PICKS[name])


@pytest.mark.parametrize("name", sorted(PICKS))
def test_every_particle_is_where_a_plain_reading_of_the_file_has_it(name: str) -> None:
    path = FORMATS / name
    with bounded(8, 2.0):
        picks = read_picks(path, flip_y=False if path.suffix == ".csv" else None)

    xy, scores = read_plainly(path)
    assert len(picks) == len(xy) == PICKS[name]
    np.testing.assert_allclose(picks.xy, np.reshape(xy, (-1, 2)), rtol=0, atol=1e-9)
    if scores is None:
        assert picks.score is None or len(picks) == 0
    else:
        np.testing.assert_array_equal(picks.score, scores)
    assert all(picks.micrographs)


def read_plainly(path: Path) -> tuple[list[tuple[float, float]], list[float] | None]:
    """Centres and scores, by the shortest program that can read this file."""
    if path.suffix == ".cs":
        table = np.load(path)
        frac = (table["location/center_x_frac"], table["location/center_y_frac"])
        shape = table["location/micrograph_shape"]
        return list(zip(frac[0] * shape[:, 1], (1 - frac[1]) * shape[:, 0], strict=True)), None
    if path.suffix == ".json":
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [(entry["x"], entry["y"]) for entry in entries], [entry["score"] for entry in entries]
    if path.suffix == ".csv":
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        return [(float(row[0]), float(row[1])) for row in rows], None
    if path.suffix == ".box":
        boxes = [[float(word) for word in line.split()] for line in path.read_text(encoding="utf-8").splitlines()]
        scores = [box[4] for box in boxes] if boxes and len(boxes[0]) > 4 else None
        return [(x + width / 2, y + height / 2) for x, y, width, height, *_ in boxes], scores
    return read_star_plainly(path)


def read_star_plainly(path: Path) -> tuple[list[tuple[float, float]], list[float] | None]:
    """Rows under a loop's tags, as awk would have them; boxes of cbox turned into centres."""
    tags: list[str] = []
    xy: list[tuple[float, float]] = []
    scores: list[float] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["loop_"] or line.startswith("data_"):
            tags = []
        elif line.startswith("_"):
            tags.append(words[0].removeprefix("_rln").removeprefix("_"))
        elif len(words) == len(tags) and {"CoordinateX", "CoordinateY"} <= set(tags):
            row = dict(zip(tags, words, strict=True))
            half = [float(row.get(side, 0)) / 2 for side in ("Width", "Height")]
            xy.append((float(row["CoordinateX"]) + half[0], float(row["CoordinateY"]) + half[1]))
            scores += [
                float(row[tag]) for tag in ("AutopickFigureOfMerit", "Confidence") if row.get(tag, "<NA>") != "<NA>"
            ]
    return xy, scores or None


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("box/2d_left.box", (24, 40), (78, 51)),
        ("box/2d_center_float.box", (24.3, 40.7), (78.9, 51.4)),
        ("box/autopickbc_manual.box", (1346 + 108, 2081 + 108), (2304, 259)),
        ("box/repic_cryolo.box", (1336 + 90, 3898 + 90), (2785, 136)),
        ("cbox/2d_particles.cbox", (11.6877 + 12.5, 27.959892 + 12.5), (36.84385, 61.411671)),
        ("cbox/TcdA1-0018_frames_sum.cbox", (3810.3671875, 3984.455551147461), (2680.80908203125, 155.195068359375)),
        ("star/sample.star", (3752, 693), (794, 3408)),
        ("star/Ucsf_stack_1142_DW_autopick.star", (839.125024, 19.979167), (239.750007, 309.677092)),
        ("star/sample2.star", (4857, 425), (3094, 1269)),
        ("csv_json/magellon_picks.json", (3896, 376), (1088, 112)),
    ],
)  # fmt: skip
def test_first_and_last_particle(name: str, first: tuple[float, float], last: tuple[float, float]) -> None:
    """Copied from the files by hand."""
    xy = read_picks(FORMATS / name).xy

    np.testing.assert_allclose(xy[[0, -1]], [first, last], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "fields"),
    [("cs/4k_dataset.cs", {"uid", "location/micrograph_uid", "pick_stats/power", "alignments3D/split"}),
     ("box/2d_left.box", {"box_width_pixels", "box_height_pixels"}),
     ("cbox/ActLifeact_04203.cbox", {"filamentid", "Depth", "box_width_pixels"}),
     ("star/sample2.star", {"rlnDefocusU", "optics.rlnVoltage", "micrograph_path"})],
)  # fmt: skip
def test_what_else_the_file_says_is_kept(name: str, fields: set[str]) -> None:
    assert fields <= set(read_picks(FORMATS / name).extra)


def test_the_same_particles_stand_in_cryosegnets_csv_and_star() -> None:
    """Its CSV and STAR were made of the same 629 labels."""
    table, star = (
        read_picks(FORMATS / name, flip_y=False)
        for name in ("csv_json/Falcon_2012_06_12-14_33_35_0.csv", "star/sample.star")
    )

    np.testing.assert_array_equal(table.xy, star.xy)
    assert table.micrographs == star.micrographs


@pytest.mark.skipif(not (DATA / "unlabelled").exists(), reason="the unlabelled pictures are not there")
def test_every_unlabelled_picture_is_read() -> None:
    paths = find_micrographs([str(DATA / "unlabelled" / "**" / "*.*")])

    assert len(paths) == 37
    for path in paths:
        with bounded(32, 2.0):
            micrograph = read_micrograph(path)
        assert micrograph.shape == read_micrograph_shape(path)
        assert np.isfinite(micrograph.pixels).all()


@pytest.mark.parametrize("project", ["bgal_10017", "apoferritin_10146"])
def test_labels_lie_on_their_micrographs(project: str) -> None:
    """Real labels and micrographs fit: every particle is inside its picture, rows and columns not swapped."""
    folder = DATA / project
    if not folder.exists():
        pytest.skip(f"{project} is not there")
    picks = read_picks(folder / "coordinates.csv")
    for path in find_micrographs([folder / "micrographs"]):
        rows, columns = read_micrograph_shape(path)
        xy = picks.on(path.name.removesuffix(".mrc")).xy
        assert len(xy) > 50
        assert (xy >= -0.5).all()
        assert (xy[:, 0] < columns).all()
        assert (xy[:, 1] < rows).all()


def test_the_page_on_conformance_has_what_is_read_today() -> None:
    """docs/conformance.md is what `python benchmarks/conformance.py` writes."""
    pytest.importorskip("pyStarDB")
    script = load_benchmark("conformance")

    rows = script.results(FORMATS)

    assert [row for row in rows if "DIFFERS" in row["verdict"]] == []
    assert rows == json.loads((script.RESULTS / "conformance.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(not (DATA / "bgal_10017").exists(), reason="the real labels are not there")
def test_real_labels_come_back_from_every_format() -> None:
    """No coordinate is off by more, and no column is lost but those, that the format's card says."""
    found = load_benchmark("round_trips").results(DATA / "bgal_10017")

    for row in found["formats"]:
        assert row["largest_error_pixels"] <= row["stated_pixels"], row
        assert row["kept"] == row["stated_kept"], row
