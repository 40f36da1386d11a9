"""`cryoglean evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from cryoglean.dataset import ParticleSize
from cryoglean.errors import SettingsError

if TYPE_CHECKING:
    from cryoglean.evaluate.score import Rules
    from cryoglean.picks import Picks


@Parameter(name="*")
@dataclass(frozen=True)
class Size:
    """How large a particle and a micrograph is."""

    diameter_angstrom: float | None = None
    """Diameter of the particle in angstrom; needs --pixel-size-angstrom."""
    pixel_size_angstrom: float | None = None
    """Pixel size in angstrom."""
    diameter_pixels: float | None = None
    """Diameter of the particle in pixels of the coordinates."""
    tolerance: float = 0.5
    """Largest distance of a pick to its particle, in diameters."""
    border_pixels: float = 0.0
    """Truth and picks nearer to the edge than this are left out; needs the shape."""
    micrograph_shape: tuple[int, int] | None = None
    """Height and width of every micrograph in pixels."""
    micrographs: tuple[str, ...] = ()
    """Micrograph files, folders or globs, for their shapes, and for picks whose y may count from either edge."""


def evaluate_command(
    picks: Path,
    *,
    truth: Path,
    size: Size = Size(),
    threshold: float | None = None,
    ignore: Path | None = None,
    definition: str = "default",
    json: Path | None = None,
    quiet: bool = False,
) -> int:
    """Compare picks with the truth.

    Args:
        picks: picks, with or without scores.
        truth: the particles of every micrograph named in it.
        size: how large things are.
        threshold: picks with a lower score are left out; average precision and best F1 use all.
        ignore: points where an unmatched pick neither helps nor hurts.
        definition: how the field's programs count: see `cryoglean list definitions`.
        json: write all numbers here.
        quiet: print nothing.
    """
    from cryoglean.durable import write_json_atomically
    from cryoglean.evaluate.definitions import evaluate_by
    from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
    from cryoglean.io.picks import read_picks

    paths = micrographs_by_name(find_micrographs(size.micrographs)) if size.micrographs else None
    found, known = (read_picks(file, micrographs=paths) for file in (picks, truth))
    rules = make_rules(size, known)
    ignored = read_picks(ignore, micrographs=paths) if ignore else None
    result = evaluate_by(definition, found, known, rules, threshold=threshold, ignore=ignored)
    if json is not None:
        write_json_atomically(json, result)
    if not quiet:
        say_evaluation(result)
    return 0


def make_rules(size: Size, truth: Picks) -> Rules:
    """The rules that the options ask for.

    Raises:
        SettingsError: lengths that contradict each other or are missing.
    """
    from cryoglean.evaluate.score import Rules
    from cryoglean.io.micrographs import find_micrographs, read_micrograph_shape
    from cryoglean.micrograph import micrograph_name

    shapes: dict[str, tuple[int, int]] = {}
    if size.micrograph_shape is not None:
        shapes = dict.fromkeys(truth.micrographs, size.micrograph_shape)
    elif size.micrographs:
        shapes = {micrograph_name(path): read_micrograph_shape(path) for path in find_micrographs(size.micrographs)}
    return Rules(
        diameter_pixels=_diameter_pixels(size, truth),
        tolerance_diameters=size.tolerance,
        border_pixels=size.border_pixels,
        shapes=shapes,
    )


def _diameter_pixels(size: Size, truth: Picks) -> float | None:
    if size.diameter_pixels is not None:
        return size.diameter_pixels
    if size.diameter_angstrom is not None and size.pixel_size_angstrom is not None:
        ParticleSize(size.diameter_angstrom, size.pixel_size_angstrom).check()
        return size.diameter_angstrom / size.pixel_size_angstrom
    if size.diameter_angstrom is None and truth.diameter_pixels is not None:
        return None
    raise SettingsError(
        "the particle's diameter in pixels is not known", where="evaluate",
        fix="Give --diameter-pixels, or --diameter-angstrom and --pixel-size-angstrom.",
    )  # fmt: skip


def say_evaluation(result: dict[str, Any]) -> None:
    """The numbers that matter, one a line."""
    intervals = result.get("intervals") or {}
    for name in ("f1", "precision", "recall", "best_f1", "average_precision"):
        value = result.get(name)
        if value is not None:
            interval = intervals.get(name)
            text = f"  95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
            print(f"{name:18s} {value:.3f}{text}")
    counts = {name: result[name] for name in ("true_positives", "picks", "truth") if name in result}
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items()))
    orientation = result.get("orientation") or {}
    if orientation.get("looks_flipped") or orientation.get("looks_swapped"):
        print(f"WARNING: {orientation['sentence']}")
