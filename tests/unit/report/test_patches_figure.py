"""Positive and unlabelled patches side by side: each is shown where it belongs, on one grey scale."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.patches import COLUMNS, ROWS, draw_patches, patch_groups

SHOWN = ROWS * COLUMNS


def noise(count, side=20, seed=0):
    return np.random.default_rng(seed).normal(size=(count, side, side)).astype(np.float32)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def pictures(figure):
    """The mean and the patches of each group, as drawn."""
    images = figure.axes[0].images
    sides = [round(image.get_extent()[1] - image.get_extent()[0], 6) for image in images]
    starts = [place for place, side in enumerate(sides) if side > 1]
    return [(images[start], images[start + 1 : end]) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def test_the_mean_is_that_of_all_patches_and_the_patches_are_a_choice_of_them():
    positive, unlabelled = noise(40), noise(7, seed=1)

    (mean, some), (other_mean, all_others) = pictures(draw_patches(patch_groups(positive, unlabelled), seed=0))

    np.testing.assert_allclose(mean.get_array(), positive.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(other_mean.get_array(), unlabelled.mean(axis=0), atol=1e-6)
    places = [int(np.flatnonzero((positive == image.get_array()).all(axis=(1, 2)))[0]) for image in some]
    assert len(set(places)) == SHOWN
    assert places != sorted(places)
    sums = sorted(float(image.get_array().sum()) for image in all_others)
    np.testing.assert_allclose(sums, sorted(unlabelled.sum(axis=(1, 2))), rtol=1e-4)


def test_all_patches_share_one_grey_scale_and_the_means_another():
    groups = pictures(draw_patches(patch_groups(noise(40) + 1, noise(40, seed=1) * 3), seed=0))

    assert len({image.get_clim() for _, some in groups for image in some}) == 1
    assert len({mean.get_clim() for mean, _ in groups}) == 1
    assert groups[0][0].get_clim() != groups[0][1][0].get_clim()


def test_the_counts_stand_in_the_titles():
    said = texts(draw_patches(patch_groups(noise(343), noise(5)), seed=0))

    assert said[0] == f"positive: 343 patches, {SHOWN} of them beside their mean"
    assert said[1] == "unlabelled: 5 patches"
    assert said[2] == "20 x 20 pixels; left: means, on a grey scale of their own"


def test_the_seed_decides_which_patches_are_shown():
    groups = patch_groups(noise(60), noise(60, seed=1))

    first, again, other = (to_png(draw_patches(groups, seed)) for seed in (0, 0, 1))

    assert first == again
    assert first != other


@pytest.mark.parametrize("side", [20, 21])
def test_a_circle_of_one_diameter_lies_around_the_centre_pixel_of_means_and_first_patches(side):
    figure = draw_patches(patch_groups(noise(40, side), noise(40, side)), 0, diameter_pixels=10.0)

    lines, groups = figure.axes[0].lines, pictures(figure)
    squares = [image for mean, some in groups for image in (mean, some[0])]
    assert len(lines) == len(squares) == 4
    for line, image in zip(lines, squares, strict=True):
        left, right, bottom, top = image.get_extent()
        pixel = (right - left) / side
        x, y = (np.unique(np.round(values, 9)) for values in line.get_data())
        assert (x.min() + x.max()) / 2 == pytest.approx(left + (side // 2 + 0.5) * pixel)
        assert (y.min() + y.max()) / 2 == pytest.approx(top + (side // 2 + 0.5) * pixel)
        assert np.ptp(x) == pytest.approx(10 * pixel)
        assert bottom - top == pytest.approx(right - left)
    assert texts(figure)[2].endswith("; circle: one diameter")


def test_a_circle_wider_than_the_patch_does_not_leave_it():
    figure = draw_patches(patch_groups(noise(3), noise(3)), 0, diameter_pixels=24.0)

    for line, image in zip(figure.axes[0].lines[::2], (mean for mean, _ in pictures(figure)), strict=True):
        left, right, bottom, top = image.get_extent()
        x, y = line.get_data()
        assert np.isnan(x).any()
        assert np.nanmin(x) >= left
        assert np.nanmax(x) <= right
        assert np.nanmin(y) >= top
        assert np.nanmax(y) <= bottom


def test_nothing_overlaps_and_nothing_leaves_the_figure():
    axes = draw_patches(patch_groups(noise(50), noise(50)), 0).axes[0]

    boxes = np.array([image.get_extent() for image in axes.images])
    left, right, bottom, top = boxes.T
    assert left.min() >= 0
    assert right.max() <= axes.get_xlim()[1]
    assert bottom.max() <= axes.get_ylim()[0]
    apart = (
        (right[:, None] <= left[None] + 1e-9) | (left[:, None] >= right[None] - 1e-9)
        | (bottom[:, None] <= top[None] + 1e-9) | (top[:, None] >= bottom[None] - 1e-9)
    )  # fmt: skip
    assert (apart | np.eye(len(boxes), dtype=bool)).all()


def test_constant_patches_are_drawn():
    assert to_png(draw_patches(patch_groups(np.zeros((2, 9, 9), np.float32), np.zeros((1, 9, 9), np.float32)), 0))
