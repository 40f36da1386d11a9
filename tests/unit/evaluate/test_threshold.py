"""The threshold chosen on validation micrographs."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError, PicksError, SettingsError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.picks import Picks

from .making import lattice, table

RULES = Rules(tolerance_pixels=5, bootstrap_draws=0)


def noisy(random, particles=200, false=300, separation=2.0):
    """Picks with normal scores: true ones shifted by `separation` deviations; false ones where no particle is."""
    real = lattice(particles)
    wrong = [(x + 25, y + 25) for x, y in lattice(false, spacing=50, start=3000)]
    scores = np.concatenate([random.normal(separation, 1, particles), random.normal(0, 1, false)])
    return table(real + wrong, scores), table(real)


def test_cut_between_two_separate_clouds_of_scores_lies_in_the_gap():
    real = lattice(100)
    wrong = [(x + 25, y + 25) for x, y in real]
    random = np.random.default_rng(0)
    scores = np.concatenate([random.uniform(0.8, 0.9, 100), random.uniform(0.1, 0.2, 100)])

    chosen = choose_threshold(table(real + wrong, scores), table(real), RULES)

    assert (chosen.rule, chosen.f1) == ("f1", 1.0)
    assert 0.45 < chosen.threshold < 0.55


def test_f1_of_the_choice_is_the_f1_of_an_evaluation_at_it():
    for seed in range(5):
        picks, truth = noisy(np.random.default_rng(seed))
        for rule in ("f1", "count"):
            chosen = choose_threshold(picks, truth, RULES, rule=rule)

            assert evaluate_picks(picks, truth, RULES, threshold=chosen.threshold).to_json()["f1"] == chosen.f1


def test_smoothed_cut_is_steadier_than_the_best_raw_f1_and_gives_up_next_to_nothing():
    """Normal scores, 200 true and 300 false; 40 repeats, judged against the F1 in expectation over thresholds."""
    from scipy.stats import norm

    grid = np.linspace(-1, 3, 4001)
    expected = 2 * 200 * norm.sf(grid - 2) / (200 + 200 * norm.sf(grid - 2) + 300 * norm.sf(grid))
    smoothed, raw = [], []
    for seed in range(40):
        picks, truth = noisy(np.random.default_rng(seed))
        smoothed.append(choose_threshold(picks, truth, RULES).threshold)
        raw.append(evaluate_picks(picks, truth, RULES).best[1])

    assert np.std(smoothed) < np.std(raw)
    assert expected.max() - np.interp(smoothed, grid, expected).mean() < 0.005
    assert abs(np.mean(smoothed) - grid[expected.argmax()]) < 0.1


@pytest.mark.parametrize(("particles", "rule"), [(59, "count"), (60, "f1")])
def test_auto_counts_below_sixty_particles(particles, rule):
    picks, truth = noisy(np.random.default_rng(0), particles=particles)

    assert choose_threshold(picks, truth, RULES).rule == rule


def test_count_keeps_as_many_picks_as_there_are_particles():
    picks, truth = noisy(np.random.default_rng(3), particles=40, false=100)

    chosen = choose_threshold(picks, truth, RULES, rule="count")

    assert int((picks.score >= chosen.threshold).sum()) == 40


def test_count_keeps_all_when_there_are_too_few_picks():
    picks = table(lattice(3), [0.1, 0.2, 0.3])

    chosen = choose_threshold(picks, table(lattice(9)), RULES, rule="count")

    assert chosen.threshold == 0.1


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5, 0.5]])
def test_one_score_only_keeps_everything(scores):
    points = lattice(len(scores))

    chosen = choose_threshold(table(points, scores), table(points), RULES, rule="f1")

    assert (chosen.threshold, chosen.f1) == (0.5, 1.0)


def test_no_pick_is_a_bad_result_and_no_error():
    chosen = choose_threshold(Picks.empty(["m"]), table(lattice(9)), RULES)

    assert chosen.f1 == 0.0
    assert "No pick" in chosen.reason


@pytest.mark.parametrize(
    ("picks", "truth", "rule", "error"),
    [
        (table([(0, 0)]), table([(0, 0)]), "auto", PicksError),
        (table([(0, 0)], [1]), table([]), "auto", LabelsError),
        (table([(0, 0)], [1]), table([(0, 0)]), "best", SettingsError),
    ],
)
def test_what_can_not_be_chosen_from_is_refused(picks, truth, rule, error):
    with pytest.raises(error):
        choose_threshold(picks, truth, RULES, rule=rule)
