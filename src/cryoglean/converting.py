"""From one file format of picks to another, with what the new one can't hold said and not lost in silence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoglean.errors import PicksError
from cryoglean.io.exposures import with_exposures
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.pick_cards import card_to_write, facts_of
from cryoglean.io.picks import read_in_format, scaled, write_picks
from cryoglean.io.picks_file import OWN_COLUMNS
from cryoglean.io.rows import Shapes, Surroundings, flipped_micrographs, turn_rows
from cryoglean.picks import Picks

_FEW = 20
_BINNED_REACH = 0.55


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user says of a conversion besides the two files.

    Args:
        from_format: the name of the format that is read; None goes by suffix and content.
        to_format: the name of the format that is written; None goes by the suffix.
        flip_y: whether y of the file that is read counts from the last stored row; None goes by its format.
        flip_y_out: the same of the file that is written.
        scale: coordinates, diameters and boxes are multiplied by it, before y is turned; above 0.
        box_pixels: the side of boxes in the file that is written, 0 or more.
        threshold: picks with a lower score are left out.
        exposures: cryoSPARC's `.cs` of the exposures, whose identifiers a written `.cs` takes over.
    """

    from_format: str | None = None
    to_format: str | None = None
    flip_y: bool | None = None
    flip_y_out: bool | None = None
    scale: float = 1.0
    box_pixels: float | None = None
    threshold: float | None = None
    exposures: Path | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was converted.

    Args:
        picks: as they were written, in stored rows.
        from_format: the name of the format that was read.
        to_format: the name of the format that was written.
        turned: how many micrographs have had y turned over, when it was read and when it was written.
        left_out: what the new format can't hold, in words.
        doubts: what speaks against the coordinates where the micrographs are known, in words.
    """

    picks: Picks
    from_format: str
    to_format: str
    turned: tuple[int, int]
    left_out: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def convert_picks(source: Path, target: Path, around: Surroundings, wish: Wish = Wish()) -> Conversion:
    """Read picks of one format and write them in another.

    Args:
        source: a file, or a folder with a file for each micrograph.
        target: the file or folder to make.
        around: the micrographs, if they are known.
        wish: what else the user says.

    Raises:
        PicksError: a format is unknown or ambiguous, can't hold the picks, or something is missing to write it.
    """
    if not (np.isfinite(wish.scale) and wish.scale > 0):
        raise PicksError(f"it is {wish.scale}", where="--scale", fix="Give a number above 0, such as 4 or 0.25.")
    to_format = wish.to_format or card_to_write(target).__name__.rsplit(".", 1)[-1]
    after = facts_of(to_format)
    raw, from_format = read_in_format(source, wish.from_format)
    before = facts_of(from_format)
    read, written = Surroundings(around.paths, wish.flip_y), Surroundings(around.paths, wish.flip_y_out)
    picks = turn_rows(scaled(raw, wish.scale), before, read, source)
    if wish.flip_y is None:
        _check_all_there(picks, before, around, target)
    if wish.flip_y_out is None:
        _check_all_there(picks, after, around, target)
    if wish.threshold is not None:
        picks = picks.above(wish.threshold)
    if wish.exposures is not None:
        picks = with_exposures(picks, wish.exposures)
    write_picks(picks, target, to_format, micrographs=around.paths, flip_y=wish.flip_y_out, box_pixels=wish.box_pixels)
    turned = (
        len(flipped_micrographs(picks, before, read, source, is_written=False)),
        len(flipped_micrographs(picks, after, written, target, is_written=True)),
    )
    left_out, doubts = _left_out(picks, after, to_format), _doubts(picks, Shapes(around.paths or {}))
    return Conversion(picks, from_format, to_format, turned, left_out, doubts)


def _check_all_there(picks: Picks, facts: FormatFacts, around: Surroundings, target: Path) -> None:
    if facts.y_axis == "stored" or around.paths is None:
        return
    missing = [name for name in picks.micrographs if name not in around.paths]
    if missing:
        raise PicksError(
            f"{len(missing)} of its {len(picks.micrographs)} micrographs aren't among those given, "
            f"{missing[0]} for one: which way their y counts isn't known",
            where=target, fix="Give all micrographs, or say --flip-y or --no-flip-y.",
        )  # fmt: skip


def _left_out(picks: Picks, facts: FormatFacts, to_format: str) -> tuple[str, ...]:
    with_picks = set(picks.micrograph.tolist())
    empty = len([name for name in picks.micrographs if name not in with_picks])
    further = [name for name in picks.extra if name not in OWN_COLUMNS]
    said = {
        "score": "scores" if picks.score is not None else "",
        "diameter": "diameters" if picks.diameter_pixels is not None and "box" not in facts.needs else "",
        "empty": f"{empty} micrographs without a pick" if empty else "",
        "extra": f"the columns {', '.join(further[:4])}{' and more' if len(further) > 4 else ''}" if further else "",
    }
    if to_format == "cs":
        said["extra"] = ""  # cryoSPARC's own columns are written back, others have no place there
    return tuple(words for kept, words in said.items() if words and kept not in facts.keeps)


def _doubts(picks: Picks, shapes: Shapes) -> tuple[str, ...]:
    """Picks outside their micrographs, or all in the first half of each way, as those of binned micrographs are."""
    names, places = np.unique(picks.micrograph, return_inverse=True)
    sizes = np.array([shapes[name][::-1] if name in shapes else (np.inf, np.inf) for name in names.tolist()])
    if not len(picks) or np.isinf(sizes).all():
        return ()
    sides = sizes.reshape(-1, 2)[places]
    outside = int(((picks.xy < -0.5) | (picks.xy > sides - 0.5)).any(axis=1).sum())
    reach = float((picks.xy / sides).max())
    said = [f"{outside} of {len(picks)} picks lie outside their micrograph"] if outside else []
    if len(picks) >= _FEW and 0 < reach < _BINNED_REACH:
        said.append(f"no pick lies beyond {100 * reach:.0f} % of width or height: of binned micrographs? See --scale")
    return tuple(said)
