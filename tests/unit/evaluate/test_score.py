"""One call, one result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cryoglean.errors import SettingsError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.picks import Picks

from .making import lattice, table

KEYS = {
    "f1", "precision", "recall", "best_f1", "best_f1_threshold", "average_precision", "true_positives", "picks",
    "truth", "threshold", "tolerance_pixels", "intervals", "per_micrograph", "macro", "count_error",
    "at_quarter_diameter", "picks_without_truth", "orientation", "definition",
}  # fmt: skip
ROW = {"micrograph", "truth", "picks", "true_positives", "precision", "recall", "f1", "count_error"}


def moved(points, by):
    """The points, each moved by `by` pixels to the right."""
    return [(x + by, y) for x, y in points]


@pytest.mark.parametrize(
    ("by", "true", "close"), [(0, 9, 9), (4, 9, 9), (5, 9, 9), (8, 9, 0), (10, 9, 0), (10.5, 0, 0)]
)
def test_hand_made_picture_moved_sideways(by, true, close):
    """Nine particles of diameter 20; found up to half a diameter (10), closely found up to a quarter (5)."""
    result = evaluate_picks(table(moved(lattice(9), by)), table(lattice(9)), Rules(diameter_pixels=20)).to_json()

    assert (result["true_positives"], result["picks"], result["truth"]) == (true, 9, 9)
    assert result["at_quarter_diameter"] == {
        "f1": close / 9,
        "precision": close / 9,
        "recall": close / 9,
        "tolerance_pixels": 5.0,
    }


def test_hand_made_picture_with_misses_duplicates_and_junk():
    """Nine particles: six found, two of them twice; one pick on ice. Precision 6/9, recall 6/9."""
    points = lattice(9)
    picks = [*points[:6], *moved(points[:2], 3), (900, 900)]

    result = evaluate_picks(table(picks), table(points), Rules(diameter_pixels=20)).to_json()

    assert (result["precision"], result["recall"], result["f1"]) == pytest.approx((6 / 9, 6 / 9, 6 / 9))


def test_result_has_all_keys_and_no_nan():
    """Also where half of the scores are not defined: no scores, no diameter, an empty micrograph."""
    hard = evaluate_picks(table([], micrographs=("a",)), table([], micrographs=("a",)), Rules()).to_json()
    usual = evaluate_picks(table(lattice(4), [4, 3, 2, 1]), table(lattice(4)), Rules(diameter_pixels=9)).to_json()

    for result in (hard, usual):
        assert set(result) >= KEYS
        assert all(set(row) == ROW for row in result["per_micrograph"])
        assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_nothing_to_find_and_nothing_picked_is_no_number_but_right():
    result = evaluate_picks(table([]), table([]), Rules(tolerance_pixels=5)).to_json()

    assert (result["f1"], result["precision"], result["recall"]) == (None, None, None)
    assert result["macro"] == {"f1": 1.0, "precision": 1.0, "recall": 1.0}


def test_picks_without_scores_have_no_threshold_and_no_average_precision():
    result = evaluate_picks(table(lattice(3)), table(lattice(4)), Rules(tolerance_pixels=5), threshold=0.5).to_json()

    assert (result["threshold"], result["average_precision"], result["best_f1_threshold"]) == (None, None, None)
    assert result["best_f1"] == result["f1"] == pytest.approx(6 / 7)


def test_threshold_is_applied_to_the_counts_and_not_to_the_curve():
    picks = table(lattice(4), [0.9, 0.8, 0.3, 0.2])

    result = evaluate_picks(picks, table(lattice(4)), Rules(tolerance_pixels=5), threshold=0.5).to_json()

    assert (result["recall"], result["average_precision"], result["best_f1_threshold"]) == (0.5, 1.0, 0.2)


def test_diameter_column_of_the_truth_is_used_particle_by_particle_when_none_is_given():
    truth = Picks(np.array(["m", "m"]), np.array([[0.0, 0], [100, 0]]), diameter_pixels=np.array([10.0, 20]))
    picks = table([(8, 0), (108, 0)])

    own = evaluate_picks(picks, truth, Rules()).to_json()
    given = evaluate_picks(picks, truth, Rules(diameter_pixels=20)).to_json()

    assert (own["true_positives"], given["true_positives"]) == (1, 2)
    assert own["tolerance_pixels"] == 7.5


def test_macro_is_the_mean_over_micrographs_and_count_error_its_own():
    """One micrograph all found (1 of 1), one with a tenth found: recall 2/11 pooled, .55 in the mean."""
    truth = Picks.concatenate([table([(0, 0)], name="a"), table(lattice(10), name="b")])
    picks = Picks.concatenate([table([(0, 0)], name="a"), table(lattice(1), name="b")])

    result = evaluate_picks(picks, truth, Rules(tolerance_pixels=5)).to_json()

    assert result["recall"] == pytest.approx(2 / 11)
    assert result["macro"]["recall"] == pytest.approx(0.55)
    assert result["count_error"] == pytest.approx(0.45)


def test_the_surest_half_says_how_many_of_the_surest_picks_have_no_label():
    """Half of the particles are labelled; the picker finds all, sure of all: half of the surest have no label."""
    points = lattice(8)
    scores = [8, 7, 6, 5, 4, 3, 2, 1]

    result = evaluate_picks(table(points, scores), table(points[::2]), Rules(diameter_pixels=9))

    assert result.surest_half == (2, 1)
    assert result.to_json()["surest_half"] == [2, 1]


def test_without_scores_or_where_half_is_never_found_there_is_no_surest_half():
    points = lattice(8)

    assert evaluate_picks(table(points), table(points), Rules(diameter_pixels=9)).surest_half is None
    assert evaluate_picks(table(points[:3], [3, 2, 1]), table(points), Rules(diameter_pixels=9)).surest_half is None


def test_unknown_tolerance_is_asked_for():
    with pytest.raises(SettingsError, match="near enough"):
        evaluate_picks(table([(0, 0)]), table([(0, 0)]), Rules())


@pytest.mark.parametrize(
    "settings",
    [{"tolerance_pixels": 0}, {"diameter_pixels": -1}, {"tolerance_diameters": np.nan}, {"border_pixels": -1},
     {"rule": "nearest"}],
)  # fmt: skip
def test_useless_rules_are_refused(settings):
    with pytest.raises(SettingsError):
        Rules(**settings)


def test_threshold_that_is_no_number_is_refused():
    with pytest.raises(SettingsError, match="threshold"):
        evaluate_picks(table([(0, 0)], [1]), table([(0, 0)]), Rules(tolerance_pixels=5), threshold=float("nan"))
