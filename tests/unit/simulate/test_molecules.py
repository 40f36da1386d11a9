"""Built-in molecules: size, mass, symmetry, centre."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from cryoglean.errors import SettingsError
from cryoglean.simulate.molecules import build_molecule, molecule_group, molecule_names
from cryoglean.simulate.symmetry import group_generators, group_rotations
from cryoglean.simulate.volume import PROTEIN_OVER_ICE_VOLTS, centre_of_mass

# published sizes: β-galactosidase 175 Å and 465 kDa (doi:10.1126/science.aab1576), apoferritin 122 Å and 480 kDa,
# 20S proteasome 150 x 115 Å and 700 kDa, 70S ribosome 250 Å, IgG 150 Å and 150 kDa
_PUBLISHED_DIAMETERS_ANGSTROM = {"tetramer": 175, "ferritin": 122, "barrel": 160, "ribosome": 245, "antibody": 155}
_PUBLISHED_MASSES_KDA = {"tetramer": 465, "ferritin": 480, "barrel": 700, "antibody": 150}


def test_there_are_at_least_eight_of_several_symmetries() -> None:
    assert len(molecule_names()) >= 8
    assert {"C1", "C4", "D2", "D7", "O", "I"} <= {molecule_group(name) for name in molecule_names()}


@pytest.mark.parametrize("name", molecule_names())
def test_the_middle_of_the_cube_is_the_centre_of_mass(name: str) -> None:
    density = build_molecule(name, 5.0).density

    assert density.shape[0] % 2 == 1
    np.testing.assert_allclose(centre_of_mass(density), density.shape[0] // 2, atol=0.02)


@pytest.mark.parametrize("name", molecule_names())
def test_the_cube_holds_the_molecule(name: str) -> None:
    density = build_molecule(name, 5.0).density

    walls = [density[0], density[-1], density[:, 0], density[:, -1], density[:, :, 0], density[:, :, -1]]
    assert max(float(np.abs(wall).max()) for wall in walls) < 0.01 * density.max()


@pytest.mark.parametrize("name", molecule_names())
def test_turning_by_the_group_changes_nothing(name: str) -> None:
    density = build_molecule(name, 4.0).density
    centre = np.full(3, density.shape[0] // 2)
    for generator in group_generators(molecule_group(name)):
        turn = generator[::-1, ::-1].T  # (z, y, x) order; affine_transform wants output to input
        turned = affine_transform(density, turn, offset=centre - turn @ centre, order=3)

        assert np.corrcoef(turned.ravel(), density.ravel())[0, 1] > 0.98


def test_turning_by_something_else_changes_the_tetramer() -> None:
    density = build_molecule("tetramer", 4.0).density
    fourfold = group_rotations("C4")[1][::-1, ::-1].T
    centre = np.full(3, density.shape[0] // 2)

    turned = affine_transform(density, fourfold, offset=centre - fourfold @ centre, order=3)

    assert np.corrcoef(turned.ravel(), density.ravel())[0, 1] < 0.95


@pytest.mark.parametrize(("name", "expected"), _PUBLISHED_DIAMETERS_ANGSTROM.items())
def test_the_diameter_is_like_the_published_one(name: str, expected: float) -> None:
    assert build_molecule(name, 4.0).diameter_angstrom == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("name", "expected"), _PUBLISHED_MASSES_KDA.items())
def test_the_mass_is_like_the_published_one(name: str, expected: float) -> None:
    density = build_molecule(name, 4.0).density

    mass = density.sum() * 4.0**3 / PROTEIN_OVER_ICE_VOLTS / 1.21 / 1000.0

    assert mass == pytest.approx(expected, rel=0.25)


def test_the_voxel_size_changes_neither_mass_nor_diameter() -> None:
    fine, coarse = build_molecule("barrel", 2.5), build_molecule("barrel", 6.0)

    assert fine.density.sum() * 2.5**3 == pytest.approx(coarse.density.sum() * 6.0**3, rel=1e-3)
    assert fine.diameter_angstrom == pytest.approx(coarse.diameter_angstrom, abs=9.0)


def test_a_molecule_is_always_the_same() -> None:
    first, second = build_molecule("globule", 4.0), build_molecule("globule", 4.0)

    np.testing.assert_array_equal(first.density, second.density)


def test_a_misspelt_molecule_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean tetramer"):
        build_molecule("tetrmer", 4.0)
