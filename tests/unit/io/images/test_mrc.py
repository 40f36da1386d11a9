"""MRC: what mrcfile writes is read, what it refuses or misreads is told."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import DTypeLike

from cryoglean.errors import MicrographError
from cryoglean.io.images import mrc
from cryoglean.micrograph import Micrograph

PICTURE = np.random.default_rng(3).integers(0, 120, size=(6, 9))


def patched(path: Path, offset: int, content: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[offset : offset + len(content)] = content
    path.write_bytes(data)
    return path


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mic.mrc"
    mrcfile.write(path, PICTURE.astype(np.float32), voxel_size=1.25)
    return path


@pytest.mark.parametrize("number", [np.int8, np.int16, np.uint16, np.float16, np.float32])
def test_every_mode_that_mrcfile_writes_is_read(number: DTypeLike, tmp_path: Path) -> None:
    path = tmp_path / "mic.mrc"
    mrcfile.write(path, PICTURE.astype(number), voxel_size=2.5)

    micrograph = mrc.read(path)

    np.testing.assert_array_equal(micrograph.pixels, PICTURE)
    assert micrograph.pixel_size_angstrom == pytest.approx(2.5)


def test_the_stored_row_order_is_kept(written: Path) -> None:
    """Row 0 of the array is the first row in the file: no flip."""
    first_row = np.frombuffer(written.read_bytes(), dtype="<f4", offset=1024, count=9)

    np.testing.assert_array_equal(mrc.read(written).pixels[0], first_row)


@pytest.mark.parametrize("stamp", [b"\x44\x44\x00\x00", b"\x11\x11\x00\x00", b"\x00\x00\x44\x44", b"\x00\x00\x00\x00"])
def test_a_wrong_machine_stamp_does_not_matter(stamp: bytes, written: Path) -> None:
    """The dimensions decide on the byte order (leginon writes 00 00 44 44)."""
    np.testing.assert_array_equal(mrc.read(patched(written, 212, stamp)).pixels, PICTURE)


def test_a_missing_map_stamp_does_not_matter(written: Path) -> None:
    """Old EMPIAR files have none, and are known by their dimensions."""
    path = patched(written, 208, bytes(8))

    assert mrc.sniff(path.read_bytes()[:1024])
    np.testing.assert_array_equal(mrc.read(path).pixels, PICTURE)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ((9 * 1.5, 6 * 1.5), 1.5),
        ((0.0, 0.0), None),
        ((9 * 1.5, 6 * 3.0), None),
        ((np.nan, 6.0), None),
        ((9e9, 6e9), None),
        ((-9.0, -6.0), None),
        ((9e-4, 6e-4), None),
    ],
)
def test_a_pixel_size_that_makes_no_sense_is_none(
    cell: tuple[float, float], expected: float | None, written: Path
) -> None:
    path = patched(written, 40, struct.pack("<2f", *cell))

    assert mrc.read(path).pixel_size_angstrom == expected


def test_imod_bytes_are_unsigned_when_its_flag_says_so(tmp_path: Path) -> None:
    """IMOD's notes: with the stamp and bit 0 clear, mode 0 holds 0..255; with bit 0 set, -128..127."""
    path = tmp_path / "mic.mrc"
    mrcfile.write(path, np.full((4, 4), -1, dtype=np.int8))

    patched(path, 152, struct.pack("<2i", 1146047817, 0))
    assert mrc.read(path).pixels.max() == 255.0
    patched(path, 152, struct.pack("<2i", 1146047817, 1))
    assert mrc.read(path).pixels.max() == -1.0


def test_four_bit_rows_of_odd_length_end_with_half_a_byte(tmp_path: Path) -> None:
    """Mode 101: rows start at whole bytes, the low half first."""
    path = tmp_path / "mic.mrc"
    mrcfile.write(path, np.zeros((2, 3), dtype=np.int8))
    patched(path, 12, struct.pack("<i", 101))
    path.write_bytes(path.read_bytes()[:1024] + bytes([0x21, 0x03, 0x54, 0x06]))

    assert mrc.read(path).pixels.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("offset", "content", "fault"),
    [
        (0, struct.pack("<i", 2**31 - 1), "no camera"),
        (0, struct.pack("<i", -3), "broken"),
        (0, struct.pack("<i", 4000), "cut off"),
        (8, struct.pack("<i", 7), "stack of 7 pictures.*Sum the movie"),
        (12, struct.pack("<i", 4), "Fourier"),
        (12, struct.pack("<i", 77), "mode 77 is unknown"),
        (92, struct.pack("<i", 100), "cut off"),
        (92, struct.pack("<i", -8), "broken"),
        (96, struct.pack("<h", -16224), "DeltaVision"),
    ],
)
def test_a_fault_is_named_with_a_way_out(offset: int, content: bytes, fault: str, written: Path) -> None:
    with pytest.raises(MicrographError, match=fault) as caught:
        mrc.read(patched(written, offset, content))

    assert caught.value.fix
    assert caught.value.where == str(written)


def test_a_packed_file_that_is_cut_off_is_refused(written: Path) -> None:
    packed = gzip.compress(written.read_bytes())
    path = written.with_suffix(".mrc.gz")
    path.write_bytes(packed[: len(packed) // 2])

    with pytest.raises(MicrographError, match=r"mic\.mrc\.gz"):
        mrc.read(path)


def test_nan_and_infinity_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "mic.mrc"
    pixels = np.array([[1.0, np.nan], [np.inf, 2.0]], dtype=np.float32)
    mrc.write(Micrograph("mic", pixels), path)

    np.testing.assert_array_equal(mrc.read(path).pixels, pixels)


def test_mrcfile_finds_what_we_write_valid(tmp_path: Path) -> None:
    path = tmp_path / "mic.mrc"
    pixels = PICTURE.astype(np.float32)
    mrc.write(Micrograph("mic", pixels, 1.77), path)

    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(file.data, pixels)
        assert file.voxel_size.x == pytest.approx(1.77)
    assert mrcfile.validate(path)


def test_equal_micrographs_make_equal_files(tmp_path: Path) -> None:
    micrograph = Micrograph("mic", PICTURE.astype(np.float32), 1.0)
    for name in ("a.mrc", "b.mrc"):
        mrc.write(micrograph, tmp_path / name)

    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
