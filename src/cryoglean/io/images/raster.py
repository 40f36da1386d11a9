"""PNG and JPEG micrographs: 8 or 16 bits, colours turned to grey; they know no pixel size."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoglean.errors import MicrographError
from cryoglean.micrograph import Micrograph, micrograph_name

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES: tuple[str, ...] = (".png", ".jpg", ".jpeg")

_MOST_PACKING = 10_000  # pixels out of a byte in; a one-bit PNG reaches 8256
_GREY_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L")
# pillow checks little: a broken file surfaces as nearly any of these
_BROKEN = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, RuntimeError)
_BROKEN_DATA = (struct.error, zlib.error, SyntaxError, MemoryError)


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes is PNG or JPEG."""
    return head[:8] == b"\x89PNG\r\n\x1a\n" or head[:3] == b"\xff\xd8\xff"


def read(path: Path) -> Micrograph:
    """The micrograph in a PNG or JPEG file, as float32 grey values; row 0 is the top row.

    Raises:
        MicrographError: the file is broken or larger than any camera.
    """
    with _opened(path) as picture:
        grey = picture if picture.mode in _GREY_MODES else picture.convert("L")
        pixels = np.asarray(grey, dtype=np.float32)
    return Micrograph(micrograph_name(path), pixels, None, path)


def read_shape(path: Path) -> tuple[int, int]:
    """(y, x): rows and columns, without unpacking the pixels.

    Raises:
        MicrographError: as `read`, except for what only the data tell.
    """
    with _opened(path) as picture:
        return (picture.height, picture.width)


@contextmanager
def _opened(path: Path) -> Iterator[Picture]:
    from PIL import Image

    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            # pillow warns from 90 million pixels, which a K3 in super-resolution has, and refuses from 179 million
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # from memory: a broken length in a file would make pillow reserve that many bytes
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > _MOST_PACKING * len(content):
                    raise MicrographError("it is cut off", where=path, fix="Copy or make the file again.")
                yield picture
    except (*_BROKEN, *_BROKEN_DATA, Image.DecompressionBombError) as error:
        raise MicrographError(
            f"it can't be read as PNG or JPEG ({error})", where=path, fix="Copy or make the file again."
        ) from error
