"""TIFF: grey pages of any packing, pixel sizes only where they are believable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from cryoglean.errors import MicrographError
from cryoglean.io.images import tiff

PICTURE = np.random.default_rng(5).integers(0, 200, size=(6, 9))


@pytest.mark.parametrize("number", ["uint8", "int16", "uint16", "float32", ">f4", "float64"])
def test_every_kind_of_number_is_read(number: str, tmp_path: Path) -> None:
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, PICTURE.astype(number), byteorder=">" if number.startswith(">") else "<")

    np.testing.assert_array_equal(tiff.read(path).pixels, PICTURE)


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packings_of_other_programs_are_read(packing: str, tmp_path: Path) -> None:
    """Written by pillow's libtiff; LZW is what most acquisition programs use."""
    path = tmp_path / "mic.tif"
    Image.fromarray(PICTURE.astype(np.uint8)).save(path, compression=packing)

    np.testing.assert_array_equal(tiff.read(path).pixels, PICTURE)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (1e8 / 1.5, 1e8 / 1.5), "resolutionunit": "CENTIMETER"}, 1.5),
        ({"resolution": (2.54e8 / 4, 2.54e8 / 4), "resolutionunit": "INCH"}, 4.0),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (1e8, 2e8), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (8.0, 8.0), "imagej": True, "metadata": {"unit": "nm"}}, 1.25),
        ({"resolution": (0.5, 0.5), "imagej": True, "metadata": {"unit": "angstrom"}}, 2.0),
        ({}, None),
    ],
)
def test_the_pixel_size_is_believed_only_when_plausible(
    options: dict[str, Any], expected: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, PICTURE.astype(np.uint16), **options)

    assert tiff.read(path).pixel_size_angstrom == (None if expected is None else pytest.approx(expected, rel=1e-5))


@pytest.mark.parametrize(
    ("pixels", "fault"),
    [
        (np.zeros((3, 40, 50), dtype=np.uint16), "stack of 3 pictures.*Sum the movie"),
        (np.zeros((40, 50, 3), dtype=np.uint8), "no grey values"),
        (np.zeros((40, 50), dtype=np.complex64), "no grey values"),
    ],
)
def test_what_is_no_micrograph_is_refused(pixels: np.ndarray, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, pixels, photometric="rgb" if pixels.shape[-1] == 3 else "minisblack")

    with pytest.raises(MicrographError, match=fault):
        tiff.read(path)
