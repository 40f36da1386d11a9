"""Random molecules: what a network learns from that is to know particles in general, none in particular.

They share the bodies and the grains of the built-in molecules, but none of their forms: those stay unseen, for tests.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoglean.simulate.molecules import Body, Molecule, Vector, fill_molecule, spread_grains
from cryoglean.simulate.symmetry import group_rotations
from cryoglean.simulate.volume import Volume

DIAMETERS_ANGSTROM = (60.0, 400.0)
"""Least and largest diameter; its logarithm is evenly distributed."""
_GROUPS = {
    **{"C1": 0.26, "C2": 0.1, "C3": 0.06, "C4": 0.05, "C5": 0.03, "C6": 0.03, "C7": 0.02, "C8": 0.02},
    **{"D2": 0.09, "D3": 0.06, "D4": 0.05, "D5": 0.03, "D6": 0.03, "D7": 0.03, "T": 0.04, "O": 0.05, "I": 0.05},
}
_NOMINAL_ANGSTROM = 100.0
_COARSE_GRAIN_ANGSTROM3 = 1000.0


def random_diameter(generator: np.random.Generator) -> float:
    """A diameter in angstrom, within `DIAMETERS_ANGSTROM`."""
    return float(np.exp(generator.uniform(*np.log(DIAMETERS_ANGSTROM))))


def random_molecule(
    generator: np.random.Generator, voxel_size_angstrom: float, diameter_angstrom: float | None = None
) -> Volume:
    """The density of a molecule that has never been before.

    Args:
        generator: decides everything.
        voxel_size_angstrom: side of a voxel, above 0.
        diameter_angstrom: about how large; by default `random_diameter`.
    """
    wanted = random_diameter(generator) if diameter_angstrom is None else diameter_angstrom
    return fill_molecule(_of_diameter(random_plan(generator), wanted, generator), generator, voxel_size_angstrom)


def random_plan(generator: np.random.Generator) -> Molecule:
    """A random point group with random bodies: lobes, a shell, a barrel, a chain, or lobes on a micelle or a core.

    Args:
        generator: decides everything.
    """
    group = str(generator.choice(list(_GROUPS), p=np.array(list(_GROUPS.values())) / sum(_GROUPS.values())))
    kind = generator.random()
    if group in ("T", "O", "I"):
        lobes = _lobes(generator, group) if kind < 0.6 else ()
        return Molecule(group, (_shell(generator, 1.0), *lobes))
    aspect = float(np.exp(generator.uniform(np.log(0.5), np.log(2.0))))
    if kind < 0.45:
        return Molecule(group, _lobes(generator, group, aspect))
    if kind < 0.6:
        return Molecule(group, (_shell(generator, aspect), *(_lobes(generator, group, aspect)[:2])))
    if kind < 0.75:
        return Molecule(group, _barrel(generator, group))
    if kind < 0.87:
        return Molecule(group, _chain(generator))
    return Molecule(group, (_micelle(generator), *_lobes(generator, group, aspect)))


def _of_diameter(molecule: Molecule, diameter_angstrom: float, generator: np.random.Generator) -> Molecule:
    """The same molecule, its 99 % ball scaled to a diameter."""
    points, integrals = spread_grains(molecule, generator, _COARSE_GRAIN_ANGSTROM3)
    radii = np.linalg.norm(points - np.average(points, axis=0, weights=integrals), axis=1)
    order = np.argsort(radii)
    mass = np.cumsum(integrals[order])
    factor = diameter_angstrom / 2.0 / float(radii[order][np.searchsorted(mass, 0.99 * mass[-1])])
    bodies = tuple(
        replace(body, centre=_scaled(body.centre, factor), radii=_scaled(body.radii, factor))
        for body in molecule.bodies
    )
    return Molecule(molecule.group, bodies)


def _scaled(vector: Vector, factor: float) -> Vector:
    x, y, z = vector
    return (x * factor, y * factor, z * factor)


def _lobes(generator: np.random.Generator, group: str, aspect: float = 1.0) -> tuple[Body, ...]:
    """One to five ellipsoids in each copy, the smaller the more copies there are."""
    order = len(group_rotations(group))
    count = int(generator.integers(1, 6 if order < 4 else 4))
    size = 0.5 * _NOMINAL_ANGSTROM * order ** (-1.0 / 3.0) * count ** (-1.0 / 6.0)
    return tuple(_lobe(generator, size, aspect) for _ in range(count))


def _lobe(generator: np.random.Generator, size_angstrom: float, aspect: float) -> Body:
    direction = generator.standard_normal(3)
    away = 0.5 * _NOMINAL_ANGSTROM * generator.uniform(0.25, 1.0)
    x, y, z = away * direction / np.linalg.norm(direction)
    radii = size_angstrom * generator.uniform(0.4, 1.1, 3)
    turns = generator.uniform(0.0, 180.0, 3)
    weight, is_hollow = generator.uniform(0.5, 1.3), generator.random() < 0.15
    return Body(
        (float(x), float(y), float(z) * aspect), _vector(radii), hollow=0.6 if is_hollow else 0.0,
        turn_degrees=_vector(turns), weight=float(weight),
    )  # fmt: skip


def _shell(generator: np.random.Generator, aspect: float) -> Body:
    """A hollow or solid body that all copies share."""
    radius = 0.5 * _NOMINAL_ANGSTROM * generator.uniform(0.6, 1.0)
    hollow = generator.uniform(0.4, 0.88) if generator.random() < 0.7 else 0.0
    weight = generator.uniform(0.4, 1.0)
    return Body(
        (0.0, 0.0, 0.0), _vector(np.array([radius, radius, radius * aspect])),
        hollow=float(hollow), weight=float(weight), is_shared=True,
    )  # fmt: skip


def _barrel(generator: np.random.Generator, group: str) -> tuple[Body, ...]:
    """A tube or a stack of discs along the main axis, often with lobes."""
    radius = 0.5 * _NOMINAL_ANGSTROM * generator.uniform(0.4, 1.0)
    height = radius * generator.uniform(0.4, 2.5)
    hollow = float(generator.uniform(0.2, 0.75)) if generator.random() < 0.7 else 0.0
    tube = Body(
        (0.0, 0.0, 0.0), _vector(np.array([radius, radius, height])), hollow=hollow,
        weight=float(generator.uniform(0.5, 1.1)), is_shared=True, is_cylinder=True,
    )  # fmt: skip
    return (tube, *(_lobes(generator, group)[:2] if generator.random() < 0.5 else ()))


def _chain(generator: np.random.Generator) -> tuple[Body, ...]:
    """Lumps along a stiff random walk."""
    count, stiffness = int(generator.integers(3, 8)), float(generator.uniform(0.3, 1.5))
    size = float(generator.uniform(14.0, 24.0))
    direction, place, lumps = generator.standard_normal(3), generator.normal(0.0, 15.0, 3), []
    for _ in range(count):
        lumps.append(Body(_vector(place), _vector(size * generator.uniform(0.6, 1.2, 3))))
        direction = stiffness * direction / np.linalg.norm(direction) + generator.standard_normal(3)
        place = place + 1.4 * size * direction / np.linalg.norm(direction)
    return tuple(lumps)


def _micelle(generator: np.random.Generator) -> Body:
    """A flat belt of weak density about the middle."""
    radius = 0.5 * _NOMINAL_ANGSTROM * generator.uniform(0.6, 1.0)
    flat = radius * generator.uniform(0.3, 0.6)
    return Body(
        (0.0, 0.0, 0.0), _vector(np.array([radius, radius, flat])), hollow=float(generator.uniform(0.0, 0.6)),
        weight=float(generator.uniform(0.25, 0.5)), is_shared=True,
    )  # fmt: skip


def _vector(values: np.typing.NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
