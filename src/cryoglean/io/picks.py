"""Picks in and out of files, whatever the format; each format is a card in `io/formats`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from cryoglean.errors import PicksError
from cryoglean.io.pick_cards import card_named, card_of_file, card_to_write, facts_of, known
from cryoglean.io.pick_folders import file_of_micrograph, find_pick_files, read_files
from cryoglean.io.picks_file import BOX_HEIGHT, BOX_WIDTH
from cryoglean.io.rows import Shapes, Surroundings, turn_rows
from cryoglean.picks import Picks


def read_picks(
    path: str | Path,
    format: str | None = None,  # noqa: A002 (the word of the command line)
    *,
    micrographs: Mapping[str, Path] | None = None,
    flip_y: bool | None = None,
    scale: float = 1.0,
) -> Picks:
    """The picks in a file, or in a folder with a file for each micrograph.

    Args:
        path: a file that one of the formats can read, or a folder of such files.
        format: the name of a format; None goes by the suffix and the content.
        micrographs: the files of the micrographs by name, as `micrographs_by_name` gives them; formats whose y can
            count from either edge need them.
        flip_y: whether y counts from the last stored row; None goes by the format and the micrographs.
        scale: coordinates, diameters and boxes are multiplied by it, before y is turned.

    Raises:
        PicksError: the format is unknown, the file can't be used, or its y could be meant both ways.
    """
    path = Path(path)
    picks, name = read_in_format(path, format)
    return turn_rows(scaled(picks, scale), facts_of(name), Surroundings(micrographs, flip_y), path)


def read_in_format(path: Path, format: str | None = None) -> tuple[Picks, str]:  # noqa: A002
    """The picks in a file, or in a folder of files, as they stand there, and the name of their format.

    Args:
        path: of the file or folder.
        format: what the user said; None goes by the suffix and the content.

    Raises:
        PicksError: the format is unknown, a folder holds several, or the file can't be used.
    """
    if path.is_dir():
        files = find_pick_files(path, format)
        picks, card = read_files(files, path), next(iter(files.values()))
    else:
        card = _card_that_reads(path, format)
        picks = _as_picks(card.read(path))
    return picks, card.__name__.rsplit(".", 1)[-1]


def _card_that_reads(path: Path, format: str | None) -> ModuleType:  # noqa: A002
    card = card_named(format) if format else card_of_file(path)
    if card is None:
        raise PicksError("its format is unknown", where=path, fix=f"Known are: {known()}. Name one with --from.")
    return card


def scaled(picks: Picks, scale: float) -> Picks:
    """Picks with coordinates, diameters and boxes multiplied."""
    if scale == 1.0:
        return picks
    sides = {name: picks.extra[name] * scale for name in (BOX_WIDTH, BOX_HEIGHT) if name in picks.extra}
    diameters = None if picks.diameter_pixels is None else picks.diameter_pixels * scale
    return replace(picks, xy=picks.xy * scale, diameter_pixels=diameters, extra={**picks.extra, **sides})


def write_picks(
    picks: Picks,
    path: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    micrographs: Mapping[str, Path] | None = None,
    flip_y: bool | None = None,
    box_pixels: float | None = None,
) -> None:
    """Write picks to a file, at once: a crash leaves the old file or the new one.

    Formats that keep one micrograph in a file make a folder of files, unless there is only one micrograph and `path`
    has the format's suffix.

    Args:
        picks: any number of picks, on any number of micrographs.
        path: the file or folder to make or replace; other files in a folder are left alone.
        format: the name of a format; None goes by the suffix.
        micrographs: the files of the micrographs by name; formats that write their shape need them.
        flip_y: whether y shall count from the last stored row; None goes by the format and the micrographs.
        box_pixels: the side of boxes, 0 or more; None takes those that were read, or the particles' diameters.

    Raises:
        PicksError: the format is unknown, can't hold these picks, lacks something, or the file can't be written.
    """
    path = Path(path)
    card = card_named(format) if format else card_to_write(path)
    picks = turn_rows(picks, card.FACTS, Surroundings(micrographs, flip_y), path, is_written=True)
    if box_pixels is not None:
        sides = np.full(len(picks), float(box_pixels))
        picks = replace(picks, extra={**picks.extra, BOX_WIDTH: sides, BOX_HEIGHT: sides})
    try:
        if path.name == getattr(card, "INDEX_NAME", ""):
            card.write_parts([picks], path, _as_text(micrographs))
        elif card.FACTS.ending and not (len(picks.micrographs) == 1 and path.suffix.lower() in card.SUFFIXES):
            _write_folder(picks, path, card)
        elif "shape" in card.FACTS.needs:
            card.write(picks, path, Shapes(micrographs or {}))
        else:
            card.write(picks, path)
    except (OSError, UnicodeEncodeError) as error:
        raise PicksError(f"it can't be written ({error})", where=path) from error


def write_picks_from(parts: Iterable[Picks], path: Path, micrographs: Mapping[str, Path] | None = None) -> int:
    """Write picks that come one micrograph at a time; formats that can do so never hold them all.

    Args:
        parts: picks, in the order they are to be written.
        path: the file to make or replace; its suffix says the format.
        micrographs: the files of the micrographs by name, for an index that lists them.

    Returns:
        How many picks were written.

    Raises:
        PicksError: see `write_picks`.
    """
    card = card_to_write(path)
    if not hasattr(card, "write_parts"):
        picks = Picks.concatenate(parts)
        write_picks(picks, path)
        return len(picks)
    try:
        if path.name == getattr(card, "INDEX_NAME", ""):
            return int(card.write_parts(parts, path, _as_text(micrographs)))
        return int(card.write_parts(parts, path))
    except (OSError, UnicodeEncodeError) as error:
        raise PicksError(f"it can't be written ({error})", where=path) from error


def check_writable(path: Path) -> None:
    """Refuse a picks file that could not be written at the end, before hours are spent.

    Raises:
        PicksError: no format has its suffix, its format holds one micrograph or asks for more than picks, or its folder
            can't be made.
    """
    card = card_to_write(path)
    if not hasattr(card, "write_parts") and (card.FACTS.ending or card.FACTS.needs):
        raise PicksError(
            f"picks of many micrographs don't go into a {path.suffix} at once", where=path,
            fix="Write .star here, then: cryoglean convert picks.star OUT --to "
            f"{card.__name__.rsplit('.', 1)[-1]} --micrographs FOLDER.",
        )  # fmt: skip
    if path.is_dir():
        raise PicksError("it is a folder", where=path, fix="Give the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PicksError(f"its folder can't be made ({error.strerror})", where=path) from error


def _write_folder(picks: Picks, folder: Path, card: ModuleType) -> None:
    if folder.is_file() or (folder.suffix.lower() in card.SUFFIXES and not folder.is_dir()):
        raise PicksError(
            f"a file of this format holds one micrograph, and there are {len(picks.micrographs)}", where=folder,
            fix="Give a folder to write into.",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: file_of_micrograph(folder, name, card) for name in picks.micrographs}
    odd = next(
        (name for name, file in files.items() if file.parent != folder or name.startswith(".") or "\0" in name), None
    )
    if odd is not None:
        raise PicksError(f"{odd!r} can't be the name of a file", where=folder, fix="Write CSV instead.")
    for name, part in picks.each():
        card.write(part, files[name])
    if hasattr(card, "write_index"):
        kept = picks.extra.get("micrograph_path")
        paths = {} if kept is None else dict(zip(picks.micrograph.tolist(), kept.tolist(), strict=True))
        card.write_index(files, paths, folder / card.INDEX_NAME)


def _as_text(micrographs: Mapping[str, Path] | None) -> dict[str, str]:
    return {name: file.as_posix() for name, file in (micrographs or {}).items()}


def _as_picks(value: object) -> Picks:
    if not isinstance(value, Picks):
        raise PicksError("the format's card gave no picks")
    return value
