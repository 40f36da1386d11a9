"""Patches from a file: levelled by their rim, one deviation for all, the same as a micrograph's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.micrograph import Micrograph
from cryoglean.prepare.normalize import Preparation
from cryoglean.prepare.patch_pictures import prepare_patches

DARK = Preparation(20.0, 20.0, 1.5, 5.0, particles_are_dark=True)
SIDE = 50


def noise(count: int, seed: int = 0, depth: float = 0.0) -> NDArray[np.float32]:
    """Noise of deviation 3 around 100, with a disc in the middle that is `depth` darker."""
    y, x = np.ogrid[:SIDE, :SIDE]
    disc = np.hypot(y - SIDE // 2, x - SIDE // 2) < 10
    pixels = np.random.default_rng(seed).normal(100, 3, (count, SIDE, SIDE)) - depth * disc
    return pixels.astype(np.float32)


def test_a_particle_does_not_dim_its_own_patch() -> None:
    """A mean of the whole patch would take an eighth off the particle, and nothing off empty ice."""
    first, _ = prepare_patches(noise(20, 0, depth=6.0), noise(20, 1), DARK, 1.0)

    inside = np.mean([float(one.image[20:31, 20:31].mean()) for one in first])
    rim = np.mean([float(one.image[:5].mean()) for one in first])

    assert inside - rim == pytest.approx(2.0, abs=0.1)
    assert rim == pytest.approx(0.0, abs=0.05)


def test_brightness_of_each_patch_is_forgotten_and_the_deviation_is_one_for_all() -> None:
    loud = noise(20, 1)
    loud[0] = (loud[0] - 100) * 2 + 4000

    _, second = prepare_patches(noise(4), loud, DARK, 1.0)

    assert float(second[0].image.mean()) == pytest.approx(0.0, abs=0.2)
    assert float(second[0].image.std()) == pytest.approx(2.0, rel=0.1)
    assert float(torch.stack([one.image for one in second[1:]]).std()) == pytest.approx(1.0, rel=0.05)


def test_a_patch_looks_as_its_micrograph_does() -> None:
    """A network that learned on patches picks micrographs."""
    wide = np.random.default_rng(3).normal(0, 1, (400, 400)).astype(np.float32)
    micrograph = Micrograph("wide", wide, 1.0)
    corners = [(row, column) for row in range(50, 350, 50) for column in range(50, 350, 50)]
    cut = np.stack([wide[row : row + SIDE, column : column + SIDE] for row, column in corners])

    _, second = prepare_patches(noise(4), cut, DARK, 1.0)
    whole = DARK.apply(micrograph).image
    pairs = [(one.image, whole[row : row + SIDE, column : column + SIDE])
             for one, (row, column) in zip(second, corners, strict=True)]  # fmt: skip

    differences = torch.stack([one - other for one, other in pairs])
    assert float(differences.abs().mean()) < 0.05


def test_patches_are_scaled_and_named_and_keep_their_size() -> None:
    first, second = prepare_patches(noise(2), noise(3), DARK, 0.8)

    assert first[0].image.shape == (40, 40)
    assert first[0].original_shape == (SIDE, SIDE)
    assert [one.name for one in second] == ["unlabelled-00001", "unlabelled-00002", "unlabelled-00003"]
    assert bool(second[0].valid.all())


@pytest.mark.parametrize(("pixel_size", "text"), [(0.6, "33.3 pixels across"), (8.0, "2.5 pixels across")])
def test_sizes_that_do_not_fit_are_refused(pixel_size: float, text: str) -> None:
    with pytest.raises(PicksError, match=text):
        prepare_patches(noise(2), noise(2), DARK, pixel_size)


def test_flat_patches_are_refused() -> None:
    with pytest.raises(PicksError, match="no contrast"):
        prepare_patches(noise(2), np.zeros((3, SIDE, SIDE), dtype=np.float32), DARK, 1.0)
