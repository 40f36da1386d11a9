"""Scores counted between cuts, and drawn anew."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.prior.counting import count_scores, shares_above


def scores(seed=0, positives=50, unlabelled=400):
    random = np.random.default_rng(seed)
    return random.normal(2, 1, positives), random.normal(0, 1, unlabelled)


def test_shares_above_are_those_counted_one_by_one():
    positive, unlabelled = scores()

    counts = count_scores(positive, unlabelled)

    assert counts.cuts.tolist() == sorted(positive)
    for side, given in ((counts.positive, positive), (counts.unlabelled, unlabelled)):
        expected = [np.mean(given >= cut) for cut in counts.cuts]
        assert shares_above(side.sum(axis=0)).tolist() == pytest.approx(expected)


def test_equal_scores_share_a_cut_and_lie_at_or_above_it():
    counts = count_scores(np.array([1.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0, 3.0]))

    assert counts.cuts.tolist() == [1.0, 2.0]
    assert shares_above(counts.positive[0]).tolist() == pytest.approx([1.0, 1 / 3])
    assert shares_above(counts.unlabelled[0]).tolist() == pytest.approx([0.75, 0.5])


def test_groups_split_the_same_counts():
    positive, unlabelled = scores()
    whole = count_scores(positive, unlabelled)

    grouped = count_scores(positive, unlabelled, np.arange(50) % 3, np.arange(400) % 5, ["empty"])

    assert grouped.names.tolist() == ["0", "1", "2", "3", "4", "empty"]
    assert grouped.positive.sum(axis=0).tolist() == whole.positive[0].tolist()
    assert grouped.unlabelled.sum(axis=0).tolist() == whole.unlabelled[0].tolist()
    assert grouped.positive.sum(axis=1).tolist() == [17, 17, 16, 0, 0, 0]
    assert grouped.unlabelled[5].sum() == 0


def test_drawn_groups_are_whole_and_the_same_for_both_sides():
    """Group g has 10 ** g labelled and as many unlabelled scores: any draw has as many of one as of the other."""
    groups = np.repeat([0, 1, 2], [1, 10, 100])
    counts = count_scores(np.full(111, 1.0), np.full(111, 0.0), groups, groups)

    drawn = counts.draw(50, seed=0)

    assert drawn.weights.sum(axis=1).tolist() == [3.0] * 50
    assert drawn.positive.sum(axis=1).tolist() == drawn.unlabelled.sum(axis=1).tolist()
    assert drawn.positive.sum(axis=1).tolist() == (drawn.weights @ [1, 10, 100]).tolist()


def test_drawn_single_scores_vary_as_the_binomial_says():
    """Half of 100 scores lie above the upper cut: deviation .05."""
    counts = count_scores(np.repeat([0.0, 1.0], 50), np.zeros(10))

    drawn = counts.draw(4000, seed=0)
    shares = shares_above(drawn.positive)[:, 1]

    assert drawn.weights is None
    assert drawn.positive.sum(axis=1).tolist() == [100.0] * 4000
    assert (shares.mean(), shares.std()) == (pytest.approx(0.5, abs=0.003), pytest.approx(0.05, rel=0.05))


def test_draws_without_a_labelled_score_are_left_out():
    counts = count_scores(np.array([1.0]), np.array([0.0, 0.0, 0.0]), ["a"], ["a", "b", "c"])

    drawn = counts.draw(300, seed=0)

    assert 0 < len(drawn.positive) < 300
    assert (drawn.positive.sum(axis=1) > 0).all()
    assert len(drawn.unlabelled) == len(drawn.weights) == len(drawn.positive)


def test_when_no_draw_has_a_labelled_score_all_groups_count_once():
    names = [f"m{number}" for number in range(40)]
    counts = count_scores(np.array([1.0]), np.array([0.0, 2.0]), ["m0"], ["m0", "m1"], names)
    seed = next(seed for seed in range(50) if not np.random.default_rng(seed).multinomial(40, np.full(40, 1 / 40))[0])

    drawn = counts.draw(1, seed)

    assert drawn.weights.tolist() == [[1.0] * 40]
    assert (drawn.positive.sum(), drawn.unlabelled.sum()) == (1, 2)


def test_more_than_512_labelled_scores_are_cut_at_their_quantiles():
    positive, unlabelled = scores(positives=3000)

    counts = count_scores(positive, unlabelled)

    assert len(counts.cuts) == 512
    assert counts.cuts[0] == positive.min()
    assert set(counts.cuts) <= set(positive)
    assert np.abs(shares_above(counts.positive[0]) - np.linspace(1, 0, 512)).max() < 0.003
