"""Peaks and discs on maps."""

import pytest
import torch
from torch import Tensor

from cryoglean.pseudo.particles import find_particles, paint_particles


def discs(centres: list[tuple[float, float]], radius: float, value: float = 1.0, size: int = 80) -> Tensor:
    """(1, 1, y, x): `value` within the radius of any (y, x) centre, else 0."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    out = torch.zeros(size, size)
    for row, column in centres:
        out[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = value
    return out[None, None]


def bumps(centres: dict[tuple[int, int], float], sigma: float = 4.0, size: int = 80) -> Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    each = [h * torch.exp(-((y - r) ** 2 + (x - c) ** 2) / (2 * sigma**2)) for (r, c), h in centres.items()]
    return torch.stack(each).amax(0)[None, None]


def places(heights: Tensor) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for _, _, row, column in torch.nonzero(heights)]


@pytest.mark.parametrize(("radius", "pixels"), [(1, 5), (3, 29), (8, 197)])
def test_a_painted_disc_has_as_many_pixels_as_a_disc_has(radius: int, pixels: int) -> None:
    """checks.md U12: 5, 29, 197 for radius 1, 3, 8 (Topaz 0.3 counts 15, 203, 3349)."""
    heights = torch.zeros(1, 1, 40, 40)
    heights[..., 20, 20] = 0.7

    painted = paint_particles(heights, radius)

    assert int((painted > 0).sum()) == pixels
    assert float(painted.max()) == pytest.approx(0.7)


def test_where_discs_overlap_the_surer_one_counts() -> None:
    heights = torch.zeros(1, 1, 30, 30)
    heights[..., 15, 12], heights[..., 15, 16] = 0.4, 0.9

    painted = paint_particles(heights, 3)

    assert float(painted[..., 15, 14]) == pytest.approx(0.9)
    assert float(painted[..., 15, 10]) == pytest.approx(0.4)


def test_a_disc_at_the_edge_is_cut_off_and_not_wrapped_around() -> None:
    heights = torch.zeros(1, 1, 20, 20)
    heights[..., 0, 0] = 1

    painted = paint_particles(heights, 3)

    assert int((painted > 0).sum()) == 11
    assert float(painted[..., 10:, :].sum() + painted[..., 10:].sum()) == 0


def test_peaks_are_found_where_the_map_is_highest() -> None:
    heights = find_particles(bumps({(20, 30): 0.9, (60, 50): 0.4}), 16.0)

    assert places(heights) == [(20, 30), (60, 50)]
    assert heights[heights > 0].tolist() == pytest.approx([0.9 * 0.862, 0.4 * 0.862], rel=0.01)  # 16 / (16 + 1.6^2)


def test_of_two_peaks_within_six_tenths_of_a_diameter_the_higher_counts() -> None:
    close = bumps({(40, 30): 0.9, (40, 39): 0.7}, sigma=2.0)
    apart = bumps({(40, 30): 0.9, (40, 42): 0.7}, sigma=2.0)

    assert places(find_particles(close, 16.0)) == [(40, 30)]
    assert places(find_particles(apart, 16.0)) == [(40, 30), (40, 42)]


def test_peaks_below_the_floor_are_left_out() -> None:
    maps = bumps({(20, 30): 0.9, (60, 50): 0.2})

    assert places(find_particles(maps, 16.0, floor=0.5)) == [(20, 30)]


def test_an_empty_map_has_no_peak() -> None:
    assert places(find_particles(torch.zeros(1, 1, 40, 40), 16.0)) == []


@pytest.mark.parametrize("diameter", [10.0, 12.0, 16.0, 20.0, 24.0])
@pytest.mark.parametrize("share", [0.3, 0.5])
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_hard_disc_is_one_particle(diameter: float, share: float, offset: float) -> None:
    """Its smoothed top is flat: 13 pixels of it share one height for a diameter of 20 and a radius of 10."""
    maps = discs([(40 + offset, 40 + offset)], share * diameter)

    found = places(find_particles(maps, diameter, floor=0.5))

    assert len(found) == 1
    assert found[0] == pytest.approx((40, 40), abs=2.5)


def test_a_flat_map_is_not_full_of_particles() -> None:
    """Every pixel of it is as high as its neighbours; before, all 6400 counted."""
    assert len(places(find_particles(torch.full((1, 1, 80, 80), 0.3), 16.0))) <= 1


def test_each_map_of_a_batch_has_its_own_peaks() -> None:
    batch = torch.cat([bumps({(20, 30): 0.9}), torch.zeros(1, 1, 80, 80), bumps({(50, 10): 0.5, (20, 30): 0.3})])

    heights = find_particles(batch, 16.0)

    assert [int((each > 0).sum()) for each in heights] == [1, 0, 2]


@pytest.mark.parametrize("diameter", [2.0, 26.0, 38.0])
def test_a_height_is_never_above_one(diameter: float) -> None:
    """Rounding in the smoothing: it was 1 + 2e-7 for these."""
    assert float(find_particles(torch.ones(1, 1, 50, 50), diameter).max()) == 1
