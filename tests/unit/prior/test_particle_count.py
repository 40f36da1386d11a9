"""Particles a micrograph from peaks and held-out particles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.particle_count import Candidates, HeldOut, estimate_count


def peaks(seed=0, distance=5.0, share_found=0.8, micrographs=30, labelled=8):
    """About 20 particles and 100 other peaks a micrograph; the first ones are completely labelled and held out."""
    random = np.random.default_rng(seed)
    sides = {True: [], False: []}
    for number in range(micrographs + labelled):
        heights = random.normal(distance, 1, random.poisson(20))
        found = random.random(len(heights)) < share_found
        if number >= labelled:
            heights = np.concatenate([heights[found], random.normal(0, 1, 100)])
        sides[number < labelled].append((heights, found, f"m{number:02}"))
    names = {side: np.repeat([row[2] for row in rows], [len(row[0]) for row in rows]) for side, rows in sides.items()}
    heights = {side: np.concatenate([row[0] for row in rows]) for side, rows in sides.items()}
    found = np.concatenate([row[1] for row in sides[True]])
    candidates = Candidates(heights[False], names[False], [row[2] for row in sides[False]])
    return candidates, HeldOut(heights[True], found, names[True])


@pytest.mark.parametrize("share_found", [0.5, 0.8, 1.0])
def test_the_number_of_particles_is_found_whether_or_not_all_are_peaks(share_found):
    estimate = estimate_count(*peaks(seed=1, share_found=share_found))

    assert estimate.value == pytest.approx(20, rel=0.2)
    assert estimate.low < 20 < estimate.high
    assert estimate.share_found == pytest.approx(share_found, abs=0.1)
    assert estimate.candidates_per_micrograph == pytest.approx(100 + 20 * share_found, rel=0.05)


def test_the_value_is_the_product_that_the_docstring_says():
    estimate = estimate_count(*peaks())

    product = estimate.share_of_candidates * estimate.candidates_per_micrograph / estimate.share_found
    assert estimate.value == pytest.approx(product)
    assert f"{estimate.share_of_candidates:.1%}" in estimate.reason


def test_parted_peaks_give_the_exact_number():
    """Two micrographs with 3 and 5 particles, all peaks; 90 % of the held-out ones are found: 4 / .9."""
    heights = np.concatenate([np.full(8, 9.0), np.zeros(20)])
    names = np.array(["a"] * 3 + ["b"] * 5 + ["a"] * 10 + ["b"] * 10)
    held_out = HeldOut(np.full(20, 9.0), np.arange(20) % 10 > 0, np.repeat(["c", "d"], 10))

    estimate = estimate_count(Candidates(heights, names, ["a", "b"]), held_out)

    assert estimate.value == pytest.approx(4 / 0.9)


def test_a_micrograph_without_a_peak_counts_as_a_micrograph():
    candidates, held_out = peaks()
    more = replace(candidates, micrographs=[*candidates.micrographs, *(f"empty{i}" for i in range(30))])

    assert estimate_count(more, held_out).value == pytest.approx(estimate_count(candidates, held_out).value / 2)


def test_interval_holds_the_truth_nearly_always():
    """Nominal 95 %; the lower end allows for an impure bin, so rather more."""
    told = [estimate_count(*peaks(seed), draws=200) for seed in range(30)]

    assert sum(one.low <= 20 <= one.high for one in told) >= 27
    assert np.mean([one.value for one in told]) == pytest.approx(20, rel=0.05)


def test_peaks_that_overlap_give_no_number():
    estimate = estimate_count(*peaks(distance=1.0))

    assert (estimate.value, estimate.low, estimate.is_identifiable) == (None, 0.0, False)
    assert estimate.high > 20
    assert "Not identifiable" in estimate.reason


def test_labels_on_the_looked_at_micrographs_are_drawn_with_them():
    candidates, held_out = peaks()
    same = replace(held_out, micrograph=np.char.replace(held_out.micrograph, "m0", "m1"))

    estimate = estimate_count(candidates, same)

    assert estimate.value == estimate_count(candidates, held_out).value
    assert estimate.low < estimate.value < estimate.high


def test_a_single_micrograph_has_an_interval_of_its_own():
    candidates, held_out = peaks(micrographs=1, labelled=3)
    one = replace(held_out, micrograph=np.full(len(held_out.heights), "m03"))

    estimate = estimate_count(candidates, one)

    assert estimate.candidates_per_micrograph == len(candidates.heights)
    assert estimate.low < estimate.share_of_candidates * len(candidates.heights) / estimate.share_found <= estimate.high


def test_same_seed_same_estimate():
    assert estimate_count(*peaks(), seed=5) == estimate_count(*peaks(), seed=5)


def test_lists_that_do_not_fit_are_refused():
    candidates, held_out = peaks()

    with pytest.raises(LabelsError, match="don't fit"):
        estimate_count(replace(candidates, micrographs=["other"]), held_out)
    with pytest.raises(LabelsError, match="don't fit"):
        estimate_count(candidates, replace(held_out, heights=held_out.heights[1:]))
    with pytest.raises(LabelsError, match="with a peak"):
        estimate_count(candidates, replace(held_out, is_found=np.zeros(len(held_out.heights), dtype=bool)))
