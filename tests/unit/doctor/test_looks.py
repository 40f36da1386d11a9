"""What is measured on micrographs and labels: strength of mean pictures, their extent, copies, contrast."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cryoglean.dataset import Dataset, Role
from cryoglean.doctor.checks.diameter import find_extent
from cryoglean.doctor.looks import Looks, Stack, distances, look_at, nearest_labels
from cryoglean.doctor.pictures import show_findings
from cryoglean.finding import Finding
from cryoglean.io.micrographs import write_micrograph
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.settings import Settings
from doctor.making import PIXELS, look, looks, stack

SHAPE, DIAMETER = (300, 360), 24.0


def dark_discs(xy: np.ndarray, seed: int) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.random.default_rng(seed).normal(0, 1, SHAPE)
    for centre in xy:
        pixels -= 1.5 * (np.hypot(x - centre[0], y - centre[1]) < DIAMETER / 2)
    return pixels.astype(np.float32)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Looks]:
    """Two labelled and one unlabelled micrograph of dark discs; `change` edits the coordinates of the labels."""

    def build(change: Callable[[np.ndarray], np.ndarray] = lambda xy: xy) -> Looks:
        roles: dict[str, Role] = {"one": "train", "two": "validation", "three": "unlabelled"}
        paths, labels = {}, []
        for seed, (name, role) in enumerate(roles.items()):
            rng = np.random.default_rng(100 + seed)
            xy = rng.uniform(DIAMETER, np.array(SHAPE[::-1]) - DIAMETER, (40, 2))
            paths[name] = tmp_path / f"{name}.mrc"
            write_micrograph(Micrograph(name, dark_discs(xy, seed), 2.0), paths[name])
            if role != "unlabelled":
                labels.append(Picks.of_one(name, change(xy)))
        dataset = Dataset(paths, roles, Picks.concatenate(labels), DIAMETER * 2.0, None)
        return look_at(dataset, Settings())

    return build


def test_labels_on_particles_are_far_stronger_than_chance_and_moved_ones_are_not(make: Callable[..., Looks]) -> None:
    found = make()
    strength = {name: found.stack(name).strength(PIXELS) for name in ("", "flip_y", "swap", "scale=2")}  # type: ignore[union-attr]

    assert strength[""] > 20
    assert max(strength["flip_y"], strength["swap"], strength["scale=2"]) < 3


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda xy: np.stack([xy[:, 0], SHAPE[0] - 1 - xy[:, 1]], axis=1), "flip_y"),
        (lambda xy: xy[:, ::-1], "swap"),
        (lambda xy: xy / 2, "scale=2"),
    ],
    ids=["upside down", "swapped", "binned"],
)
def test_the_move_that_mends_is_the_strongest(make: Callable[..., Looks], change: object, name: str) -> None:
    found = make(change)
    strength = {each: found.stack(each).strength(PIXELS) for each in found.labelled[0].stacks}  # type: ignore[union-attr]

    assert max(strength, key=lambda each: strength[each]) == name


def test_each_micrograph_is_described(make: Callable[..., Looks]) -> None:
    found = {one.name: one for one in make().each}

    assert {name: one.role for name, one in found.items()} == {
        "one": "train",
        "two": "validation",
        "three": "unlabelled",
    }
    assert all(one.shape == SHAPE and one.pixel_size_angstrom == 2.0 and not one.error for one in found.values())
    assert found["one"].differences.mean() < -0.5
    assert not found["three"].stacks
    assert len({one.digest for one in found.values()}) == 3
    assert float((found["one"].thumbnail * found["two"].thumbnail).sum()) < 0.3


def test_stacks_add_up() -> None:
    first, second = stack(-1.0, seed=1), stack(-1.0, seed=2)

    both = first + second

    assert both.count == first.count + second.count
    np.testing.assert_allclose(both.mean, (first.mean + second.mean) / 2)


def test_noise_alone_is_chance() -> None:
    found = [stack(0.0, seed=seed).strength(PIXELS) for seed in range(20)]

    assert np.mean(found) == pytest.approx(1.0, abs=0.15)


def test_no_piece_is_no_strength() -> None:
    assert Stack(0, np.zeros((41, 41)), 0.0, 3, 3).strength(PIXELS) == 0.0


@pytest.mark.parametrize("extent", [5.0, 9.0, 20.0])
def test_the_extent_of_a_disc_is_its_radius(extent: float) -> None:
    profile = (np.arange(80) < extent).astype(float)

    assert find_extent(profile) == pytest.approx(extent, abs=1.5)
    assert find_extent(-3 * profile + 2) == pytest.approx(extent, abs=1.5)


def test_distances_are_measured_from_the_middle() -> None:
    away = distances(5)

    assert away[2, 2] == 0
    assert away[0, 2] == 2
    assert away[0, 0] == pytest.approx(np.sqrt(8))


def test_the_nearest_label_of_a_single_one_is_infinitely_far() -> None:
    assert nearest_labels(look("a", labels=np.array([[1.0, 2.0]]))).tolist() == [np.inf]
    assert nearest_labels(look("a", labels=np.array([[0.0, 0], [3, 4], [30, 40]]))).tolist() == [5, 5, 45]


def test_pictures_show_labels_as_given_and_moved_and_both_of_a_pair() -> None:
    where = looks()
    found = [
        Finding("error", "x", {}, "", "", "", labels="flip_y", check="orientation"),
        Finding("error", "x", {"micrograph": "a", "twin": "g"}, "", "", "", check="duplicates"),
        Finding("error", "x", {}, "", "", "", check="learning_rate"),
    ]

    shown = show_findings(where, found)

    assert sorted(shown) == ["duplicates", "orientation"]
    assert [caption.split(",")[1].strip()[:5] for caption in shown["orientation"]] == ["as gi", "moved"]
    assert list(shown["duplicates"]) == ["a (train)", "g (test)"]
    assert {picture.shape for picture in shown["orientation"].values()} == {(41, 41)}
