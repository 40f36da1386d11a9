"""What every card in `io/images` promises; a new card needs one maker of a valid file here."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cryoglean.errors import MicrographError
from cryoglean.io.micrographs import read_micrograph, read_micrograph_shape
from cryoglean.micrograph import Micrograph
from cryoglean.registry import card_names, load_card

every_image = pytest.mark.parametrize("card", card_names("images"))

GREY = np.random.default_rng(1).integers(0, 256, size=(31, 47), dtype=np.uint8)  # no symmetry, and hard to pack


def make_mrc(path: Path, pixels: NDArray[np.uint8]) -> None:
    import mrcfile

    mrcfile.write(path, pixels.astype(np.float32))


def make_tiff(path: Path, pixels: NDArray[np.uint8]) -> None:
    import tifffile

    tifffile.imwrite(path, pixels)


def make_raster(path: Path, pixels: NDArray[np.uint8]) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)


MAKERS: dict[str, Callable[[Path, NDArray[np.uint8]], None]] = {
    "mrc": make_mrc,
    "tiff": make_tiff,
    "raster": make_raster,
}


def valid_file(folder: Path, card: str) -> Path:
    path = folder / f"some.name{load_card('images', card).SUFFIXES[0]}"
    MAKERS[card](path, GREY)
    return path


def valid_bytes(card: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return valid_file(Path(folder), card).read_bytes()


@every_image
def test_another_programs_file_is_read_as_stored(card: str, tmp_path: Path) -> None:
    """A file written by mrcfile, tifffile or pillow comes back as float32 with row 0 first."""
    micrograph = read_micrograph(valid_file(tmp_path, card))

    assert micrograph.pixels.dtype == np.float32
    assert micrograph.name == "some.name"
    np.testing.assert_array_equal(micrograph.pixels, GREY)


@every_image
def test_the_shape_is_known_without_reading_the_pixels(card: str, tmp_path: Path) -> None:
    assert read_micrograph_shape(valid_file(tmp_path, card)) == (31, 47)


@every_image
def test_a_file_is_known_by_its_content_alone(card: str, tmp_path: Path) -> None:
    path = valid_file(tmp_path, card).rename(tmp_path / "no_suffix")
    head = path.read_bytes()[:1024]

    assert [name for name in card_names("images") if load_card("images", name).sniff(head)] == [card]
    np.testing.assert_array_equal(read_micrograph(path).pixels, GREY)


@every_image
def test_a_file_cut_off_anywhere_is_refused(card: str, tmp_path: Path) -> None:
    """Half a file never gives half a picture (a PNG that lacks only its last checksum is whole)."""
    whole = valid_file(tmp_path, card).read_bytes()
    path = tmp_path / f"cut{load_card('images', card).SUFFIXES[0]}"
    for length in np.linspace(0, len(whole) - 20, 25).astype(int):
        path.write_bytes(whole[:length])
        try:
            pixels = read_micrograph(path).pixels
        except MicrographError as error:
            assert str(path) in str(error)
        else:
            assert length > 0.95 * len(whole)
            np.testing.assert_array_equal(pixels, GREY)


@every_image
@settings(max_examples=60, deadline=None)
@given(soup=st.binary(max_size=2048))
def test_any_bytes_give_a_micrograph_or_our_error(card: str, soup: bytes) -> None:
    assert reads_or_refuses(card, soup)


@every_image
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_header_gives_a_micrograph_or_our_error(card: str, data: st.DataObject) -> None:
    """Whatever stands in the header, nothing but MicrographError is raised, and little is allocated."""
    content = bytearray(valid_bytes(card))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, min(len(content) - 1, 1023)))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        content[start : start + len(piece)] = piece

    assert reads_or_refuses(card, bytes(content))


def reads_or_refuses(card: str, content: bytes) -> bool:
    module = load_card("images", card)
    module.sniff(content[:1024])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"broken{module.SUFFIXES[0]}"
        path.write_bytes(content)
        tracemalloc.start()
        try:
            return isinstance(module.read(path), Micrograph)
        except MicrographError as error:
            return "\n" not in str(error) and str(path) in str(error)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 64 * 2**20
