"""`cryoglean simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cryoglean.errors import SettingsError

if TYPE_CHECKING:
    from cryoglean.simulate.settings import SimulationSettings


def simulate_command(
    out: Path,
    *,
    micrographs: int,
    seed: int = 0,
    molecule: str | None = None,
    structure: Path | None = None,
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = (),  # noqa: A002
    quiet: bool = False,
) -> int:
    """Make micrographs whose particles are known: MRC files and coordinates.csv.

    Args:
        out: the folder to make.
        micrographs: how many.
        seed: decides everything; micrograph 3 is the same whether 5 or 50 are made.
        molecule: a built-in molecule; see `cryoglean list molecules`.
        structure: a PDB, mmCIF or MRC map of your own.
        set: one setting of the simulation, as in --set dose_electrons_per_angstrom2=30; may be repeated.
        quiet: no progress.
    """
    from cryoglean.cli.progress import counting
    from cryoglean.simulation import diameter_angstrom, simulate_folder

    settings = choose_simulation(molecule, structure, set)
    with counting(quiet=quiet) as make_counter:
        counter = make_counter("simulate", micrographs)
        picks = simulate_folder(out, micrographs, seed, settings, tell=counter.advance)
    if not len(picks):
        print(f"{micrographs} micrographs without a particle: {out}")
    elif not quiet:
        diameter = diameter_angstrom(picks, settings)
        print(f"{len(picks)} particles of {diameter:.0f} Å on {micrographs} micrographs: {out}")
        print(f"next: cryoglean train {out} --picks {out}/coordinates.csv --diameter-angstrom {diameter:.0f} --out RUN")
    return 0


def choose_simulation(molecule: str | None, structure: Path | None, assignments: tuple[str, ...]) -> SimulationSettings:
    """The settings of a simulation.

    Raises:
        SettingsError: unknown names or values out of range, all at once.
    """
    from cryoglean.settings import parse_assignment
    from cryoglean.simulate.settings import simulation_settings

    if molecule is not None and structure is not None:
        raise SettingsError("--molecule and --structure are both given", fix="Give one of them.")
    chosen: dict[str, Any] = {}
    for assignment in assignments:
        chosen |= parse_assignment(assignment)
    if molecule is not None:
        chosen["molecule"] = molecule
    if structure is not None:
        chosen["structure"] = structure
    return simulation_settings(chosen)
