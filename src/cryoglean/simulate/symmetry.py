"""Point groups: the rotations that leave a molecule as it is."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryoglean.errors import SettingsError


def group_generators(group: str) -> NDArray[np.float64]:
    """A few rotations from which the whole group follows.

    Args:
        group: Schoenflies symbol of a chiral point group: `C1`, `C2`, ..., `D2`, ..., `T`, `O` or `I`. The main axis
            of C and D is z, a twofold axis of D is x; T, O and I have a threefold axis along (1, 1, 1).

    Returns:
        (n, 3, 3) rotation matrices that turn column vectors (x, y, z).

    Raises:
        SettingsError: no such group.
    """
    threefold = _turn((1.0, 1.0, 1.0), 3)
    match = re.fullmatch(r"([CD])([1-9]\d?)", group)
    if match:
        main = _turn((0.0, 0.0, 1.0), int(match[2]))
        return np.stack([main] if match[1] == "C" else [main, _turn((1.0, 0.0, 0.0), 2)])
    golden = (1.0 + 5.0**0.5) / 2.0
    second = {"T": ((0.0, 0.0, 1.0), 2), "O": ((0.0, 0.0, 1.0), 4), "I": ((0.0, 1.0, golden), 5)}
    if group not in second:
        raise SettingsError(f"there is no point group '{group}'", fix="Known are C1, C2, ..., D2, ..., T, O and I.")
    return np.stack([_turn(*second[group]), threefold])


def group_rotations(group: str) -> NDArray[np.float64]:
    """All rotations of a group, the identity first.

    Args:
        group: see `group_generators`.

    Returns:
        (n, 3, 3); n is the order of the group: n for Cn, 2n for Dn, 12, 24 and 60 for T, O and I.
    """
    generators = group_generators(group)
    known = [np.eye(3)]
    for found in known:  # grows while it is walked through
        for generator in generators:
            new = generator @ found
            if not any(np.allclose(new, old, atol=1e-6) for old in known):
                known.append(new)
    return np.stack(known)


def random_rotations(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Rotations drawn uniformly from all rotations.

    Unit quaternions with a normal distribution in each component (Marsaglia 1972, doi:10.1214/aoms/1177692644).

    Returns:
        (count, 3, 3).
    """
    quaternions = rng.standard_normal((count, 4))
    return np.asarray(Rotation.from_quat(quaternions).as_matrix(), dtype=np.float64).reshape(count, 3, 3)


def _turn(axis: tuple[float, float, float], fold: int) -> NDArray[np.float64]:
    direction = np.array(axis) / np.linalg.norm(axis)
    return np.asarray(Rotation.from_rotvec(direction * 2.0 * np.pi / fold).as_matrix(), dtype=np.float64)
