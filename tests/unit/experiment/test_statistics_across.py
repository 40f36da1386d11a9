"""Several data sets: Wilcoxon and Holm, Friedman and Nemenyi, against scipy and published examples."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cryoglean.experiment.statistics.across import across_data_sets, holm, signed_rank_p
from cryoglean.experiment.statistics.grid import Block, Grid
from cryoglean.experiment.statistics.ranks import average_ranks, critical_difference, friedman, group_block, rank_lines

Make = Callable[..., Any]

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip
"""Demsar 2006, table 6: AUC of C4.5, +m, +cf, +m+cf on 14 data sets; the paper ranks +cf before
+m+cf where both are printed as 0.975."""


def grid_of(table: np.ndarray, names: list[str], row: Make) -> Grid:
    """Each row of the table is a data set with three equal seeds."""
    return Grid(
        row(f"set{place}", 0.05, seed, name, value)
        for place, values in enumerate(table)
        for name, value in zip(names, values, strict=True)
        for seed in range(3)
    )


def by_all_signs(differences: list[float]) -> float:
    """The exact two-sided p, by trying all signs."""
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    seen = abs(ranks[np.array(differences) > 0].sum() - centre)
    every = [
        abs(ranks @ np.array(signs) - centre) >= seen - 1e-9 for signs in itertools.product((0, 1), repeat=len(ranks))
    ]
    return float(np.mean(every))


@pytest.mark.parametrize(
    "differences",
    [
        [0.01, 0.02, 0.03, 0.04, 0.05, 0.06],
        [0.01, -0.02, 0.03, 0.04, 0.05, 0.07, 0.11],
        [0.01, 0.01, -0.01, 0.02, 0.02, 0.05, 0.03],  # ties
    ],
)
def test_the_signed_rank_p_is_exact(differences: list[float]) -> None:
    assert signed_rank_p(np.array(differences)) == pytest.approx(by_all_signs(differences))


def test_zeros_are_left_out_and_below_six_nothing_is_said() -> None:
    assert signed_rank_p(np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])) is None
    assert signed_rank_p(np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])) == pytest.approx(2 / 2**6)
    assert signed_rank_p(np.array([])) is None


def test_many_ties_use_the_normal_approximation() -> None:
    differences = np.array([0.01] * 12 + [-0.01] * 6 + [0.02] * 4)

    assert signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="approx").pvalue)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


def test_each_line_is_judged_over_data_sets_and_corrected(row: Make) -> None:
    base = np.linspace(0.5, 0.8, 7)
    better, same = base + np.arange(1, 8) / 100, base + np.array([1, -2, 3, -4, 5, -6, 0.5]) / 100
    names = ["supervised", "better", "same", "oracle"]
    grid = grid_of(np.stack([base, better, same, base + 0.1], axis=1), names, row)

    first, second = across_data_sets(grid)

    assert (first.line, first.pairs, first.data_sets, first.wins, first.verdict) == ("better", 7, 7, 7, "gain")
    assert first.p == pytest.approx(2 / 2**7)
    assert first.p_holm == pytest.approx(4 / 2**7)
    assert second.verdict == "no detectable gain"
    assert "gain, median +0.040 F1, better in 7, worse in 0, Wilcoxon p = 0.016, 0.031 by Holm" in first.sentence


def test_five_data_sets_are_too_few(row: Make) -> None:
    base = np.linspace(0.5, 0.8, 5)
    grid = grid_of(np.stack([base, base + 0.1], axis=1), ["supervised", "better"], row)

    (found,) = across_data_sets(grid)

    assert found.p is None
    assert found.verdict == "too few pairs"
    assert "fewer than 6 that differ can't be tested" in found.sentence


def test_a_data_set_without_a_pair_is_counted(row: Make) -> None:
    rows = [row(f"set{place}", 0.05, 0, line, 0.5 + place / 100) for place in range(3) for line in ("supervised", "a")]

    (found,) = across_data_sets(Grid(rows[:-1]))

    assert (found.pairs, found.dropped) == (2, 1)
    assert "1 dropped" in found.sentence


def test_demsars_example_of_average_ranks() -> None:
    assert average_ranks(DEMSAR) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)
    assert critical_difference(4, 14, level=0.9) == pytest.approx(1.12, abs=5e-3)


def test_friedman_is_scipys_and_near_demsars() -> None:
    statistic, p = friedman(DEMSAR)

    assert (statistic, p) == pytest.approx(tuple(stats.friedmanchisquare(*DEMSAR.T)))
    ranks = average_ranks(DEMSAR)
    untied = 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 25 / 4)
    assert untied == pytest.approx(9.28, abs=0.01)  # without scipy's correction of ties
    assert friedman(np.ones((5, 3))) == (0.0, 1.0)


def test_the_critical_difference_diagram_of_demsars_example(row: Make) -> None:
    """At 5 % Nemenyi's test tells nothing apart there: 3.143 - 1.964 < 1.25."""
    found = rank_lines(grid_of(DEMSAR, ["C4.5", "m", "cf", "m+cf"], row))

    assert found.lines == ("m+cf", "m", "cf", "C4.5")
    assert found.average_ranks == pytest.approx((1.964, 2.0, 2.893, 3.143), abs=5e-4)
    assert found.p is not None
    assert found.p < 0.05
    assert found.groups == (("m+cf", "m", "cf", "C4.5"),)
    assert not found.is_ranking
    assert "can't be told apart" in found.sentence


def test_lines_far_apart_are_ranked_in_overlapping_groups(row: Make) -> None:
    table = np.array([[0.9, 0.8, 0.7, 0.6]] * 10)
    table[:5] = table[:5, [0, 1, 3, 2]]

    found = rank_lines(grid_of(table, ["a", "b", "c", "d"], row))

    # ranks 1, 2, 3.5, 3.5; critical difference 1.48: b is like a, c and d are not quite like b
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(20 / 60), abs=1e-3)
    assert found.groups == (("a", "b"), ("c", "d"))
    assert found.sentence.endswith("a = b; c = d.")


def test_without_significance_there_is_no_ranking(row: Make, random: np.random.Generator) -> None:
    found = rank_lines(grid_of(random.normal(size=(6, 4)), list("abcd"), row))

    assert found.p is not None
    assert found.p > 0.05
    assert len(found.groups) == 1
    assert found.sentence.startswith("No ranking: Friedman p")


def test_two_data_sets_give_no_ranking_and_missing_ones_are_counted(row: Make) -> None:
    grid = grid_of(DEMSAR[:3], list("abcd"), row)
    rows = [grid.row(block, seed, line) for block in grid.blocks for line in "abcd" for seed in range(3)]

    found = rank_lines(Grid(rows[:-3]))  # type: ignore[arg-type]

    assert (found.blocks, found.dropped, found.p) == (2, 1, None)
    assert found.sentence.startswith("No ranking: 4 lines in 2")


def test_groups_within_a_data_set_follow_paired_intervals(rows_of: Make) -> None:
    """Seeds differ by far more than lines: unpaired, nothing would be told apart."""
    base = np.array([0.5, 0.7, 0.6, 0.8])
    noise = np.array([[0, 2, 2, 0], [1, 0, 0, 2], [0, 2, 0, 1]]) / 1000
    grid = Grid(rows_of(a=base + 0.1 + noise[0], b=base + 0.1 + noise[1], c=base + noise[2]))

    found = group_block(grid, Block("globule", 0.05))

    assert found.groups == (("a", "b"), ("c",))
    assert "a = b; c" in found.sentence


def test_groups_of_two_seeds_are_one_and_untested(rows_of: Make) -> None:
    found = group_block(Grid(rows_of(a=[0.9, 0.9], b=[0.1, 0.2])), Block("globule", 0.05))

    assert found.groups == (("a", "b"),)
    assert found.untested == 1
    assert "no ranking" in found.sentence
