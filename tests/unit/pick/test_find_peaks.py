"""From a map to picks."""

import numpy as np
import pytest

from cryoglean.pick import find_peaks
from cryoglean.settings import PickSettings

PLAIN = PickSettings(smooth_diameters=0.0)


def spots(places: list[tuple[float, float, float]], shape: tuple[int, int] = (80, 100)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    field = np.zeros(shape)
    for centre_x, centre_y, height in places:
        field = np.maximum(field, height * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * 3.0**2)))
    return field.astype(np.float32)


def test_peaks_are_found_to_a_fraction_of_a_pixel_highest_first() -> None:
    xy, score = find_peaks(spots([(20.3, 30.6, 0.6), (70.75, 50.25, 0.9)]), 10.0, PLAIN)

    np.testing.assert_allclose(xy, [[70.75, 50.25], [20.3, 30.6]], atol=0.05)
    assert score[0] > score[1]


def test_of_two_too_near_to_each_other_the_higher_stays() -> None:
    settings = PickSettings(smooth_diameters=0.0, distance_diameters=1.0)

    near, _ = find_peaks(spots([(40, 40, 0.6), (49, 40, 0.9)]), 10.0, settings)
    apart, _ = find_peaks(spots([(40, 40, 0.6), (51, 40, 0.9)]), 10.0, settings)

    np.testing.assert_allclose(near, [[49, 40]], atol=0.2)
    assert len(apart) == 2


def test_a_chain_of_near_peaks_keeps_every_second() -> None:
    """The middle one gives way to the first, and no longer hides the third."""
    settings = PickSettings(smooth_diameters=0.0, distance_diameters=1.0)

    xy, _ = find_peaks(spots([(30, 40, 0.9), (38, 40, 0.8), (46, 40, 0.7)]), 10.0, settings)

    np.testing.assert_allclose(sorted(xy[:, 0]), [30, 46], atol=0.3)


def test_nothing_below_the_floor_is_kept() -> None:
    xy, score = find_peaks(spots([(40, 40, 0.01)]), 10.0, PLAIN)

    assert xy.shape == (0, 2)
    assert score.shape == (0,)


def test_a_map_of_zeros_has_no_peaks() -> None:
    xy, _ = find_peaks(np.zeros((30, 30), dtype=np.float32), 10.0, PickSettings())

    assert len(xy) == 0


def test_a_peak_at_the_edge_stays_inside() -> None:
    xy, _ = find_peaks(spots([(0, 0, 0.9)]), 10.0, PLAIN)

    np.testing.assert_allclose(xy, [[0, 0]], atol=0.5)


def test_smoothing_lowers_single_bright_pixels() -> None:
    noisy = np.zeros((60, 60), dtype=np.float32)
    noisy[30, 30] = 0.9

    _, score = find_peaks(noisy, 20.0, PickSettings(smooth_diameters=0.1))

    assert score[0] < 0.1


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_turned_map_gives_the_turned_picks(turn: int) -> None:
    field = spots([(20.3, 30.6, 0.6), (60.75, 50.25, 0.9), (41, 12, 0.8)], (81, 81))

    xy, _ = find_peaks(np.ascontiguousarray(np.rot90(field, turn)), 10.0, PLAIN)
    expected, _ = find_peaks(field, 10.0, PLAIN)
    for _ in range(turn):
        expected = np.stack([expected[:, 1], 80 - expected[:, 0]], axis=1)

    np.testing.assert_allclose(xy, expected, atol=1e-3)
