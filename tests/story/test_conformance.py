"""Every odd file we could find or make: each is read right or refused in one line, in little memory and time.

The expected values are those of the conformance set (`MANIFEST.csv`: sha256 of mrcfile's array; `expected.json`: what
the made files truly hold). Where mrcfile is known to be wrong (IMOD's unsigned bytes, 4-bit data), the truth counts.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoglean.errors import MicrographError, PicksError
from cryoglean.io.micrographs import find_micrographs, read_micrograph, read_micrograph_shape
from cryoglean.io.picks import read_picks

DATA = Path(__file__).parents[3] / "shared" / "data"
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
WITHOUT_PIXEL_SIZE = {"mrc/2d.mrc", "synthetic/zero_pixel_size.mrc"}
PICKS = {
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


@pytest.mark.parametrize("name", files_in("star", "csv_json"))
def test_every_table_is_read_whole_or_refused(name: str) -> None:
    path = FORMATS / name
    if name not in PICKS:
        refuses(lambda: read_picks(path), PicksError, path, "no table has _rlnCoordinateX")
        return

    with bounded(8, 2.0):
        picks = read_picks(path, flip_y=False)

    assert len(picks) == PICKS[name]
    assert all(picks.micrographs)


@pytest.mark.parametrize("name", files_in("box", "cbox", "cs"))
def test_other_programs_files_are_read_or_refused_by_name(name: str) -> None:
    """Formats without a card yet: the message says which ones are known."""
    path = FORMATS / name
    try:
        read_picks(path)
    except PicksError as error:
        assert str(path) in str(error)


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
