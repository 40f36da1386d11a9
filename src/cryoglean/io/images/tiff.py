"""TIFF micrographs: one page of grey values, compressed or not.

The pixel size comes from the resolution tags (TIFF 6.0) or ImageJ's unit, if it is one that an electron microscope
can have; programs that know no better write 72 dots per inch.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import MicrographError
from cryoglean.micrograph import Micrograph, micrograph_name

SUFFIXES: tuple[str, ...] = (".tif", ".tiff")

MOST_PIXELS = 2**29
_MOST_PACKING = 10_000  # bytes out of a byte in; deflate reaches 1032, LZW 2560
_PIXEL_SIZES_ANGSTROM = (0.05, 1000.0)
_ANGSTROM_PER = {
    "angstrom": 1.0,
    "å": 1.0,
    "\\u00c5": 1.0,
    "nm": 10.0,
    "nanometer": 10.0,
    "um": 1e4,
    "µm": 1e4,
    "\\u00b5m": 1e4,
    "micron": 1e4,
}
_ANGSTROM_PER_RESOLUTION_UNIT = {2: 2.54e8, 3: 1e8}  # inch, centimetre
# tifffile checks little: a broken file surfaces as nearly any of these
_BROKEN = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, RuntimeError)
_BROKEN_DATA = (struct.error, zlib.error, AssertionError, MemoryError)


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(path: Path) -> Micrograph:
    """The micrograph in a TIFF file, as float32, rows in the order they are stored.

    Raises:
        MicrographError: the file is broken, or holds something else than one picture of grey values.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = _only_page(file, path)
            pixel_size = _pixel_size(page, file.imagej_metadata)
            stored = _decode(page, path)
    except (*_BROKEN, *_BROKEN_DATA) as error:
        raise _broken(path, error) from error
    return Micrograph(micrograph_name(path), np.asarray(stored, dtype=np.float32), pixel_size, path)


def read_shape(path: Path) -> tuple[int, int]:
    """(y, x): rows and columns, from the header alone.

    Raises:
        MicrographError: as `read`, except for what only the data tell.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = _only_page(file, path)
            return (int(page.shape[0]), int(page.shape[1]))
    except (*_BROKEN, *_BROKEN_DATA) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: BaseException) -> MicrographError:
    return MicrographError(f"it can't be read as TIFF ({error})", where=path, fix="Copy the file again or save as MRC.")


def _only_page(file: Any, path: Path) -> Any:
    """The one page, if it is a picture of grey values that fits into memory and into the file."""
    pages = len(file.pages)
    if pages < 1:
        raise MicrographError("it holds no picture", where=path, fix="Copy or make the file again.")
    frames = max(pages, int((file.imagej_metadata or {}).get("images", 1)))
    if frames > 1:
        raise MicrographError(
            f"it is a stack of {frames} pictures, not one micrograph",
            where=path,
            fix="Sum the movie (motion correction), or save one frame as a file of its own.",
        )
    page = file.pages[0]
    if len(page.shape) != 2 or page.dtype is None or page.dtype.kind not in "iufb":
        raise MicrographError(
            f"its pixels ({'x'.join(map(str, page.shape))}, {page.dtype}) are no grey values",
            where=path,
            fix="Save it as a grey picture.",
        )
    if not 0 < math.prod(page.shape) <= MOST_PIXELS:
        raise MicrographError(
            f"its header claims {page.shape[1]} x {page.shape[0]} pixels, which no camera has",
            where=path,
            fix="Copy or make the file again.",
        )
    _check_length(page, path)
    return page


def _check_length(page: Any, path: Path) -> None:
    size = path.stat().st_size
    ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    uncompressed_bytes = math.prod(page.shape) * page.bitspersample // 8
    most = 1 if int(page.compression) == 1 else _MOST_PACKING
    if not ends or max(ends) > size or sum(page.databytecounts) * most < uncompressed_bytes:
        raise MicrographError("it is cut off", where=path, fix="Copy or make the file again.")


def _decode(page: Any, path: Path) -> NDArray[Any]:
    """The grey values; packings that tifffile leaves to a further package (LZW, JPEG) are unpacked by pillow."""
    try:
        return np.asarray(page.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    from PIL import Image

    with Image.open(path) as image:
        decoded = np.asarray(image)
    if decoded.shape != page.shape:
        raise ValueError(f"its packing {page.compression!r} is unknown")
    return decoded


def _pixel_size(page: Any, imagej: dict[str, Any] | None) -> float | None:
    """Angstrom a pixel along x, if both axes agree and the value is one that a microscope can have."""
    unit = str((imagej or {}).get("unit", "")).lower()
    tag = page.tags.get("ResolutionUnit")
    angstrom = _ANGSTROM_PER.get(unit) or _ANGSTROM_PER_RESOLUTION_UNIT.get(int(tag.value) if tag else 2)
    across, down = _resolution(page, "XResolution"), _resolution(page, "YResolution")
    if angstrom is None or across is None or down is None or abs(across - down) > 0.01 * across:
        return None
    size = angstrom / across
    low, high = _PIXEL_SIZES_ANGSTROM
    return round(size, 6) if low <= size <= high else None


def _resolution(page: Any, name: str) -> float | None:
    """Pixels a unit of length."""
    tag = page.tags.get(name)
    if tag is None:
        return None
    value = tag.value
    numerator, denominator = value if isinstance(value, tuple) else (value, 1)
    return float(numerator) / float(denominator) if numerator and denominator else None
