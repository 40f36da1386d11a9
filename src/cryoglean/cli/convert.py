"""`cryoglean convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from cryoglean.converting import Conversion


def convert_command(
    source: Path,
    target: Path,
    *,
    from_format: Annotated[str | None, Parameter(name="--from")] = None,
    to_format: Annotated[str | None, Parameter(name="--to")] = None,
    micrographs: tuple[str, ...] = (),
    flip_y: bool | None = None,
    flip_y_out: bool | None = None,
    scale: float = 1.0,
    box_pixels: float | None = None,
    threshold: float | None = None,
    exposures: Path | None = None,
    quiet: bool = False,
) -> int:
    """Convert picks from one program's files to another's.

    Inside, y counts down the rows as they are stored. Formats that count otherwise are turned when they are read and
    written; where a file alone can't say which way it counts, this asks for --micrographs or --flip-y.

    Args:
        source: a file of picks, or a folder with a file for each micrograph.
        target: the file to make; of formats that hold one micrograph in a file, the folder.
        from_format: the format of the source, see `cryoglean list formats`; by default by suffix and content.
        to_format: the format of the target; by default by suffix.
        micrographs: the micrographs (files, folders, quoted globs or a STAR file), where their size or kind matters.
        flip_y: y of the source counts from the last stored row; by default as its format has it.
        flip_y_out: y of the target shall count from the last stored row; by default as its format has it.
        scale: coordinates, diameters and boxes are multiplied by this, for picks of binned micrographs.
        box_pixels: the side of boxes in the target; 0 writes centres. By default those of the source, or the diameter.
        threshold: picks with a lower score are left out.
        exposures: cryoSPARC's exposures .cs, whose identifiers a .cs takes over.
        quiet: print nothing.
    """
    from cryoglean.converting import Wish, convert_picks
    from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
    from cryoglean.io.rows import Surroundings

    paths = micrographs_by_name(find_micrographs(micrographs)) if micrographs else None
    wish = Wish(from_format, to_format, flip_y, flip_y_out, scale, box_pixels, threshold, exposures)
    done = convert_picks(source, target, Surroundings(paths), wish)
    if not quiet:
        _say(done, target)
    return 0


def _say(done: Conversion, target: Path) -> None:
    picks = done.picks
    print(
        f"{len(picks)} picks on {len(picks.micrographs)} micrographs: {done.from_format} to {done.to_format}, {target}"
    )
    for count, words in zip(done.turned, ("in the source", "in the target"), strict=True):
        if count:
            noun = "micrograph" if count == 1 else "micrographs"
            print(f"y of {count} {noun} counts from the last stored row {words}, and was turned over")
    if done.left_out:
        print(f"not kept, because {done.to_format} has no place for it: {'; '.join(done.left_out)}")
    for doubt in done.doubts:
        print(f"WARNING: {doubt}")
