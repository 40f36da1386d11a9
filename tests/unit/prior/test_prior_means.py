"""Means over micrographs and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.means import average_micrographs


def test_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(5, 2, 400)

    mean = average_micrographs(values, draws=4000)

    assert mean.value == pytest.approx(values.mean())
    assert (mean.high - mean.low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.1)


def test_values_of_one_micrograph_are_drawn_together():
    """Ten micrographs whose values are all equal within: the interval is that of ten numbers, not of a thousand."""
    values = np.repeat(np.arange(10.0), 100)

    grouped = average_micrographs(values, np.repeat(np.arange(10), 100))
    single = average_micrographs(values)

    assert grouped.value == single.value == 4.5
    assert (grouped.high - grouped.low) > 5 * (single.high - single.low)


def test_a_large_micrograph_weighs_more():
    assert average_micrographs([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"]).value == 2.0


def test_one_micrograph_is_drawn_value_by_value():
    mean = average_micrographs([1.0, 2.0, 3.0], ["a", "a", "a"])

    assert mean == average_micrographs([1.0, 2.0, 3.0])
    assert mean.low < mean.value < mean.high


def test_same_seed_same_interval():
    values = np.arange(20.0)

    assert average_micrographs(values, seed=3) == average_micrographs(values, seed=3)
    assert average_micrographs(values, seed=3) != average_micrographs(values, seed=4)


@pytest.mark.parametrize(("values", "groups"), [([], None), ([np.inf], None), ([1.0, 2.0], ["a"])])
def test_values_without_a_mean_are_refused(values, groups):
    with pytest.raises(LabelsError):
        average_micrographs(values, groups)
