"""Damaged files for `fuzz_formats.py`: good ones of each kind, and what can happen to them.

The same seed, reader and number give the same bytes, as long as the good files are the same.
"""

from __future__ import annotations

import bz2
import gzip
import io
import random
import re
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import write_picks
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
DATA = ROOT.parent / "shared" / "data" / "formats"
LARGEST_GOOD, LARGEST = 40_000, 200_000  # bytes
PICTURES = {"mrc": (".mrc", ".map", ".ccp4", ".gz", ".bz2"), "tiff": (".tif", ".tiff"), "raster": (".png", ".jpg")}
READERS = (*card_names("formats"), *PICTURES, "star_list")
NAMES = {"autopick": "mic1_autopick.star", "eman2": "mic1_info.json", "star_list": "list.star", "raster": "mic1.png"}

NUMBERS = [
    *(b"nan", b"inf", b"-inf", b"1e999", b"-1e308", b"1e-400", b"0", b"-0", b"-1", b"1_000", b"0x10", b"1,5", b"1."),
    *(b"99999999999999999999", b"9" * 400, b"2147483648", b"-2147483649", b"18446744073709551616", b"true", b"null"),
]
WORDS = [
    *(b"\n", b"\r\n", b"\r", b"\t", b" ", b",", b",,", b";", b"\n;", b'"', b"'", b"#", b"_", b"?", b".", b"\0", b"\\"),
    *(b"data_", b"\ndata_x\n", b"\nloop_\n", b"save_", b"stop_", b"global_", b"_rlnCoordinateX", b"_rlnMicrographName"),
    *(b"_rlnOpticsGroup #1\n", b"<NA>", b"[", b"]", b"{", b"}", b"[" * 3000, b'{"a":' * 2000, b"[]", b"{}", b'""'),
    *(b":", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"x" * 5000, b"../../etc", b"/"),
    *(b"<EMX>", b"</EMX>", b"<X>", b"</X>", b"<!DOCTYPE a>", b"&amp;", b"&#0;", b"<particle>", b'encoding="utf-16"'),
    *(b"(2,)", b"(-1,)", b"'<f4'", b"'|O'", b"'<U9999999'", b"'V0'", b"True", b"location/center_x_frac", b"'<M8'"),
]
WHOLE = [0, 1, -1, 2, 3, 7, 127, 255, 256, 1024, 32767, 65535, 65536, 2**24, 2**29, 2**31 - 1, -(2**31), 0x11111111]


def good_files(reader: str) -> list[bytes]:
    """Golden files, some that cryoglean writes, and those of the conformance set, of about this kind."""
    found = [*_golden(reader), *_written(reader)]
    suffixes = _suffixes(reader)
    if DATA.exists():
        paths = sorted(path for path in DATA.rglob("*") if path.name.lower().endswith(suffixes))
        found += [path.read_bytes() for path in paths if path.name != "expected.json"]
    return [content for content in dict.fromkeys(found) if len(content) <= LARGEST_GOOD]


def file_name(reader: str) -> str:
    """What a damaged file is called."""
    return NAMES.get(reader, f"mic1{_suffixes(reader)[0]}")


def damaged(reader: str, good: list[bytes], seed: int, number: int) -> bytes:
    """Input `number` of a reader."""
    chance = random.Random(f"{seed} {reader} {number}")
    content = chance.choice(good)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 5])):
        content = chance.choice(CHANGES)(content, chance, good)[:LARGEST]
    return _mended_outside(content, reader, chance)


def _suffixes(reader: str) -> tuple[str, ...]:
    if reader in PICTURES:
        return PICTURES[reader]
    return (".star",) if reader == "star_list" else tuple(load_card("formats", reader).SUFFIXES)


def _golden(reader: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(GOLDEN.iterdir()) if path.name.lower().endswith(_suffixes(reader))]


def _written(reader: str) -> list[bytes]:
    if reader in PICTURES:
        return _pictures(reader)
    if reader == "star_list":
        names = "\n".join(f"mics/{place}.mrc 1" for place in range(5))
        return [f"data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n{names}\n".encode()]
    random_numbers = np.random.default_rng(0)
    found = []
    for count in (0, 1, 12):
        picks = Picks(
            np.full(count, "mic1"), random_numbers.uniform(0, 4000, (count, 2)), random_numbers.uniform(-1, 1, count),
            np.full(count, 40.0), {"rlnOpticsGroup": np.full(count, "1")}, ("mic1",),
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file_name(reader)
            write_card(reader, picks, path)
            found.append(path.read_bytes())
    return found


class AnyShape(dict[str, tuple[int, int]]):
    """Every micrograph has one shape."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> tuple[int, int]:
        return (4096, 4000)


def write_card(card: str, picks: Picks, path: Path) -> None:
    """Write with a card alone; all micrographs have one shape."""
    module = load_card("formats", card)
    if "shape" in module.FACTS.needs:
        module.write(picks, path, AnyShape())
    else:
        write_picks(picks, path, card, flip_y=False, box_pixels=40.0)


def _pictures(reader: str) -> list[bytes]:
    pixels = np.random.default_rng(0).normal(100, 20, (24, 31)).astype(np.float32)
    if reader == "mrc":
        with tempfile.TemporaryDirectory() as folder:
            write_micrograph(Micrograph("mic1", pixels, 1.5), Path(folder) / "mic1.mrc")
            return [(Path(folder) / "mic1.mrc").read_bytes()]
    if reader == "tiff":
        return _tiffs(pixels)
    from PIL import Image

    grey = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    kinds: dict[str, list[tuple[Image.Image, dict[str, bool]]]] = {
        "PNG": [(grey if mode == "L" else grey.convert(mode), {}) for mode in ("L", "RGB", "1", "P", "I;16", "LA")],
        "JPEG": [(grey, {}), (grey.convert("RGB"), {"progressive": True})],
    }  # fmt: skip
    found = []
    for kind, pictures in kinds.items():
        for picture, options in pictures:
            out = io.BytesIO()
            picture.save(out, kind, **options)
            found.append(out.getvalue())
    return found


def _tiffs(pixels: np.ndarray) -> list[bytes]:
    import tifffile

    options: list[dict[str, object]] = [
        {}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"},
        {"tile": (16, 16)}, {"rowsperstrip": 4}, {"imagej": True},
        {"resolution": (6666.0, 6666.0), "resolutionunit": 3},
    ]  # fmt: skip
    found = []
    for words in options:
        out = io.BytesIO()
        tifffile.imwrite(out, pixels, **words)
        found.append(out.getvalue())
    for numbers in ("u1", "<i2", "<u2"):
        out = io.BytesIO()
        tifffile.imwrite(out, pixels.astype(numbers))
        found.append(out.getvalue())
    from PIL import Image

    for packing in ("tiff_lzw", "packbits", "group4"):
        out = io.BytesIO()
        grey = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        (grey.convert("1") if packing == "group4" else grey).save(out, "TIFF", compression=packing)
        found.append(out.getvalue())
    return found


Change = Callable[[bytes, random.Random, list[bytes]], bytes]


def _place(content: bytes, chance: random.Random) -> int:
    """Anywhere, and often near the beginning, where headers are."""
    return chance.randint(0, min(len(content), 300) if chance.random() < 0.4 else len(content))


def _turn(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if changed:
            changed[min(_place(content, chance), len(changed) - 1)] = chance.randrange(256)
    return bytes(changed)


def _cut_out(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    place = _place(content, chance)
    return content[:place] + content[place + chance.choice([1, 1, 2, 4, 20, 200]) :]


def _cut_off(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    return content[: _place(content, chance)]


def _put_in(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    place = _place(content, chance)
    return content[:place] + chance.choice([*WORDS, *NUMBERS, chance.randbytes(4)]) + content[place:]


def _other_number(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    place = _place(content, chance)
    found = re.compile(rb"[-+]?\d[\d.]*(?:e[-+]?\d+)?").search(content, place, place + 400)
    return content[: found.start()] + chance.choice(NUMBERS) + content[found.end() :] if found else content


def _other_word(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    place = _place(content, chance)
    found = re.compile(rb"[\w-]+").search(content, place, place + 400)
    return content[: found.start()] + chance.choice(WORDS) + content[found.end() :] if found else content


def _lie(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    """Another whole number in a header, at a fourth or second byte."""
    size = chance.choice([2, 4, 4, 4])
    place = min(chance.randint(0, 300), max(len(content) - size, 0)) // size * size
    value = chance.choice(WHOLE) & (2 ** (8 * size) - 1)
    return content[:place] + value.to_bytes(size, chance.choice(["little", "little", "big"])) + content[place + size :]


def _copy(content: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    start, length = _place(content, chance), chance.choice([1, 8, 64, 1000])
    place, times = _place(content, chance), chance.choice([1, 1, 2, 50])
    return content[:place] + content[start : start + length] * times + content[place:]


def _splice(content: bytes, chance: random.Random, good: list[bytes]) -> bytes:
    other = chance.choice(good)
    return content[: _place(content, chance)] + other[_place(other, chance) :]


CHANGES: list[Change] = [_turn, _cut_out, _cut_off, _put_in, _put_in, _other_number, _other_word, _lie, _copy, _splice]


def _mended_outside(content: bytes, reader: str, chance: random.Random) -> bytes:
    """Packed, or with right checksums, so that the damage gets past the first check."""
    if reader == "mrc" and chance.random() < 0.1:
        return chance.choice([gzip.compress, bz2.compress])(content)
    if reader == "raster" and chance.random() < 0.7:
        return _right_checksums(content)
    return content


def _right_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them."""
    fixed, place = bytearray(content), 8
    while content.startswith(b"\x89PNG") and place + 12 <= len(fixed):
        end = place + 8 + struct.unpack_from(">I", fixed, place)[0]
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[place + 4 : end]))
        place = end + 4
    return bytes(fixed)
