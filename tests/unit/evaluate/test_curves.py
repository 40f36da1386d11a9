"""The curve says at each threshold what matching anew would say."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cryoglean.errors import PicksError
from cryoglean.evaluate.curves import Tally, precision_recall_curve, tally
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.evaluate.zones import set_scenes
from cryoglean.picks import Picks

from .making import crowd, table


@pytest.mark.parametrize("rule", ["greedy_distance", "hungarian"])
@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("seed", range(4))
def test_every_row_of_the_curve_is_the_count_at_that_threshold(rule, levels, seed):
    """Crowded random picks with ignore points and a border, with and without tied scores."""
    random = np.random.default_rng(seed)
    picks, truth = crowd(random, levels=levels)
    ignore, _ = crowd(random, picks=10)
    shapes = dict.fromkeys(truth.micrographs, (150, 150))
    rules = Rules(tolerance_pixels=14, border_pixels=9, shapes=shapes, rule=rule)
    scenes = set_scenes(picks, truth, rules, ignore).each

    curve = precision_recall_curve(scenes)

    inside = np.concatenate([scene.score for scene in scenes])
    assert curve.thresholds.tolist() == np.unique(inside)[::-1].tolist()
    for place, threshold in enumerate(curve.thresholds):
        total = sum((tally(scene, threshold) for scene in scenes), Tally(0, 0, 0))
        found = (int(curve.true_positives[place]), int(curve.false_positives[place]))
        assert found == (total.true_positives, total.false_positives)


def test_curve_of_thousands_of_scores_has_at_most_256_thresholds_under_assignment():
    picks, truth = crowd(np.random.default_rng(0), picks=900, truth=100, side=900.0)

    curve = precision_recall_curve(set_scenes(picks, truth, Rules(tolerance_pixels=20, rule="hungarian")).each)

    assert len(curve.thresholds) == 256
    assert curve.thresholds[-1] == picks.score.min()


def test_average_precision_by_hand():
    """Scores .9 true, .8 false, .7 true, three particles: 1 * 1/3 + 2/3 * 1/3 = 5/9."""
    picks = table([(0, 0), (500, 500), (100, 0)], [0.9, 0.8, 0.7])
    truth = table([(0, 0), (100, 0), (200, 0)])

    result = evaluate_picks(picks, truth, Rules(tolerance_pixels=5)).to_json()

    assert result["average_precision"] == pytest.approx(5 / 9)
    assert (result["best_f1"], result["best_f1_threshold"]) == (pytest.approx(4 / 6), 0.7)


def test_picks_of_one_score_are_one_step():
    """One true and one false pick of the same score: precision 1/2 at recall 1, whatever their order."""
    truth = table([(0, 0)])
    orders = [table([(0, 0), (50, 50)], [0.5, 0.5]), table([(50, 50), (0, 0)], [0.5, 0.5])]

    values = [
        evaluate_picks(picks, truth, Rules(tolerance_pixels=5)).to_json()["average_precision"] for picks in orders
    ]

    assert values == [0.5, 0.5]


def test_surer_pick_farther_off_is_replaced_by_a_nearer_one_and_becomes_false():
    picks, truth = table([(4, 0), (1, 0)], [0.9, 0.2]), table([(0, 0)])

    curve = precision_recall_curve(set_scenes(picks, truth, Rules(tolerance_pixels=5)).each)

    assert (curve.true_positives.tolist(), curve.false_positives.tolist()) == ([1, 1], [0, 1])


def test_picks_without_scores_have_no_curve():
    with pytest.raises(PicksError, match="no scores"):
        precision_recall_curve(set_scenes(table([(0, 0)]), table([(0, 0)]), Rules(tolerance_pixels=5)).each)


def test_seven_crowded_micrographs_take_less_than_a_second():
    """700 particles and 1,500 picks on each, every particle contested: the whole evaluation, intervals included."""
    random = np.random.default_rng(1)
    picks, truth = crowd(random, picks=10_500, truth=4_900, side=1536.0, micrographs=7)
    rules = Rules(diameter_pixels=40.5, shapes=dict.fromkeys(truth.micrographs, (1536, 1536)), border_pixels=56)

    start = time.process_time()
    evaluate_picks(picks, truth, rules, threshold=0.5).to_json()

    assert time.process_time() - start < 1.0


def test_no_pick_at_all_gives_an_empty_curve_and_no_precision():
    result = evaluate_picks(Picks.empty(["m"]), table([(0, 0)]), Rules(tolerance_pixels=5)).to_json()

    assert (result["average_precision"], result["f1"], result["precision"], result["recall"]) == (0.0, 0.0, None, 0.0)
