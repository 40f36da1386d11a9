"""Counts, pixel shares and patch shares, and the ways between them."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.kinds import CountPrior, PatchPrior, PixelPrior, count_disc_pixels, take_out_labelled


@pytest.mark.parametrize(("radius", "pixels"), [(0, 1), (1, 5), (1.5, 9), (3, 29), (8, 197)])
def test_a_disc_has_the_pixels_that_can_be_counted(radius, pixels):
    """checks.md U12, and by counting on a grid."""
    y, x = np.mgrid[-20:21, -20:21]

    assert count_disc_pixels(radius) == pixels == int((x**2 + y**2 <= radius**2).sum())


def test_the_notes_four_percent_belong_to_four_particles_or_to_121():
    """checks.md U13: radius 42 on 768 x 768, or 42 scaled along with the micrograph."""
    prior = PixelPrior(0.04)

    assert prior.to_count(np.pi * 42**2, 768**2).particles == pytest.approx(4.257, abs=0.001)
    assert prior.to_count(np.pi * 7.875**2, 768**2).particles == pytest.approx(121.1, abs=0.05)


def test_count_to_pixels_and_back_is_the_same_where_cores_do_not_fill_the_micrograph():
    count = CountPrior(120.0)

    assert count.to_pixels(29, 250_000) == PixelPrior(120 * 29 / 250_000)
    assert count.to_pixels(29, 250_000).to_count(29, 250_000).particles == pytest.approx(120)
    assert count.to_patches(81, 200_000).to_count(81, 200_000).particles == pytest.approx(120)


def test_pixel_and_patch_prior_of_the_same_count_differ_with_the_disc():
    count = CountPrior(100.0)

    assert count.to_patches(197, 100_000).share > count.to_pixels(29, 100_000).share
    assert isinstance(count.to_patches(197, 100_000), PatchPrior)


def test_more_particles_than_fit_are_capped_at_everything():
    assert CountPrior(1000.0).to_pixels(200, 100_000) == PixelPrior(1.0)
    assert CountPrior(1000.0).to_patches(200, 100_000) == PatchPrior(1.0)


def test_painted_discs_have_the_pixel_prior_of_their_count():
    """Thirty particles apart on a picture of 200 x 200."""
    grid = [(20 + 30 * row, 15 + 34 * column) for row in range(6) for column in range(5)]
    y, x = np.mgrid[:200, :200]
    nearest = np.min([(y - row) ** 2 + (x - column) ** 2 for row, column in grid], axis=0)

    assert CountPrior(30.0).to_pixels(count_disc_pixels(3), 200**2).share == pytest.approx(np.mean(nearest <= 9))


def test_labelled_particles_taken_out_leave_a_smaller_share():
    """Of 1000 things 100 are particles; 40 are labelled and taken out: 60 of 960."""
    assert take_out_labelled(0.1, 0.04) == pytest.approx(60 / 960)
    assert PixelPrior(0.1).without_labelled(0.04) == PixelPrior(take_out_labelled(0.1, 0.04))
    assert PatchPrior(0.1).without_labelled(0.04).share == pytest.approx(60 / 960)


@pytest.mark.parametrize(("share", "labelled", "left"), [(0.1, 0.0, 0.1), (0.1, 0.1, 0.0), (1.0, 0.5, 1.0)])
def test_taking_out_nothing_or_all(share, labelled, left):
    assert take_out_labelled(share, labelled) == pytest.approx(left)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: CountPrior(-1),
        lambda: CountPrior(float("inf")),
        lambda: CountPrior(float("nan")),
        lambda: PixelPrior(1.1),
        lambda: PatchPrior(-0.1),
        lambda: CountPrior(5).to_pixels(0, 100),
        lambda: CountPrior(5).to_patches(101, 100),
        lambda: take_out_labelled(0.04, 0.1),
        lambda: take_out_labelled(1.0, 1.0),
    ],
)
def test_what_can_not_be_is_refused(mistake):
    with pytest.raises(LabelsError):
        mistake()
