"""Patches in and out of files: small squares with a particle in the middle, and squares that nobody judged.

A `.pt` file is read by `cryoglean.learn.patches_file`, because that takes torch; what is checked is the same.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically
from cryoglean.errors import PicksError

_SMALLEST_SIDE = 8
_UNLABELLED = ("unlabelled", "unlabeled")


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Squares cut from micrographs; the centre of a patch is its pixel (side // 2, side // 2).

    Args:
        positive: (n, side, side) float32, each with a particle in the middle.
        unlabelled: (m, side, side) float32, not judged by anybody: some of them hold a particle.
    """

    positive: NDArray[np.float32]
    unlabelled: NDArray[np.float32]

    @property
    def side_pixels(self) -> int:
        """Rows and columns of each."""
        return int(self.positive.shape[-1])

    def digest(self) -> str:
        """SHA-256 of shapes and pixels: the same for the same patches, however their file was written."""
        digest = hashlib.sha256()
        for part in (self.positive, self.unlabelled):
            digest.update(str(part.shape).encode())
            digest.update(np.ascontiguousarray(part, dtype="<f4").data)
        return digest.hexdigest()


def check_patches(content: Mapping[str, NDArray[Any]], where: object) -> Patches:
    """Patches from arrays, as a file has them.

    Args:
        content: `positive` and `unlabelled` (or `unlabeled`), each (n, side, side) or (n, 1, side, side), numbers of
            any kind.
        where: the file, for errors.

    Raises:
        PicksError: an array is missing, empty, not of squares or not finite, or the two have different sides.
    """
    names = [name for name in _UNLABELLED if name in content]
    if "positive" not in content or len(names) != 1:
        raise PicksError(
            f"it has {_list(content)}, not 'positive' and 'unlabelled'", where=where,
            fix="Give each once, as (n, side, side).",
        )  # fmt: skip
    positive = _squares(content["positive"], "positive", where)
    unlabelled = _squares(content[names[0]], names[0], where)
    if positive.shape[1:] != unlabelled.shape[1:]:
        raise PicksError(
            f"positive patches are {positive.shape[-1]} pixels wide and unlabelled ones {unlabelled.shape[-1]}",
            where=where, fix="Cut both with one side.",
        )  # fmt: skip
    return Patches(positive, unlabelled)


def read_npz_patches(path: Path) -> Patches:
    """The patches in a `.npz` file of NumPy with `positive` and `unlabelled`.

    Raises:
        PicksError: it can't be read, holds pickled objects, or what `check_patches` refuses.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise PicksError("it is a single array, not a .npz file", where=path, fix="Write it with numpy.savez.")
        with loaded as file:
            content = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise PicksError("there is no such file", where=path, fix="Check the path.") from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise PicksError(f"it can't be read ({error})", where=path) from error
    except ValueError as error:
        raise PicksError(
            "it is not plain arrays; pickled objects are never read, they could run code", where=path,
            fix="Write arrays of numbers with numpy.savez.",
        ) from error  # fmt: skip
    return check_patches(content, path)


def write_npz_patches(patches: Patches, path: Path) -> None:
    """Write a `.npz` file, compressed, at once: a crash leaves the old file or the new one.

    Raises:
        PicksError: the suffix is not `.npz`, or the file can't be written.
    """
    if path.suffix.lower() != ".npz":
        raise PicksError(f"'{path.suffix}' is not written", where=path, fix="Call it .npz.")
    positive, unlabelled = patches.positive, patches.unlabelled
    try:
        write_file_atomically(
            path, lambda temporary: np.savez_compressed(temporary, positive=positive, unlabelled=unlabelled)
        )
    except OSError as error:
        raise PicksError(f"it can't be written ({error.strerror})", where=path) from error


def _squares(values: NDArray[Any], name: str, where: object) -> NDArray[np.float32]:
    """(n, side, side) float32 from an array that may have a channel of one."""
    if values.dtype.kind not in "fiu":
        raise PicksError(f"'{name}' holds {values.dtype}, not numbers", where=where)
    shape = values.shape
    squares = values[:, 0] if values.ndim == 4 and shape[1] == 1 else values
    if squares.ndim != 3 or squares.shape[1] != squares.shape[2]:
        raise PicksError(
            f"'{name}' has the shape {shape}", where=where, fix="Give (n, side, side) or (n, 1, side, side)."
        )
    if len(squares) == 0:
        raise PicksError(f"'{name}' holds no patch", where=where)
    if squares.shape[-1] < _SMALLEST_SIDE:
        raise PicksError(
            f"'{name}' is {squares.shape[-1]} pixels wide", where=where,
            fix=f"Give at least {_SMALLEST_SIDE}, better two particle diameters.",
        )  # fmt: skip
    with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, which is refused below
        single = np.ascontiguousarray(squares, dtype=np.float32)
    is_finite = np.isfinite(single).all(axis=(1, 2))
    if not is_finite.all():
        raise PicksError(
            f"{int((~is_finite).sum())} of {len(single)} patches of '{name}' hold values that are no finite number, "
            f"the {int(np.argmin(is_finite)) + 1}. for one",
            where=where, fix="Leave them out.",
        )  # fmt: skip
    return single


def _list(content: Mapping[str, object]) -> str:
    return ", ".join(f"'{name}'" for name in content) or "nothing"
