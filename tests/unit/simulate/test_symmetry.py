"""Point groups and uniform rotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoglean.errors import SettingsError
from cryoglean.simulate.symmetry import group_rotations, random_rotations


@pytest.mark.parametrize("group", ["C1", "C4", "C7", "D1", "D2", "D7", "T", "O", "I"])
def test_a_group_is_the_one_that_scipy_knows(group: str) -> None:
    """Groups may be set up on other axes; their sets of angles of turning may not differ."""
    found = Rotation.from_matrix(group_rotations(group)).magnitude()
    expected = Rotation.create_group(group).magnitude()

    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=1e-6)


@pytest.mark.parametrize("group", ["D2", "O", "I"])
def test_products_stay_in_the_group(group: str) -> None:
    rotations = group_rotations(group)
    products = np.einsum("aij,bjk->abik", rotations, rotations).reshape(-1, 3, 3)

    nearest = np.abs(products[:, None] - rotations[None]).max(axis=(2, 3)).min(axis=1)

    assert nearest.max() < 1e-6


@pytest.mark.parametrize("group", ["", "C0", "X3", "d2", "D100"])
def test_an_unknown_group_is_refused(group: str) -> None:
    with pytest.raises(SettingsError, match="no point group"):
        group_rotations(group)


def test_random_rotations_are_uniform() -> None:
    """The cosine of the tilt is even on [-1, 1], and the mean squared trace is 1 (Haar measure)."""
    rotations = random_rotations(np.random.default_rng(0), 20000)

    tilts = np.sort(rotations[:, 2, 2])
    even = (2.0 * np.arange(1, len(tilts) + 1) - 1.0) / len(tilts) - 1.0
    assert np.abs(tilts - even).max() < 0.03
    assert np.mean(np.trace(rotations, axis1=1, axis2=2) ** 2) == pytest.approx(1.0, abs=0.05)
