"""Random molecules: the same seed gives the same one, other seeds give very different ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cryoglean.simulate.micrograph import simulate_micrograph
from cryoglean.simulate.molecules import build_molecule, molecule_names
from cryoglean.simulate.random_molecules import DIAMETERS_ANGSTROM, random_diameter, random_molecule, random_plan
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulate.symmetry import group_rotations
from cryoglean.simulate.views import random_views
from cryoglean.simulate.volume import centre_of_mass


def test_the_same_seed_gives_the_same_molecule() -> None:
    first, again, other = (random_molecule(np.random.default_rng(seed), 8.0, 160.0) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first.density, again.density)
    assert first.density.shape != other.density.shape or not np.array_equal(first.density, other.density)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_centred_dense_and_about_as_large_as_asked(seed: int) -> None:
    """The grains are blurred by at least 0.7 voxels, which makes small molecules somewhat larger."""
    volume = random_molecule(np.random.default_rng(seed), 7.5, 150.0)

    np.testing.assert_allclose(centre_of_mass(volume.density), volume.density.shape[0] // 2, atol=0.02)
    assert 0.9 * 150 < volume.diameter_angstrom < 1.25 * 150
    assert volume.density.max() > 0.2


def test_diameters_are_spread_over_the_whole_range_evenly_in_their_logarithm() -> None:
    generator = np.random.default_rng(0)

    logs = np.log([random_diameter(generator) for _ in range(2000)])

    low, high = np.log(DIAMETERS_ANGSTROM)
    counts, _ = np.histogram(logs, bins=5, range=(low, high))
    assert counts.sum() == 2000
    assert counts.min() > 320  # 400 expected, deviation 18


def test_symmetries_and_bodies_vary() -> None:
    plans = [random_plan(np.random.default_rng(seed)) for seed in range(300)]

    groups = Counter(plan.group for plan in plans)
    assert {"C1", "C2", "C4", "D2", "D7", "O", "I"} <= set(groups)
    assert groups.most_common(1)[0][1] < 120
    assert {len(plan.bodies) for plan in plans} >= {1, 2, 3, 4}
    hollow = np.mean([any(body.hollow > 0 for body in plan.bodies) for plan in plans])
    assert 0.2 < hollow < 0.8


def test_polyhedral_molecules_keep_round_shared_bodies() -> None:
    """A shared body is filled once and copied, so only a ball has the symmetry of its group."""
    plans = [random_plan(np.random.default_rng(seed)) for seed in range(300)]

    shared = [body for plan in plans if plan.group in "TOI" for body in plan.bodies if body.is_shared]
    assert shared
    assert all(len(set(body.radii)) == 1 for body in shared)


def test_every_group_has_as_many_rotations_as_its_name_says() -> None:
    orders = {"C8": 8, "D7": 14, "T": 12, "O": 24, "I": 60}

    assert {group: len(group_rotations(group)) for group in orders} == orders


def test_none_of_them_is_a_built_in_molecule() -> None:
    """The built-in ones stay unseen: no random density is like one of them at the same size."""
    built_in = {name: _profile(build_molecule(name, 8.0)) for name in molecule_names()}

    for seed in range(12):
        random_one = _profile(random_molecule(np.random.default_rng(seed), 8.0))
        assert all(not np.array_equal(random_one, known) for known in built_in.values())


def _profile(volume: object) -> np.ndarray:  # type: ignore[type-arg]
    density = volume.density  # type: ignore[attr-defined]
    return np.sort(density.ravel())[-200:]


def test_its_views_make_a_micrograph() -> None:
    volume = random_molecule(np.random.default_rng(1), 8.0, 160.0)
    settings = SimulationSettings(
        shape_pixels=(200, 200), pixel_size_angstrom=8.0, particles_per_micrograph=15, carbon_edge=0, ice_crystals=0
    )

    made = simulate_micrograph(settings, 0, "random", random_views(volume, 16, 0))

    assert len(made.xy) > 3
    assert made.diameter_pixels == pytest.approx(volume.diameter_angstrom / 8.0)
    assert made.signal.std() > 0
