"""Make a folder of simulated micrographs with their coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoglean.errors import PicksError, SettingsError
from cryoglean.io.micrographs import write_micrograph
from cryoglean.io.picks import write_picks
from cryoglean.picks import Picks
from cryoglean.simulate.micrograph import simulate_micrographs
from cryoglean.simulate.settings import SimulationSettings


def simulate_folder(
    out: Path, count: int, seed: int, settings: SimulationSettings, tell: Callable[[str], None] | None = None
) -> Picks:
    """Write `count` MRC files and `coordinates.csv`.

    Args:
        out: the folder; made if needed, files of the same name are replaced.
        count: how many micrographs.
        seed: decides everything; micrograph 3 is the same whether 5 or 50 are made.
        settings: of the simulation.
        tell: is told the name of each finished micrograph.

    Returns:
        The true particles, with their diameter in pixels.

    Raises:
        SettingsError: `count` is below 1, `seed` below 0, or the settings are impossible.
    """
    for option, value, least in (("--micrographs", count, 1), ("--seed", seed, 0)):
        if value < least:
            raise SettingsError(f"it is {value}", where=option, fix=f"Give {least} or more.")
    tables: list[Picks] = []
    for made in simulate_micrographs(settings, count, seed):
        name = made.micrograph.name
        write_micrograph(made.micrograph, out / f"{name}.mrc")
        one = Picks.of_one(name, made.xy)
        tables.append(replace(one, diameter_pixels=np.full(len(one), made.diameter_pixels)))
        if tell is not None:
            tell(name)
    picks = Picks.concatenate(tables)
    write_picks(picks, out / "coordinates.csv")
    return picks


def diameter_angstrom(picks: Picks, settings: SimulationSettings) -> float:
    """Of the simulated particles.

    Raises:
        PicksError: there is no particle.
    """
    if picks.diameter_pixels is None or not len(picks):
        raise PicksError("the simulation has no particle", fix="Ask for more particles per micrograph.")
    return float(picks.diameter_pixels[0]) * settings.pixel_size_angstrom
