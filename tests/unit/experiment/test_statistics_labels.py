"""Learning curves, saved labels, the gap to the oracle, power, cost, and all of it together."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cryoglean.errors import RunError, SettingsError
from cryoglean.experiment.statistics.account import account_for
from cryoglean.experiment.statistics.cost import cost_points, pareto_front
from cryoglean.experiment.statistics.curves import learning_curve
from cryoglean.experiment.statistics.differences import paired_difference
from cryoglean.experiment.statistics.gap import fieller, gap_closed
from cryoglean.experiment.statistics.grid import Block, Grid
from cryoglean.experiment.statistics.power import Noise, detectable_difference, power, seed_power, seeds_needed
from cryoglean.experiment.statistics.savings import label_savings

BLOCK = Block("globule", 0.05)
Make = Callable[..., Any]


@pytest.fixture
def curves(rows_of: Make) -> Callable[..., Grid]:
    """A grid of lines, each with its values by number of labels; seeds are `noise` around them."""

    def make(noise: list[float], **lines: dict[int, float]) -> Grid:
        rows = []
        for line, values in lines.items():
            for labelled, value in values.items():
                rows += rows_of(ratio=labelled / 100, **{line: value + np.array(noise)})
        return Grid(rows)

    return make


def test_a_learning_curve_has_scipys_bands_and_counts_what_is_missing(rows_of: Make) -> None:
    rows = [*rows_of(ratio=0.1, a=[0.8, 0.9, 0.85, 0.8]), *rows_of(ratio=0.02, a=[0.5, 0.6, 0.55, 0.7])[:-2]]
    rows += rows_of(ratio=0.02, b=[0.1] * 4)

    found = learning_curve(Grid(rows), "globule", "a")

    few, many = found.points
    assert (few.labelled, many.labelled) == (2, 10)
    assert few.band is None
    expected = stats.ttest_1samp(many.by_seed, 0).confidence_interval()
    assert many.band == pytest.approx((expected.low, expected.high))
    assert found.missing == 2
    assert "2 results missing" in found.sentence


def test_ratios_with_different_labels_by_line_are_refused(row: Make) -> None:
    rows = [row("a", 0.1, 0, "x", 0.5), row("a", 0.1, 0, "y", 0.5, labelled=11)]

    with pytest.raises(RunError, match="10 or 11 labelled micrographs"):
        learning_curve(Grid(rows), "a", "x")


def test_half_the_labels_do(curves: Callable[..., Grid]) -> None:
    grid = curves(
        [0.0, 0.001, -0.001], supervised={1: 0.4, 2: 0.5, 4: 0.6, 8: 0.7}, other={1: 0.5, 2: 0.6, 4: 0.7, 8: 0.8}
    )

    first, *_, last = label_savings(grid, "globule", "other")

    assert last.labelled == 8
    assert last.labels == pytest.approx(4.0)
    assert last.lower is not None
    assert last.lower <= 4 <= (last.upper or 0) < 4.1
    assert last.is_clear
    assert "the F1 of 8 labelled micrographs of supervised is reached with 4.0" in last.sentence
    assert (first.status, first.labels) == ("beyond the curve", None)
    assert "1 or fewer (the curve begins there)" in first.sentence


def test_between_ratios_the_logarithm_is_straight(curves: Callable[..., Grid]) -> None:
    grid = curves([0, 0, 0], supervised={1: 0.4, 4: 0.5, 16: 0.6}, other={1: 0.3, 4: 0.45, 16: 0.55})

    found = label_savings(grid, "globule", "other")

    assert found[1].labels == pytest.approx(8.0)  # .5 is half way from .45 to .55, 8 half way from 4 to 16
    assert not found[1].is_clear
    assert found[2].status == "not reached"
    assert "is not reached with 16 or fewer" in found[2].sentence


def test_a_dip_of_the_mean_curve_is_levelled(curves: Callable[..., Grid]) -> None:
    grid = curves([0, 0, 0], supervised={1: 0.4, 2: 0.55, 4: 0.6}, other={1: 0.4, 2: 0.6, 4: 0.5})

    found = label_savings(grid, "globule", "other")

    assert found[1].labels == pytest.approx(2.0)  # levelled to .55 at 2 and 4
    assert found[2].status == "not reached"


def test_noise_leaves_the_interval_open_and_nothing_saved(rows_of: Make, random: np.random.Generator) -> None:
    rows = []
    for labelled, mean in {1: 0.5, 2: 0.52, 4: 0.54}.items():
        rows += rows_of(
            ratio=labelled / 100, supervised=mean + random.normal(0, 0.1, 3), other=mean + random.normal(0, 0.1, 3)
        )

    found = label_savings(Grid(rows), "globule", "other")[1]

    assert (found.lower, found.upper) == (None, None)
    assert not found.is_clear
    assert "95 % interval below 1 to above 4: no detectable saving" in found.sentence


def test_two_seeds_give_no_interval_of_saved_labels(curves: Callable[..., Grid]) -> None:
    grid = curves([0, 0.01], supervised={1: 0.4, 2: 0.5}, other={1: 0.5, 2: 0.6})

    found = label_savings(grid, "globule", "other")[1]

    assert not found.has_interval
    assert "2 seeds give no interval" in found.sentence


def test_a_seed_that_lacks_a_ratio_is_dropped(rows_of: Make) -> None:
    rows = []
    for ratio in (0.01, 0.02):
        rows += rows_of(ratio=ratio, supervised=[ratio * 20] * 4, other=[ratio * 20] * 4)

    found = label_savings(Grid(rows[:-1]), "globule", "other")[1]

    assert (found.seeds, found.dropped) == ((0, 1, 2), (3,))
    assert "1 seed dropped" in found.sentence


def test_the_share_of_the_gap_and_fiellers_roots(rows_of: Make) -> None:
    theirs, ours, oracle = np.array([[0.70, 0.72, 0.71, 0.69], [0.75, 0.78, 0.77, 0.73], [0.80, 0.83, 0.80, 0.79]])
    grid = Grid([*rows_of(supervised=theirs, other=ours), *rows_of(ratio=1.0, oracle=oracle)])

    found = gap_closed(grid, BLOCK, "other")

    assert found.gap == pytest.approx(0.1)
    assert found.share == pytest.approx(0.525)
    assert found.interval is not None
    for end in found.interval:  # at its ends, a t test of (ours - theirs) - end (oracle - theirs) is at 5 %
        assert stats.ttest_1samp(ours - theirs - end * (oracle - theirs), 0).pvalue == pytest.approx(0.05)
    assert "% of the gap from supervised to the oracle (+0.100 F1), 95 % interval 37% to 70%" in found.sentence


@pytest.mark.parametrize("oracle", [[0.6, 0.61, 0.6], [0.6, 0.9, 0.75]])
def test_there_is_no_share_of_a_gap_that_may_be_none(oracle: list[float], rows_of: Make) -> None:
    grid = Grid(rows_of(supervised=[0.7, 0.71, 0.69], other=[0.72, 0.72, 0.72], oracle=oracle))

    found = gap_closed(grid, BLOCK, "other")

    assert found.share is None
    assert "can't be told from 0" in found.sentence


def test_fieller_is_the_t_interval_when_the_divisor_is_fixed() -> None:
    above = np.array([0.1, 0.2, 0.15, 0.12])

    expected = stats.ttest_1samp(above / 2, 0).confidence_interval()

    assert fieller(above, np.full(4, 2.0)) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_the_seeds_needed_are_those_of_gpower(effect: float, seeds: int) -> None:
    """Faul et al. 2007 (doi:10.3758/BF03193146): matched pairs, two-sided, 5 %, 80 %."""
    assert seeds_needed(effect, Noise(1.0)) == seeds
    assert power(effect, seeds, Noise(1.0)) >= 0.8 > power(effect, seeds - 1, Noise(1.0))


def test_power_is_what_a_simulation_finds(random: np.random.Generator) -> None:
    values = random.normal(0.02, 0.01, (20_000, 4))

    found = (stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05).mean()

    assert power(0.02, 4, Noise(0.01)) == pytest.approx(found, abs=0.01)
    assert power(0.0, 4, Noise(0.01)) == pytest.approx(0.05)


def test_the_detectable_difference_has_80_percent_power() -> None:
    found = detectable_difference(5, Noise(0.01))

    assert power(found, 5, Noise(0.01)) == pytest.approx(0.8, abs=1e-6)
    assert detectable_difference(5, Noise(0.0)) == 0.0


def test_few_test_micrographs_are_not_mended_by_seeds() -> None:
    noise = Noise(0.01, micrograph_error=0.01, micrographs=10)

    assert seeds_needed(0.01, noise) is None
    assert detectable_difference(10_000, noise) == pytest.approx(
        detectable_difference(11, Noise(0.01 * np.sqrt(10))), rel=0.1
    )


def test_power_is_reckoned_from_the_observed_differences(rows_of: Make) -> None:
    grid = Grid(rows_of(supervised=[0.7, 0.71, 0.72], a=[0.71, 0.73, 0.73]))

    found = seed_power(paired_difference(grid, BLOCK, "a", measure="average_precision"))

    assert found.noise is not None
    assert found.noise.seed_deviation == pytest.approx(np.std([0.01, 0.02, 0.01], ddof=1))
    assert found.seeds_needed is not None
    assert found.seeds_needed_safely is not None
    assert found.seeds_needed < found.seeds_needed_safely
    low, high = found.deviation_interval or (0, 0)
    assert low / found.noise.seed_deviation == pytest.approx(0.5207, abs=1e-3)  # of chi-squared tables, n = 3
    assert high / found.noise.seed_deviation == pytest.approx(6.285, abs=1e-3)
    assert f"0.01 takes {found.seeds_needed}" in found.sentence


def test_copies_of_one_run_say_nothing_of_power(rows_of: Make) -> None:
    grid = Grid(rows_of(supervised=[0.7, 0.71, 0.72], a=[0.8, 0.81, 0.82]))

    found = seed_power(paired_difference(grid, BLOCK, "a"))

    assert "no difference from seed to seed" in found.sentence
    assert found.detectable == 0.0


def test_two_seeds_say_nothing_of_power(rows_of: Make) -> None:
    found = seed_power(paired_difference(Grid(rows_of(supervised=[0.7, 0.71], a=[0.71, 0.73])), BLOCK, "a"))

    assert found.seeds_needed is None
    assert "can't be said from 2" in found.sentence


def test_the_pareto_front_by_hand() -> None:
    points = [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (2.0, 0.6), (4.0, 0.7), (1.0, 0.5)]

    assert pareto_front(points) == {0, 1, 5}


def test_a_gain_is_priced_only_if_it_is_detectable(row: Make) -> None:
    rows = []
    for seed, jitter in enumerate([0.0, 0.001, -0.001]):
        for line, value, cost in (
            ("supervised", 0.7, 1700.0), ("dear", 0.8 + jitter, 5300.0), ("noise", 0.71 + 20 * jitter, 3500.0),
            ("cheap", 0.75 + jitter, 900.0),
        ):  # fmt: skip
            rows.append(row(*BLOCK, seed, line, value, train_cpu_seconds=cost, pick_cpu_seconds=100.0))

    found = {point.line: point for point in cost_points(Grid(rows), BLOCK)}

    assert found["supervised"].cpu_seconds == 1800.0
    assert found["dear"].gain_per_cpu_hour == pytest.approx(0.1)
    assert found["dear"].extra_cpu_seconds == pytest.approx(3600.0)
    assert found["noise"].gain_per_cpu_hour is None
    assert "no detectable gain" in found["noise"].sentence
    assert "costs no more" in found["cheap"].sentence
    assert {line for line, point in found.items() if point.is_on_front} == {"cheap", "dear"}


def test_the_oracle_is_no_competitor(row: Make) -> None:
    """It is cheaper and better than a line that would else be on the front, and stays off it itself."""
    costs = {"supervised": (0.7, 100.0), "taught": (0.8, 300.0), "worse": (0.75, 400.0), "oracle": (0.9, 100.0)}
    rows = [
        row(*BLOCK, seed, line, value + 0.001 * seed, train_cpu_seconds=cost)
        for seed in range(3)
        for line, (value, cost) in costs.items()
    ]

    found = {point.line: point for point in account_for(rows).costs}

    assert {line for line, point in found.items() if point.is_on_front} == {"supervised", "taught"}
    assert {line for line, point in found.items() if "another line" in point.sentence} == {"worse"}


def test_the_whole_account_is_json_and_says_what_is_missing(row: Make, random: np.random.Generator) -> None:
    lines = {"supervised": 0.0, "a": 0.05, "b": 0.0, "oracle": 0.2}
    rows = [
        row(data, ratio, seed, line, 0.5 + ratio + more + random.normal(0, 0.01), train_cpu_seconds=100.0)
        for data in ("one", "two")
        for ratio in (0.02, 0.05, 0.1)
        for seed in range(3)
        for line, more in lines.items()
    ]
    found = account_for(rows[1:])

    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["missing"] == [{"data": "one", "ratio": 0.02, "seed": 0, "line": "supervised"}]
    assert plain["sentences"][0].startswith("1 cell has no result")
    assert len(plain["differences"]) == 3 * 6
    assert len(plain["gaps"]) == 2 * 6
    assert plain["across"][0]["line"] == "a"
    assert "a" in plain["ranking"]["lines"]
    assert "oracle" not in plain["ranking"]["lines"]
    assert all(part["sentence"] for part in plain["costs"] + plain["savings"] + plain["power"] + plain["curves"])


def test_an_empty_grid_is_an_empty_account() -> None:
    found = account_for([])

    assert found.differences == ()
    assert found.sentences[0].startswith("No ranking: 0 lines")


@pytest.mark.parametrize(("words", "said"), [({"measure": "f2"}, "f1"), ({"target": 0.0}, "above 0")])
def test_a_wrong_question_is_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        account_for([], **words)
