"""PNG and JPEG: grey as stored, colour as grey, 16 bits whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cryoglean.errors import MicrographError
from cryoglean.io.images import raster

PICTURE = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9) * 4


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_grey_in_any_guise_is_the_same_grey(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "mic.png"
    Image.fromarray(PICTURE).convert(mode).save(path)

    np.testing.assert_array_equal(raster.read(path).pixels, PICTURE)


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "mic.png"
    pixels = PICTURE.astype(np.uint16) * 300
    Image.fromarray(pixels).save(path)

    np.testing.assert_array_equal(raster.read(path).pixels, pixels)


def test_a_jpeg_is_near_what_was_saved_and_knows_no_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "mic.jpg"
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    Image.fromarray(smooth).save(path, quality=95)

    micrograph = raster.read(path)

    np.testing.assert_allclose(micrograph.pixels, smooth, atol=6)
    assert micrograph.pixel_size_angstrom is None


def test_a_false_header_does_not_allocate(tmp_path: Path) -> None:
    """A PNG of a few hundred bytes that claims 13000 x 13000 pixels is refused before unpacking."""
    path = tmp_path / "mic.png"
    Image.fromarray(PICTURE).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (13000).to_bytes(4, "big") * 2
    path.write_bytes(data)

    with pytest.raises(MicrographError):
        raster.read(path)
