"""A blob filter's answers as targets."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoglean.prepare.blobs import find_blobs
from cryoglean.prepare.targets import paint_discs
from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.settings import TargetSettings

DIAMETER = 16.0
SIDE = 200
SETTINGS = TargetSettings()
PLACES = np.array([(x + 3.0 * (y % 4), y) for x in range(30, 175, 36) for y in range(30, 175, 36)], dtype=np.float64)


def discs(noise: float = 0.3, height: float = 2.0) -> LearnedMicrograph:
    """Bright discs on noise, nobody labelled them; the outer 8 pixels don't count."""
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1)
    bright = cKDTree(PLACES).query(grid)[0] < DIAMETER / 2
    image = height * bright + noise * np.random.default_rng(0).normal(size=(SIDE, SIDE))
    w = torch.zeros(SIDE, SIDE)
    w[8:-8, 8:-8] = 1
    return LearnedMicrograph(
        "one", torch.from_numpy(image.astype(np.float32)), torch.zeros(SIDE, SIDE), w, np.empty((0, 2))
    )


def label(micrograph: LearnedMicrograph, xy: NDArray[np.float64]) -> LearnedMicrograph:
    """The same with some particles labelled."""
    y, w = paint_discs(xy, (SIDE, SIDE), DIAMETER, SETTINGS)
    return replace(micrograph, y=torch.from_numpy(y), w=micrograph.w * torch.from_numpy(w), xy=xy)


def density_of(count: int) -> float:
    return count / (SIDE - 16) ** 2


def find(micrograph: LearnedMicrograph, count: int = len(PLACES)) -> LearnedMicrograph:
    return find_blobs(micrograph, DIAMETER, density_of(count), SETTINGS)


def test_bright_discs_of_the_particles_size_are_found() -> None:
    found = find(discs())

    distance, nearest = cKDTree(PLACES).query(found.xy)
    assert sorted(nearest.tolist()) == list(range(len(PLACES)))
    assert float(distance.max()) < 2


def test_dark_discs_are_not() -> None:
    found = find(discs(noise=0.0, height=-2.0))

    assert len(found.xy) == 0 or float(cKDTree(PLACES).query(found.xy)[0].min()) > DIAMETER / 2


@pytest.mark.parametrize("count", [1, 5, 25])
def test_there_are_as_many_as_the_density_says(count: int) -> None:
    assert len(find(discs(noise=1.0), count).xy) == count


def test_there_are_never_more_than_there_are_peaks() -> None:
    """Two blobs keep 0.6 diameters from each other, in x or in y."""
    found = find(discs(noise=1.0), 5000)

    apart = np.abs(found.xy[:, None] - found.xy[None]).max(-1) + SIDE * np.eye(len(found.xy))
    assert 25 <= len(found.xy) < 200
    assert float(apart.min()) > 0.55 * DIAMETER


def test_the_strongest_come_first() -> None:
    micrograph = discs(noise=0.1)
    micrograph.image[int(PLACES[7, 1]) - 6 : int(PLACES[7, 1]) + 7, int(PLACES[7, 0]) - 6 : int(PLACES[7, 0]) + 7] += 2

    found = find(micrograph, 1)

    assert float(np.linalg.norm(found.xy[0] - PLACES[7])) < 2


def test_targets_are_discs_at_the_blobs_where_something_counts() -> None:
    micrograph = discs()

    found = find(micrograph)

    y, w = paint_discs(found.xy, (SIDE, SIDE), DIAMETER, SETTINGS)
    assert np.array_equal(found.y.numpy(), y)
    assert np.array_equal(found.w.numpy(), w * micrograph.w.numpy())


@pytest.mark.parametrize(
    "labels",
    [PLACES, PLACES[::3], PLACES + np.array([7.0, -5.0]), np.random.default_rng(1).uniform(20, 180, (120, 2))],
    ids=["all", "some", "wrong", "crowded"],
)
def test_labels_change_nothing(labels: NDArray[np.float64]) -> None:
    unlabelled = discs(noise=1.0)

    blind, seeing = find(unlabelled), find(label(unlabelled, labels))

    assert np.array_equal(blind.xy, seeing.xy)
    assert torch.equal(blind.y, seeing.y)
    assert torch.equal(blind.w, seeing.w)


@pytest.mark.parametrize("is_labelled", [False, True])
def test_what_must_not_be_learned_from_is_not(*, is_labelled: bool) -> None:
    """Quadrants kept for validation: no blob there, and nothing there counts, labelled or not."""
    micrograph = discs()
    inside = PLACES[PLACES[:, 0] < 100]
    labelled = label(micrograph, inside) if is_labelled else micrograph
    labelled.w[:, 100:] = 0

    found = find(labelled)

    assert len(found.xy) > 0
    assert float(found.xy[:, 0].max()) < 100
    assert float(found.w[:, 100:].max()) == 0


def test_masked_areas_stay_masked_however_near_a_label_they_are() -> None:
    micrograph = label(discs(), PLACES)
    x, y = PLACES[12].astype(int)
    micrograph.w[y - 14 : y + 15, x + 6 : x + 26] = 0

    found = find(micrograph)

    assert float(found.w[y - 14 : y + 15, x + 6 : x + 26].max()) == 0


def test_where_nothing_is_to_be_seen_nothing_is_found() -> None:
    micrograph = discs()

    found = find(replace(micrograph, w=torch.zeros(SIDE, SIDE)))

    assert len(found.xy) == 0
    assert float(found.w.max()) == 0
