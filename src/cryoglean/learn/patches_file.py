"""Files of patches, also those that torch wrote; tensors are read, pickled code never is."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoglean.errors import PicksError
from cryoglean.io.patches import Patches, check_patches, read_npz_patches

SUFFIXES = (".npz", ".pt", ".pth")
_FORM = "{'patches': {'positive': tensor, 'unlabelled': tensor}}"


def is_patches_file(path: str | Path) -> bool:
    """Whether the suffix is one that `read_patches` reads."""
    return Path(path).suffix.lower() in SUFFIXES


def read_patches(path: Path) -> Patches:
    """The patches in a `.npz` or `.pt` file.

    Args:
        path: a `.npz` with the arrays `positive` and `unlabelled`, or a `.pt` with a dictionary `patches` of two
            tensors (or lists of tensors of one shape) with these names; `unlabeled` is read too.

    Raises:
        PicksError: the suffix is another one, the file can't be read or holds code, or what
            `cryoglean.io.patches.check_patches` refuses.
    """
    if not is_patches_file(path):
        raise PicksError(f"'{path.suffix}' is no file of patches", where=path, fix=f"Known are {', '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".npz":
        return read_npz_patches(path)
    content = _load(path)
    found = content.get("patches") if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        named = (
            f"it has {', '.join(map(repr, content))}" if isinstance(content, Mapping) else f"it is a {_kind(content)}"
        )
        raise PicksError(f"{named}, no dictionary 'patches'", where=path, fix=f"Save {_FORM}.")
    return check_patches({str(name): _array(values, str(name), path) for name, values in found.items()}, path)


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise PicksError("there is no such file", where=path, fix="Check the path.") from error
    except pickle.UnpicklingError as error:
        raise PicksError(
            "it is no file of tensors alone; anything else is never read, because it could run code", where=path,
            fix=f"Save tensors, torch.save({_FORM}, ...), or arrays with numpy.savez.",
        ) from error  # fmt: skip
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise PicksError(
            f"it is no file that torch wrote ({' '.join(str(error).split())[:120]})", where=path
        ) from error


def _array(values: object, name: str, path: Path) -> NDArray[Any]:
    """A tensor, or a list of tensors of one shape, as an array; 16 bits become 32."""
    if isinstance(values, list | tuple) and values and all(isinstance(value, Tensor) for value in values):
        if len({tuple(value.shape) for value in values}) > 1:
            raise PicksError(f"the patches of '{name}' have different sizes", where=path, fix="Cut all with one side.")
        values = torch.stack(list(values))
    if not isinstance(values, Tensor):
        raise PicksError(f"'{name}' is a {_kind(values)}, not a tensor", where=path, fix=f"Save {_FORM}.")
    plain = values.detach().to_dense() if values.layout != torch.strided else values.detach()
    array: NDArray[Any] = (plain.float() if plain.is_floating_point() and plain.itemsize < 4 else plain).numpy()
    return array


def _kind(value: object) -> str:
    return type(value).__name__
