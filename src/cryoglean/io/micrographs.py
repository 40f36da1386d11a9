"""Micrographs: which files are meant, and what is in them; each file format is a card in `io/images`."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from cryoglean.errors import MicrographError
from cryoglean.io.star_tables import find_beside, read_star_tables
from cryoglean.micrograph import Micrograph, micrograph_name
from cryoglean.registry import card_names, load_card

_HEAD_BYTES = 1024
_NAME_TAG = "rlnMicrographName"


def find_micrographs(arguments: Sequence[str | Path]) -> list[Path]:
    """The micrograph files that a user means, in the order said, folders and patterns in order of the alphabet.

    Args:
        arguments: files, folders (their own files, not those of folders in them), patterns such as `mics/*.mrc`,
            and STAR files with `_rlnMicrographName`.

    Raises:
        MicrographError: an argument gives no micrograph, a file of a STAR file isn't there, or two different files
            have the same name, so that picks could not be told apart.
    """
    if not arguments:
        raise MicrographError("no micrograph was given", fix="Give files, folders, patterns or a STAR file.")
    found = [path for argument in arguments for path in _expand(argument)]
    distinct = {path.resolve(): path for path in reversed(found)}
    paths = [path for path in dict.fromkeys(found) if distinct[path.resolve()] == path]
    micrographs_by_name(paths)
    return paths


def holds_micrographs(folder: Path) -> bool:
    """Whether a file in a folder is called like a micrograph; folders in it are not searched."""
    return any(_is_picture(path) for path in folder.iterdir() if path.is_file())


def micrographs_by_name(paths: Iterable[Path]) -> dict[str, Path]:
    """Each path under its micrograph's name, in the order given.

    Raises:
        MicrographError: two different files have the same name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        name = micrograph_name(path)
        twin = by_name.setdefault(name, path)
        if twin != path and twin.resolve() != path.resolve():
            raise MicrographError(
                f"two files are the micrograph '{name}': {twin} and {path}",
                fix="Give only one of them, for instance with a pattern such as 'folder/*.mrc'.",
            )
    return by_name


def read_micrograph(path: str | Path, pixel_size_angstrom: float | None = None) -> Micrograph:
    """The micrograph in a file, whatever the format: by content, then by suffix.

    Args:
        path: an MRC, TIFF, PNG or JPEG file.
        pixel_size_angstrom: the side of a pixel, above 0; it overrides what the file says.

    Raises:
        MicrographError: the file can't be used, or the pixel size is not above 0.
    """
    path = Path(path)
    micrograph = _card_of(path).read(path)
    if not isinstance(micrograph, Micrograph):
        raise MicrographError("the format's card gave no micrograph", where=path)
    return micrograph if pixel_size_angstrom is None else replace(micrograph, pixel_size_angstrom=pixel_size_angstrom)


def read_micrograph_shape(path: Path) -> tuple[int, int]:
    """(y, x): rows and columns of a micrograph, from its header alone.

    Raises:
        MicrographError: as `read_micrograph`, except for what only the data tell.
    """
    rows, columns = _card_of(path).read_shape(path)
    return (int(rows), int(columns))


def write_micrograph(micrograph: Micrograph, path: Path) -> None:
    """Write an MRC file, mode 2 (float32), at once: a crash leaves the old file or the new one.

    Raises:
        MicrographError: the suffix is not `.mrc`, or the file can't be written.
    """
    if path.suffix.lower() != ".mrc":
        raise MicrographError(f"'{path.suffix}' is not written", where=path, fix="Call it .mrc.")
    try:
        load_card("images", "mrc").write(micrograph, path)
    except OSError as error:
        raise MicrographError(f"it can't be written ({error.strerror})", where=path) from error


def _expand(argument: str | Path) -> list[Path]:
    path = Path(argument)
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.suffix.lower() == ".star" and path.is_file():
            return _in_star_file(path)
        if path.is_file():
            return [path]
    except (OSError, ValueError) as error:  # a name that is too long, or with a zero byte in it
        raise MicrographError(f"it can't be opened ({error})", where=repr(argument)) from error
    if not glob.has_magic(str(argument)):
        raise MicrographError("there is no such file or folder", where=path, fix="Check the path.")
    return _matching(str(argument))


def _in_folder(folder: Path) -> list[Path]:
    pictures = sorted(path for path in folder.iterdir() if path.is_file() and _is_picture(path))
    if not pictures:
        raise MicrographError(
            f"the folder holds no micrograph ({', '.join(_suffixes())})",
            where=folder,
            fix="Give the folder that the files lie in; folders in it are not searched.",
        )
    return pictures


def _matching(pattern: str) -> list[Path]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    files = [path for path in map(Path, found) if path.is_file()]
    pictures = [path for path in files if _is_picture(path)] or files
    if not pictures:
        raise MicrographError("no file matches this pattern", where=pattern, fix="Check the path.")
    return pictures


def _in_star_file(path: Path) -> list[Path]:
    tables = read_star_tables(path, MicrographError)
    names = dict.fromkeys(name for table in tables.values() for name in table.get(_NAME_TAG, []))
    if not names:
        raise MicrographError(f"it has no _{_NAME_TAG}", where=path, fix="Give RELION's micrographs.star.")
    files = {name: find_beside(name, path) for name in names}
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise MicrographError(
            f"{len(missing)} of its {len(names)} micrographs are not there, {missing[0]} for one",
            where=path,
            fix=f"Run this from the project's folder (this is {Path.cwd()}).",
        )
    return [file for file in files.values() if file is not None]


def _is_picture(path: Path) -> bool:
    return path.name.lower().endswith(_suffixes()) and not path.name.startswith(".")


def _suffixes() -> tuple[str, ...]:
    return tuple(suffix for name in card_names("images") for suffix in load_card("images", name).SUFFIXES)


def _card_of(path: Path) -> ModuleType:
    """The card that reads a file: by the first bytes, then by the suffix."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise MicrographError(f"it can't be opened ({error.strerror})", where=path, fix="Check the path.") from error
    cards = [load_card("images", name) for name in card_names("images")]
    for card in cards:
        if card.sniff(head):
            return card
    for card in cards:
        if path.name.lower().endswith(card.SUFFIXES):
            return card
    raise MicrographError("it is none of MRC, TIFF, PNG and JPEG", where=path, fix="Convert it to MRC.")
