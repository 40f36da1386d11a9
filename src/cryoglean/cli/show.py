"""`cryoglean show`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryoglean.picks import Picks
    from cryoglean.report.figures.micrograph import Marks


def show_command(
    what: Literal["micrograph", "patches"],
    *files: str,
    picks: Path | None = None,
    truth: Path | None = None,
    diameter_angstrom: float | None = None,
    diameter_pixels: float | None = None,
    pixel_size_angstrom: float | None = None,
    contrast: Literal["dark", "light"] | None = None,
    threshold: float | None = None,
    seed: int | None = None,
    out: Path,
) -> int:
    """Draw a micrograph with its picks, or patches with a particle beside unlabelled ones, into a PNG file.

    Patches show at a glance whether labels sit on particles: the mean of the positive ones is then a round thing in
    the middle, and with swapped or shifted coordinates it is not.

    Args:
        what: micrograph or patches.
        files: the micrograph; for patches, micrographs (files, folders, quoted globs or a STAR file) with --picks and
            --diameter-angstrom, or one file of patches (.npz, .pt).
        picks: picks to draw; those on other micrographs are left out.
        truth: particles on the micrograph; with picks, they are shown as found, false and missed.
        diameter_angstrom: diameter of the particle in angstrom; for patches from micrographs.
        diameter_pixels: diameter of the particle; for a micrograph, by default that in the truth or the picks file;
            for a file of patches, draws a circle.
        pixel_size_angstrom: for the scale bar, and to cut patches; by default that of the header.
        contrast: whether particles are darker or lighter than the ice, dark by default; for patches from micrographs.
        threshold: picks with a lower score are left out.
        seed: decides which patches are shown, 0 by default.
        out: the PNG file to write.
    """
    from cryoglean.cli.show_patches import PatchesWish
    from cryoglean.durable import write_bytes_atomically
    from cryoglean.errors import SettingsError

    _check_lengths(diameter_pixels, pixel_size_angstrom)
    if out.suffix.lower() != ".png":
        raise SettingsError(f"'{out.suffix}' can't be drawn", where=f"--out {out}", fix="Call it .png.")
    if what == "micrograph":
        _refuse(what, diameter_angstrom=diameter_angstrom, contrast=contrast, seed=seed)
        png, said = _draw_micrograph(files, picks, truth, diameter_pixels, pixel_size_angstrom, threshold)
    else:
        _refuse(what, truth=truth)
        wish = PatchesWish(
            picks, threshold, diameter_angstrom, diameter_pixels, pixel_size_angstrom, contrast, seed or 0
        )
        png, said = wish.draw(files)
    write_bytes_atomically(out, png)
    print(f"{said}: {out}")
    return 0


def _draw_micrograph(
    files: tuple[str, ...],
    picks: Path | None,
    truth: Path | None,
    diameter_pixels: float | None,
    pixel_size_angstrom: float | None,
    threshold: float | None,
) -> tuple[bytes, str]:
    """The picture as PNG, and a line that says what is on it."""
    from cryoglean.errors import SettingsError
    from cryoglean.io.micrographs import read_micrograph
    from cryoglean.io.picks import read_picks
    from cryoglean.report.figures.drawing import to_png
    from cryoglean.report.figures.micrograph import draw_micrograph, make_view

    if len(files) != 1:
        raise SettingsError(f"{len(files)} micrographs were given", where="show micrograph", fix="Give one.")
    micrograph = read_micrograph(Path(files[0]), pixel_size_angstrom)
    here = {micrograph.name: Path(files[0])}
    found = None if picks is None else _on(read_picks(picks, micrographs=here), micrograph.name, picks)
    real = None if truth is None else _on(read_picks(truth, micrographs=here), micrograph.name, truth)
    diameter = diameter_pixels or _diameter(real) or _diameter(found)
    png = to_png(draw_micrograph(make_view(micrograph, diameter), _marks(found, real, threshold, diameter)))
    return png, f"micrograph {micrograph.name}"


def _refuse(what: str, **options: object) -> None:
    """Refuse options that would change nothing."""
    from cryoglean.errors import SettingsError

    for name, value in options.items():
        if value is not None:
            option = "--" + name.replace("_", "-")
            raise SettingsError(f"it changes nothing for {what}", where=option, fix="Leave it out.")


def _check_lengths(diameter_pixels: float | None, pixel_size_angstrom: float | None) -> None:
    from cryoglean.errors import SettingsError

    for option, value in (("--diameter-pixels", diameter_pixels), ("--pixel-size-angstrom", pixel_size_angstrom)):
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise SettingsError(f"it is {value}", where=option, fix="Give a length above 0.")


def _on(table: Picks, name: str, file: Path) -> Picks:
    from cryoglean.errors import PicksError

    if name not in table.micrographs:
        raise PicksError(
            f"it has nothing on the micrograph '{name}'",
            where=file,
            fix=f"It speaks of {', '.join(table.micrographs[:3])}.",
        )
    return table.on(name)


def _marks(
    picks: Picks | None, truth: Picks | None, threshold: float | None, diameter: float | None
) -> tuple[Marks, ...]:
    from cryoglean.evaluate.rules import Rules
    from cryoglean.report.figures.drawing import GREEN, ORANGE
    from cryoglean.report.figures.micrograph import Marks, judged_marks
    from cryoglean.report.judged import judge_picks

    kept = picks if picks is None or threshold is None else picks.above(threshold)
    if kept is not None and truth is not None:
        judged = judge_picks(kept, truth, Rules(diameter_pixels=diameter, bootstrap_draws=0), None, {})
        if judged is not None:
            (verdict,) = judged.verdicts
            return judged_marks(verdict.found, verdict.false, verdict.missed)
    if kept is not None:
        return (Marks("picks", kept.xy, "circle", GREEN),)
    return () if truth is None else (Marks("particles", truth.xy, "square", ORANGE),)


def _diameter(table: Picks | None) -> float | None:
    import numpy as np

    if table is None or table.diameter_pixels is None or not len(table):
        return None
    usable = table.diameter_pixels[np.isfinite(table.diameter_pixels) & (table.diameter_pixels > 0)]
    return float(np.median(usable)) if len(usable) else None
