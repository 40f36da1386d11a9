"""Paired differences: against scipy and hand-computed numbers, and what few seeds can't say."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cryoglean.errors import RunError
from cryoglean.experiment.statistics.differences import paired_difference, paired_differences
from cryoglean.experiment.statistics.grid import Block, Grid
from cryoglean.experiment.statistics.intervals import crossed_bootstrap, effect_size, two_way_spread, win_rate

BLOCK = Block("globule", 0.05)
Make = Callable[..., Any]


def test_the_interval_of_ap_is_scipys_paired_t_interval(rows_of: Make) -> None:
    ours, theirs = [0.81, 0.86, 0.79, 0.84], [0.78, 0.80, 0.79, 0.79]
    grid = Grid(rows_of(supervised=theirs, recommended=ours))

    found = paired_difference(grid, BLOCK, "recommended", measure="average_precision")

    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert found.difference == pytest.approx(0.035)
    assert (found.line_mean, found.reference_mean) == pytest.approx((0.825, 0.79))
    assert found.micrographs == 0  # AP has no counts
    assert found.bootstrap_interval is None


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([0.81, 0.82, 0.83], "gain"),
        ([0.65, 0.65, 0.67], "loss"),
        ([0.75, 0.69, 0.73], "no detectable gain"),
        ([0.70, 0.71, 0.72], "no detectable gain"),  # the same results: the gate never opened
        ([0.80, 0.81, 0.82], "no spread"),
    ],
)
def test_the_verdict_and_the_sentence_agree(ours: list[float], verdict: str, rows_of: Make) -> None:
    theirs = [0.70, 0.71, 0.72]
    if verdict == "gain":
        theirs[0] = 0.705

    found = paired_difference(Grid(rows_of(supervised=theirs, recommended=ours)), BLOCK, "recommended")

    assert found.verdict == verdict
    assert ("copies of one run" if verdict == "no spread" else verdict) in found.sentence
    assert (found.interval is None) == (verdict == "no spread")


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_get_no_interval(seeds: int, rows_of: Make) -> None:
    grid = Grid(rows_of(supervised=[0.7, 0.72][:seeds], recommended=[0.81, 0.75][:seeds]))

    found = paired_difference(grid, BLOCK, "recommended")

    assert found.interval is None
    assert found.effect_size is None
    assert found.verdict == "too few seeds"
    assert "+0.110" in found.sentence
    assert "can't be told" in found.sentence
    assert found.win_rate == 1.0


def test_a_missing_cell_drops_its_pair_and_is_said(rows_of: Make) -> None:
    rows = rows_of(supervised=[0.70, 0.71, 0.72, 0.75], recommended=[0.71, 0.73, 0.75, 0.1])[:-1]
    grid = Grid(rows)

    found = paired_difference(grid, BLOCK, "recommended")

    assert found.seeds == (0, 1, 2)
    assert found.dropped == (3,)
    assert found.difference == pytest.approx(0.02)
    assert "1 seed dropped" in found.sentence
    assert grid.missing() == ((*BLOCK, 3, "recommended"),)


def test_an_undefined_measure_drops_its_pair(rows_of: Make) -> None:
    rows = rows_of(supervised=[0.70, 0.71, 0.72, 0.75], recommended=[0.71, 0.73, 0.75, 0.1])
    rows[-1]["average_precision"] = None
    rows[-2]["average_precision"] = float("nan")

    found = paired_difference(Grid(rows), BLOCK, "recommended", measure="average_precision")

    assert found.dropped == (2, 3)


def test_a_line_without_any_pair_is_said_so(rows_of: Make) -> None:
    grid = Grid([*rows_of(supervised=[0.7]), *rows_of(ratio=0.1, supervised=[0.8], recommended=[0.9])])

    first, second = paired_differences(grid)

    assert first.verdict == "no pair"
    assert "no pair; 1 seed dropped" in first.sentence
    assert second.difference == pytest.approx(0.1)


def test_one_oracle_serves_every_ratio(rows_of: Make) -> None:
    rows = [*rows_of(ratio=1.0, oracle=[0.9, 0.92])]
    for ratio in (0.05, 0.1):
        rows += rows_of(ratio=ratio, supervised=[0.7, 0.8])
    grid = Grid(rows)

    found = paired_differences(grid, lines=["oracle"])

    assert [one.ratio for one in found] == [0.05, 0.1]
    assert [one.difference for one in found] == pytest.approx([0.16, 0.16])
    assert grid.missing() == ()


def test_f1_is_pooled_from_counts_and_paired_by_micrograph(row: Make, counts: Make) -> None:
    rows = []
    for seed in range(3):
        ours = counts([10, 20 + seed], [12, 30], [20, 30])
        theirs = counts([8, 18], [10, 22], [20, 30])[::-1]  # in another order
        rows.append(row(*BLOCK, seed, "recommended", 0.0, per_micrograph=ours))
        rows.append(row(*BLOCK, seed, "supervised", 0.0, per_micrograph=theirs))

    found = paired_difference(Grid(rows), BLOCK, "recommended")

    expected = [2 * (30 + seed) / 92 - 2 * 26 / 82 for seed in range(3)]
    assert found.by_seed == pytest.approx(tuple(expected))
    assert found.micrographs == 2
    assert found.bootstrap_interval is not None


def test_other_test_micrographs_are_refused(row: Make, counts: Make) -> None:
    names = ("recommended", "supervised")
    rows = [
        row(*BLOCK, seed, line, 0.5, per_micrograph=counts([5, 5], [9, 9], [10, 10 + (line == names[0])]))
        for seed in range(3)
        for line in names
    ]

    with pytest.raises(RunError, match=r"other truth.*same test micrographs"):
        paired_difference(Grid(rows), BLOCK, "recommended")


def test_two_results_of_a_cell_are_refused(rows_of: Make) -> None:
    with pytest.raises(RunError, match=r"globule at ratio 0\.05, seed 0, line a: two results"):
        Grid(rows_of(a=[0.5]) * 2)


def test_a_result_without_a_seed_is_refused() -> None:
    with pytest.raises(RunError, match="without seed"):
        Grid([{"data": "a", "ratio": 0.1, "line": "b", "labelled": 3}])


def test_the_two_way_error_is_that_of_the_analysis_of_variance() -> None:
    """With equal counts F1 is a mean, pseudovalues are the cells' own differences, and ANOVA can be done by hand."""
    hits = np.array([[[30.0, 20, 25], [34, 26, 27], [29, 21, 28], [31, 22, 26]], np.full((4, 3), 20.0)])

    spread = two_way_spread(hits, np.full(hits.shape, 80.0))

    cells = (hits[0] - hits[1]) * 2 / 80
    rows, columns = cells.mean(axis=1), cells.mean(axis=0)
    left = cells - rows[:, None] - columns + cells.mean()
    by_seed, by_micrograph, rest = 3 * rows.var(ddof=1), 4 * columns.var(ddof=1), (left**2).sum() / 6
    assert spread.mean == pytest.approx(cells.mean())
    assert spread.standard_error == pytest.approx(np.sqrt((by_seed + by_micrograph - rest) / 12))
    assert spread.micrograph_error == pytest.approx(np.sqrt((by_micrograph - rest) / 12))


def test_the_bootstrap_draws_the_same_micrographs_for_both_lines() -> None:
    """Micrographs differ wildly, the lines by one particle on each: paired, nothing is left to chance."""
    hits = np.array([[[5.0, 20, 35, 50]] * 3, [[4.0, 19, 34, 49]] * 3])

    low, high = crossed_bootstrap(hits, np.full(hits.shape, 100.0))

    assert low == pytest.approx(0.02)
    assert high == pytest.approx(0.02)


def test_the_effect_size_is_hedges_by_hand() -> None:
    values = np.array([0.01, 0.02, 0.03, 0.06])

    found = effect_size(values)

    # gamma(3 / 2) / (sqrt(3 / 2) gamma(1)), of 3 degrees of freedom
    correction = (np.sqrt(np.pi) / 2) / np.sqrt(1.5)
    assert correction == pytest.approx(1 - 3 / (4 * 3 - 1), abs=0.01)  # Hedges' own approximation
    assert found == pytest.approx(0.03 / np.sqrt((4 + 1 + 0 + 9) * 1e-4 / 3) * correction)
    assert effect_size(np.array([0.1, 0.1, 0.1])) is None


def test_ties_count_half_in_the_win_rate() -> None:
    assert win_rate(np.array([0.1, 0.0, -0.1, 0.2])) == 0.625
    assert win_rate(np.array([])) is None


def test_everything_goes_into_json(rows_of: Make) -> None:
    found = paired_difference(Grid(rows_of(supervised=[0.7, 0.71, 0.7], a=[0.8, 0.83, 0.79])), BLOCK, "a")

    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))

    assert plain["verdict"] == "gain"
    assert plain["sentence"] == found.sentence
    assert plain["difference"] == pytest.approx(found.difference)
