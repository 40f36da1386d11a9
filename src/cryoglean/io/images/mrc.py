"""MRC micrographs: modes 0, 1, 2, 6, 12 and 101, either byte order, plain, gzip or bzip2.

Written after the MRC2014 definition (Cheng et al., J. Struct. Biol. 2015, doi:10.1016/j.jsb.2015.04.002) and IMOD's
notes on its flags (https://bio3d.colorado.edu/imod/doc/mrc_format.txt). Unlike the definition asks, the machine stamp
and the MAP stamp are only believed where the numbers leave a doubt: many programs write them wrong or not at all.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically
from cryoglean.errors import MicrographError
from cryoglean.micrograph import Micrograph, micrograph_name

SUFFIXES: tuple[str, ...] = tuple(
    kind + packed for kind in (".mrc", ".map", ".ccp4") for packed in ("", ".gz", ".bz2")
)  # .mrcs, particle stacks as a rule, is read when asked for by name, but not picked up from a folder

HEADER_BYTES = 1024
MOST_PIXELS = 2**29  # twice an 8-fold super-resolution EER rendering, 16384 x 16384
_LONGEST_SIDE = 2**17
_PIXEL_SIZES_ANGSTROM = (0.05, 1000.0)
_NUMBERS = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", 101: "u1"}
_COMPLEX_MODES = (3, 4)
_IMOD_STAMP = 1146047817
_DELTAVISION = -16224
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class _Header:
    columns: int
    rows: int
    sections: int
    mode: int
    order: Literal["<", ">"]
    extended_bytes: int
    is_volume: bool
    is_unsigned: bool
    pixel_size_angstrom: float | None

    @property
    def row_bytes(self) -> int:
        if self.mode == 101:
            return (self.columns + 1) // 2
        return self.columns * self.numbers.itemsize

    @property
    def numbers(self) -> np.dtype[Any]:
        return np.dtype(self.order + ("u1" if self.is_unsigned else _NUMBERS[self.mode]))

    @property
    def data_start(self) -> int:
        return HEADER_BYTES + self.extended_bytes


def sniff(head: bytes) -> bool:
    """Whether a file that starts with these bytes (1024 or all) is MRC, or is packed as only MRC files are."""
    if head[:2] == b"\x1f\x8b" or head[:3] == b"BZh":
        return True
    if len(head) < HEADER_BYTES:
        return False
    if head[208:211] == b"MAP":
        return True
    unlikeliness = _unlikeliness(head, _byte_order(head))
    return not any(unlikeliness[:2])


def read(path: Path) -> Micrograph:
    """The micrograph in an MRC file, as float32, rows in the order they are stored.

    Raises:
        MicrographError: the file is broken, or holds something else than one picture of real numbers.
    """
    try:
        with closing(_open(path)) as file:
            header = _checked(_parse(file.read(HEADER_BYTES), path), path)
            if _is_packed(path):
                file.seek(header.data_start)
                raw: NDArray[Any] = np.frombuffer(_read_exactly(file, header, path), dtype=np.uint8)
            else:  # not mapped into memory: a file that shrinks meanwhile would kill the process
                _check_length(path.stat().st_size, header, path)
                raw = np.fromfile(path, dtype=np.uint8, count=header.rows * header.row_bytes, offset=header.data_start)
                _check_length(header.data_start + len(raw), header, path)
    except _BROKEN as error:
        raise MicrographError(f"it can't be read ({error})", where=path, fix="Copy or make the file again.") from error
    return Micrograph(micrograph_name(path), _pixels(raw, header), header.pixel_size_angstrom, path)


def read_shape(path: Path) -> tuple[int, int]:
    """(y, x): rows and columns, from the header alone.

    Raises:
        MicrographError: as `read`, except for what only the data tell.
    """
    try:
        with closing(_open(path)) as file:
            header = _checked(_parse(file.read(HEADER_BYTES), path), path)
    except _BROKEN as error:
        raise MicrographError(f"it can't be read ({error})", where=path, fix="Copy or make the file again.") from error
    return (header.rows, header.columns)


def write(micrograph: Micrograph, path: Path) -> None:
    """Write an MRC file, mode 2 (float32), with the pixel size if there is one; see `write_file_atomically`."""
    write_file_atomically(path, lambda temporary: _fill(micrograph, temporary))


def _fill(micrograph: Micrograph, path: Path) -> None:
    import mrcfile

    size = micrograph.pixel_size_angstrom or 0.0
    with mrcfile.new(path, overwrite=True) as file, np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nan and infinity are ours to keep
        file.set_data(np.ascontiguousarray(micrograph.pixels, dtype=np.float32))
        file.voxel_size = (size, size, size)
        file.header.label[0] = b"cryoglean"  # mrcfile's own label holds the time; equal pictures make equal files


def _open(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File:
    magic = _magic(path)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if magic == b"BZh":
        return bz2.open(path, "rb")
    return path.open("rb")


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(3)


def _is_packed(path: Path) -> bool:
    magic = _magic(path)
    return magic[:2] == b"\x1f\x8b" or magic == b"BZh"


def _whole(head: bytes, word: int, order: str) -> int:
    return int(np.frombuffer(head, dtype=order + "i4", count=1, offset=4 * word)[0])


def _byte_order(head: bytes) -> Literal["<", ">"]:
    """The byte order in which the mode and the dimensions make sense; the machine stamp settles a draw."""
    stamped: Literal["<", ">"] = ">" if head[212:214] == b"\x11\x11" else "<"
    other: Literal["<", ">"] = "<" if stamped == ">" else ">"
    return min((stamped, other), key=lambda order: _unlikeliness(head, order))


def _unlikeliness(head: bytes, order: str) -> tuple[bool, bool, int]:
    columns, rows, sections, mode = (_whole(head, word, order) for word in range(4))
    sides = (columns, rows, sections)
    known = mode in _NUMBERS or mode in _COMPLEX_MODES
    return (not known, not all(0 < side <= _LONGEST_SIDE for side in sides), max(sides))


def _parse(head: bytes, path: Path) -> _Header:
    """The header as the file has it; nothing about it is judged but its length and kind."""
    if len(head) < HEADER_BYTES:
        raise MicrographError(
            f"it has {len(head)} bytes, and the header of an MRC file takes {HEADER_BYTES}",
            where=path,
            fix="Copy or make the file again.",
        )
    if _DELTAVISION in (int(np.frombuffer(head, dtype=order + "i2", count=1, offset=96)[0]) for order in "<>"):
        raise MicrographError(
            "it is a DeltaVision file (light microscopy), not MRC", where=path, fix="Convert it to MRC."
        )
    order = _byte_order(head)
    columns, rows, sections, mode = (_whole(head, word, order) for word in range(4))
    return _Header(
        columns=columns,
        rows=rows,
        sections=sections,
        mode=mode,
        order=order,
        extended_bytes=_whole(head, 23, order),
        is_volume=_whole(head, 22, order) > 0,
        is_unsigned=mode == 0 and _whole(head, 38, order) == _IMOD_STAMP and not _whole(head, 39, order) & 1,
        pixel_size_angstrom=_pixel_size(head, order),
    )


def _pixel_size(head: bytes, order: str) -> float | None:
    """Cell over intervals along x and y; None when it is missing, absurd or not square."""
    intervals = np.frombuffer(head, dtype=order + "i4", count=2, offset=28).astype(np.float64)
    cell = np.frombuffer(head, dtype=order + "f4", count=2, offset=40).astype(np.float64)
    if not (np.isfinite(cell).all() and (intervals > 0).all()):
        return None
    x, y = cell / intervals
    low, high = _PIXEL_SIZES_ANGSTROM
    if not (low <= x <= high and abs(x - y) <= 0.01 * x):
        return None
    return round(float(x), 6)


def _checked(header: _Header, path: Path) -> _Header:
    """The header, if it promises one picture of real numbers that fits into memory."""
    sides = f"{header.columns} x {header.rows} x {header.sections}"
    broken = "Copy or make the file again."
    if min(header.columns, header.rows, header.sections, header.extended_bytes + 1) < 1:
        raise MicrographError(f"its header is broken: it claims {sides} pixels", where=path, fix=broken)
    if header.mode in _COMPLEX_MODES:
        raise MicrographError(
            f"it holds complex numbers (mode {header.mode}), a Fourier transform",
            where=path,
            fix="Give the micrograph itself.",
        )
    if header.mode not in _NUMBERS:
        raise MicrographError(
            f"its mode {header.mode} is unknown", where=path, fix="Convert it to mode 2, real 32-bit numbers."
        )
    if header.columns * header.rows > MOST_PIXELS:
        raise MicrographError(f"its header claims {sides} pixels, which no camera has", where=path, fix=broken)
    if header.sections > 1:
        raise _stack_error(header, path)
    return header


def _stack_error(header: _Header, path: Path) -> MicrographError:
    if header.is_volume:
        return MicrographError(
            f"it is a volume of {header.sections} sections, not a micrograph", where=path, fix="Give single pictures."
        )
    return MicrographError(
        f"it is a stack of {header.sections} pictures, not one micrograph",
        where=path,
        fix="Sum the movie (motion correction), or save one frame as a file of its own.",
    )


def _check_length(there: int, header: _Header, path: Path) -> None:
    needed = header.data_start + header.rows * header.row_bytes
    if there < needed:
        raise MicrographError(
            f"it is cut off: {header.columns} x {header.rows} pixels of mode {header.mode} take {needed} bytes, "
            f"and {there} are there",
            where=path,
            fix="Copy or make the file again.",
        )


def _read_exactly(file: IO[bytes] | gzip.GzipFile | bz2.BZ2File, header: _Header, path: Path) -> bytearray:
    """The data of a packed file, piece by piece, so that a false header allocates nothing."""
    missing = header.rows * header.row_bytes
    data = bytearray()
    while missing > 0 and (piece := file.read(min(missing, 2**20))):
        data += piece
        missing -= len(piece)
    _check_length(header.data_start + len(data), header, path)
    return data


def _pixels(raw: NDArray[Any], header: _Header) -> NDArray[np.float32]:
    if header.mode == 101:
        return _unpack_nibbles(raw.reshape(header.rows, header.row_bytes))[:, : header.columns]
    with np.errstate(invalid="ignore"):  # signalling nans of a foreign machine
        return np.asarray(raw.view(header.numbers), dtype=np.float32).reshape(header.rows, header.columns)


def _unpack_nibbles(packed: NDArray[Any]) -> NDArray[np.float32]:
    """4-bit numbers, the low half of each byte first (SerialEM)."""
    pixels = np.empty((packed.shape[0], 2 * packed.shape[1]), dtype=np.float32)
    pixels[:, 0::2] = packed & 15
    pixels[:, 1::2] = packed >> 4
    return pixels
