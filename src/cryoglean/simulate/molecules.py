"""Built-in molecules: simple bodies filled with density, copied by a point group, in the size of well-known ones."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.simulate.symmetry import group_rotations
from cryoglean.simulate.volume import PROTEIN_OVER_ICE_VOLTS, Volume, volume_of_points

_GRAIN_ANGSTROM3 = 216.0
"""Volume of one grain of density; with the sigma below the density varies by about a quarter, as at 10 Å resolution."""
_GRAIN_SIGMA_ANGSTROM = 4.0

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Body:
    """A filled or hollow ellipsoid or cylinder of even density.

    Args:
        centre: x, y, z in angstrom.
        radii: half axes along x, y and z before turning, in angstrom.
        hollow: the share of the radii that is empty inside, in [0, 1); a cylinder is then a tube.
        turn_degrees: turns about x, then y, then z, before it is put at its centre.
        weight: density relative to protein.
        is_shared: it belongs to all copies together (a shell, a micelle); otherwise each copy has one.
        is_cylinder: its axis is z.
    """

    centre: Vector
    radii: Vector
    hollow: float = 0.0
    turn_degrees: Vector = (0.0, 0.0, 0.0)
    weight: float = 1.0
    is_shared: bool = False
    is_cylinder: bool = False


@dataclass(frozen=True, slots=True)
class Molecule:
    """A point group and the bodies of one copy."""

    group: str
    bodies: tuple[Body, ...]


_MOLECULES = {
    # like a small enzyme of about 200 kDa without symmetry
    "globule": Molecule(
        "C1",
        (
            Body((0, 0, 0), (40, 28, 26)),
            Body((34, 18, 6), (22, 20, 18)),
            Body((-20, -26, 18), (20, 16, 24)),
        ),
    ),
    # like β-galactosidase (465 kDa, 175 × 135 × 90 Å)
    "tetramer": Molecule(
        "D2",
        (
            Body((38, 26, 12), (46, 33, 32), turn_degrees=(0, 0, 18), weight=0.7),
            Body((0, 0, 0), (62, 46, 30), weight=0.35, is_shared=True),
        ),
    ),
    # like apoferritin (480 kDa, a shell of 80 to 122 Å)
    "ferritin": Molecule(
        "O",
        (
            Body((0, 0, 0), (60, 60, 60), hollow=0.68, weight=0.75, is_shared=True),
            Body((20, 8, 46), (9, 11, 22), turn_degrees=(0, 65, 20), weight=0.5),
        ),
    ),
    # like the 20S proteasome (700 kDa, 115 × 150 Å)
    "barrel": Molecule(
        "D7", (Body((38, 0, 19), (21, 20, 20), weight=0.9), Body((37, 5, 56), (20, 20, 20), weight=0.9))
    ),
    # like TRPV1 (380 kDa) in a detergent micelle
    "channel": Molecule(
        "C4",
        (
            Body((17, 4, 0), (13, 13, 28)),
            Body((35, 14, -44), (22, 18, 20)),
            Body((0, 0, 2), (54, 54, 22), hollow=0.5, weight=0.45, is_shared=True),
        ),
    ),
    # like the 70S ribosome (2.5 MDa, two lobes, 250 Å; nucleic acid is denser than protein)
    "ribosome": Molecule(
        "C1",
        (
            Body((0, 45, 0), (85, 66, 72), weight=1.35),
            Body((5, -58, 6), (80, 42, 54), turn_degrees=(0, 0, 10), weight=1.35),
            Body((88, 60, 10), (26, 14, 14), turn_degrees=(0, 0, 30), weight=1.2),
            Body((-84, 62, -16), (22, 18, 16), weight=1.2),
            Body((-62, -90, 10), (24, 18, 24), weight=1.2),
        ),
    ),
    # like a small virus (300 Å across, nucleic acid inside)
    "capsid": Molecule(
        "I",
        (
            Body((0, 0, 0), (146, 146, 146), hollow=0.82, is_shared=True),
            Body((0, 0, 0), (116, 116, 116), weight=0.7, is_shared=True),
            Body((38, 30, 138), (14, 12, 14), weight=0.8),
        ),
    ),
    # a stack of rings, 250 Å long
    "rod": Molecule(
        "D3", (Body((17, 0, 20), (18, 18, 23)), Body((16, 8, 60), (18, 17, 23)), Body((14, 0, 101), (16, 17, 24)))
    ),
    # like an antibody (150 kDa, a Y of 150 Å)
    "antibody": Molecule(
        "C2",
        (
            Body((0, 0, -38), (24, 17, 33), is_shared=True),
            Body((44, 8, 28), (19, 17, 38), turn_degrees=(0, 62, 0)),
        ),
    ),
}


def molecule_names() -> tuple[str, ...]:
    """The names of the built-in molecules."""
    return tuple(_MOLECULES)


def molecule_group(name: str) -> str:
    """The point group of a built-in molecule; see `symmetry.group_generators`.

    Raises:
        SettingsError: there is no such molecule.
    """
    return _molecule(name).group


def build_molecule(name: str, voxel_size_angstrom: float) -> Volume:
    """The density of a built-in molecule, always the same for the same name.

    Args:
        name: one of `molecule_names()`.
        voxel_size_angstrom: side of a voxel, above 0.

    Raises:
        SettingsError: there is no such molecule.
    """
    return fill_molecule(_molecule(name), np.random.default_rng(crc32(name.encode())), voxel_size_angstrom)


def fill_molecule(molecule: Molecule, rng: np.random.Generator, voxel_size_angstrom: float) -> Volume:
    """The density of any molecule.

    Args:
        molecule: a point group and the bodies of one copy.
        rng: where the grains lie.
        voxel_size_angstrom: side of a voxel, above 0.
    """
    points, integrals = spread_grains(molecule, rng)
    return volume_of_points(points, integrals, _GRAIN_SIGMA_ANGSTROM, voxel_size_angstrom)


def spread_grains(
    molecule: Molecule, rng: np.random.Generator, grain_angstrom3: float = _GRAIN_ANGSTROM3
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The grains of density that a molecule is made of.

    Args:
        molecule: a point group and the bodies of one copy.
        rng: where the grains lie.
        grain_angstrom3: volume of a grain.

    Returns:
        (n, 3) x, y, z in angstrom, and (n,) volts times cubic angstrom.
    """
    rotations = group_rotations(molecule.group)
    filled = [_fill(body, rng, len(rotations), grain_angstrom3) for body in molecule.bodies]
    points = np.concatenate([points for points, _ in filled])
    integrals = np.concatenate([integrals for _, integrals in filled])
    copies = np.concatenate([points @ rotation.T for rotation in rotations])
    return copies, np.tile(integrals, len(rotations))


def _molecule(name: str) -> Molecule:
    if name not in _MOLECULES:
        raise SettingsError(f"there is no molecule '{name}'", fix=did_you_mean(name, molecule_names()))
    return _MOLECULES[name]


def _fill(
    body: Body, rng: np.random.Generator, copies: int, grain_angstrom3: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grains of one copy's part of a body: (n, 3) x, y, z in angstrom, (n,) volts times cubic angstrom."""
    share = 1.0 / copies if body.is_shared else 1.0
    volume = _volume_angstrom3(body) * share
    count = max(round(volume / grain_angstrom3), 1)
    inside = _points_inside(body, rng, count) * np.array(body.radii)
    turned = Rotation.from_euler("xyz", body.turn_degrees, degrees=True).apply(inside)
    integral = PROTEIN_OVER_ICE_VOLTS * body.weight * volume / count
    return turned + np.array(body.centre), np.full(count, integral)


def _volume_angstrom3(body: Body) -> float:
    full = float(np.prod(body.radii)) * (2.0 * np.pi if body.is_cylinder else 4.0 / 3.0 * np.pi)
    return full * (1.0 - body.hollow ** (2 if body.is_cylinder else 3))


def _points_inside(body: Body, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(count, 3) points spread evenly in the unit ball or cylinder, less its hollow."""
    found = np.empty((0, 3))
    while len(found) < count:
        points = rng.uniform(-1.0, 1.0, (max(8 * count, 64), 3))
        radius = np.linalg.norm(points[:, :2] if body.is_cylinder else points, axis=1)
        found = np.concatenate([found, points[(radius <= 1.0) & (radius >= body.hollow)]])
    return found[:count]
