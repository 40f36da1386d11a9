"""Patches of a micrograph: what is in the middle, what is left out, where the others come from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryoglean.prepare.normalize import Prepared
from cryoglean.prepare.patches import cut_patches, draw_centres
from cryoglean.prepare.rescale import Scale


def numbered(rows: int = 40, columns: int = 60) -> Prepared:
    """A picture whose pixel (y, x) is 1000 y + x."""
    y, x = np.mgrid[:rows, :columns]
    image = torch.from_numpy((1000 * y + x).astype(np.float32))
    return Prepared("m", image, torch.ones(rows, columns, dtype=torch.bool), Scale(0.5, 0.5), (2 * rows, 2 * columns))


@pytest.mark.parametrize("side", [1, 8, 9])
def test_the_nearest_pixel_is_in_the_middle(side: int) -> None:
    cut = cut_patches(numbered(), np.array([[30.4, 20.0], [10.0, 24.6]]), side)

    assert cut.pixels.shape == (2, side, side)
    assert cut.pixels.dtype == np.float32
    assert cut.pixels[:, side // 2, side // 2].tolist() == [20_030, 25_010]
    assert cut.xy.tolist() == [[30, 20], [10, 25]]
    assert cut.left_out == 0


def test_rows_go_down_and_columns_to_the_right() -> None:
    (patch,) = cut_patches(numbered(), np.array([[30.0, 20.0]]), 5).pixels

    assert (patch[1, 2], patch[2, 1]) == (19_030, 20_029)


@pytest.mark.parametrize(
    ("side", "inside", "outside"),
    [(8, (4, 4), (3, 4)), (8, (56, 36), (57, 36)), (8, (56, 36), (56, 37)), (9, (4, 35), (4, 36)), (9, (4, 4), (4, 3))],
)
def test_a_patch_that_leaves_the_picture_by_one_pixel_is_left_out(
    side: int, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    """60 columns and 40 rows: a side of 8 reaches 4 before and 3 behind its centre, one of 9 reaches 4 and 4."""
    cut = cut_patches(numbered(), np.array([outside, inside, (1e9, 5), (-1e9, 5)], dtype=float), side)

    assert cut.xy.tolist() == [list(inside)]
    assert cut.left_out == 3


@pytest.mark.parametrize("xy", [np.empty((0, 2)), np.array([[1.0, 1.0]])])
def test_no_patch_is_an_empty_stack(xy: np.ndarray) -> None:
    cut = cut_patches(numbered(), xy, 12)

    assert cut.pixels.shape == (0, 12, 12)
    assert cut.left_out == len(xy)


def test_a_picture_smaller_than_a_patch_gives_none() -> None:
    prepared = numbered(10, 10)

    assert cut_patches(prepared, np.array([[5.0, 5.0]]), 12).left_out == 1
    assert draw_centres(prepared, 5, 12, np.random.default_rng(0)).shape == (0, 2)


def test_patches_are_copies() -> None:
    prepared = numbered()
    cut = cut_patches(prepared, np.array([[20.0, 20.0]]), 8)

    cut.pixels[:] = 0

    assert float(prepared.image[20, 20]) == 20_020


@given(
    rows=st.integers(5, 40), columns=st.integers(5, 40), side=st.integers(1, 14), count=st.integers(0, 50),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_drawn_centres_are_different_whole_and_seen(rows: int, columns: int, side: int, count: int, seed: int) -> None:
    prepared = numbered(rows, columns)
    prepared.valid[:, : columns // 3] = False
    fitting = sum(
        bool(prepared.valid[y, x])
        for y in range(side // 2, rows - (side - 1) // 2)
        for x in range(side // 2, columns - (side - 1) // 2)
    )

    xy = draw_centres(prepared, count, side, np.random.default_rng(seed))
    cut = cut_patches(prepared, xy, side)

    assert len(xy) == min(count, fitting)
    assert len(np.unique(xy, axis=0)) == len(xy)
    assert cut.left_out == 0
    assert (cut.xy[:, 0] >= columns // 3).all()


def test_the_generator_decides() -> None:
    first, again, other = (draw_centres(numbered(), 30, 9, np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_place_is_as_likely() -> None:
    """Of 8 x 12 places a quarter is drawn, 400 times: each about 100 times, sd 8.7."""
    prepared = numbered(12, 16)
    generator = np.random.default_rng(0)
    counts = np.zeros((12, 16))
    for _ in range(400):
        x, y = draw_centres(prepared, 24, 5, generator).astype(int).T
        counts[y, x] += 1

    inner = counts[2:10, 2:14]
    assert counts.sum() == inner.sum() == 400 * 24
    assert np.abs(inner - 100).max() < 5 * 8.7
