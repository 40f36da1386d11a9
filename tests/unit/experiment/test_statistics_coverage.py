"""How often intervals hold the truth, on made-up experiments whose truth is known (docs/explain/statistics.md)."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoglean.experiment.statistics.differences import paired_difference
from cryoglean.experiment.statistics.gap import fieller
from cryoglean.experiment.statistics.grid import Block, Grid
from cryoglean.experiment.statistics.intervals import crossed_bootstrap, two_way_spread
from cryoglean.experiment.statistics.savings import label_savings

REPEATS = 1000
LEAST, MOST = 0.926, 0.042
"""Coverage of .95 and errors of .025 to one side, less and more 3.5 standard errors of 1000 repeats."""

SEED_ALONE, BOTH, MICROGRAPHS = (0.02, 0.0, 0.0), (0.02, 0.02, 0.02), (0.005, 0.05, 0.03)
"""Deviations of the difference from seed to seed, from micrograph to micrograph, and of their interplay."""

Values = NDArray[np.float64]


def draw(
    random: np.random.Generator, seeds: int, micrographs: int, noise: tuple[float, float, float], particles: int
) -> Values:
    """True positives of two lines that are equally good on average: (2, seeds, micrographs)."""
    by_seed, by_micrograph, both = (one / np.sqrt(2) for one in noise)
    found = 0.7 + random.normal(0, 0.08, micrographs)  # hard micrographs are hard for both
    found = found + random.normal(0, by_seed, (2, seeds, 1)) + random.normal(0, by_micrograph, (2, 1, micrographs))
    found = found + random.normal(0, both, (2, seeds, micrographs))
    return random.binomial(particles, np.clip(found, 0.01, 0.99)).astype(np.float64)


def covered(intervals: list[tuple[float, float]]) -> float:
    return float(np.mean([low <= 0 <= high for low, high in intervals]))


@pytest.mark.parametrize("noise", [SEED_ALONE, BOTH, MICROGRAPHS], ids=["seeds", "both", "micrographs"])
@pytest.mark.parametrize(("seeds", "micrographs"), [(3, 20), (5, 6), (5, 20)])
def test_the_two_way_interval_covers(seeds: int, micrographs: int, noise: tuple[float, float, float]) -> None:
    random = np.random.default_rng(0)
    both = np.full((2, seeds, micrographs), 600.0)
    every = [two_way_spread(draw(random, seeds, micrographs, noise, 300), both).interval() for _ in range(REPEATS)]

    assert LEAST <= covered(every) <= 0.995
    assert np.mean([low > 0 for low, _ in every]) <= MOST  # "gain" where there is none
    assert np.mean([high < 0 for _, high in every]) <= MOST


def test_the_percentile_bootstrap_covers_too_little_with_three_seeds() -> None:
    """Why it decides nothing: trainings differ, micrographs are many, and 3 seeds are drawn from 3."""
    random = np.random.default_rng(0)
    both = np.full((2, 3, 20), 600.0)
    tables = [draw(random, 3, 20, SEED_ALONE, 300) for _ in range(400)]

    percentile = covered([crossed_bootstrap(hits, both, draws=300) for hits in tables])
    two_way = covered([two_way_spread(hits, both).interval() for hits in tables])

    assert percentile < 0.91
    assert two_way > 0.93


def test_seeds_alone_cover_too_little_where_micrographs_differ() -> None:
    """Why F1 isn't left to the t interval over seeds: all seeds share a lucky draw of test micrographs."""
    random = np.random.default_rng(0)
    tables = [draw(random, 10, 6, MICROGRAPHS, 300).sum(axis=2) / 1800 for _ in range(300)]
    means = np.array([(ours - theirs).mean() for ours, theirs in tables])
    errors = np.array([(ours - theirs).std(ddof=1) / np.sqrt(10) for ours, theirs in tables])

    assert np.mean(np.abs(means) <= 2.262 * errors) < 0.8


def test_gain_is_said_of_average_precision_by_chance_as_seldom(rows_of) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    verdicts = []
    for _ in range(REPEATS):
        base = random.normal(0.7, 0.05, 4)  # seeds are good or bad splits for both
        rows = rows_of(supervised=base + random.normal(0, 0.01, 4), other=base + random.normal(0, 0.01, 4))
        found = paired_difference(Grid(rows), Block("globule", 0.05), "other", measure="average_precision")
        verdicts.append(found.verdict)

    assert verdicts.count("gain") / REPEATS <= MOST
    assert LEAST <= verdicts.count("no detectable gain") / REPEATS <= 0.974


def test_the_interval_of_label_savings_covers(rows_of) -> None:  # type: ignore[no-untyped-def]
    """Both curves rise by .1 for each doubling of labels; the line is .1 ahead, so it needs half the labels."""
    random = np.random.default_rng(0)
    ratios = (0.01, 0.02, 0.04, 0.08, 0.16)
    held = []
    for _ in range(200):
        rows = []
        for ratio in ratios:
            mean = 0.4 + 0.1 * np.log2(100 * ratio)
            shared = random.normal(0, 0.03, 3)
            own = random.normal(0, 0.015, (2, 3))
            rows += rows_of(ratio=ratio, supervised=mean + shared + own[0], other=mean + 0.1 + shared + own[1])
        found = label_savings(Grid(rows), "globule", "other")[3]
        assert found.labelled == 8
        held.append((found.lower or 0) <= 4 <= (found.upper or np.inf))

    assert 0.92 <= np.mean(held) <= 0.99


def test_the_interval_of_a_ratio_of_means_covers() -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(REPEATS):
        theirs = random.normal(0, 0.01, 5)
        interval = fieller(random.normal(0.05, 0.01, 5) - theirs, random.normal(0.1, 0.01, 5) - theirs)
        assert interval is not None
        found.append(interval[0] <= 0.5 <= interval[1])

    assert LEAST <= np.mean(found) <= 0.975
