"""Whether picks became better, by more than chance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cryoglean.errors import PicksError, SettingsError
from cryoglean.evaluate.gain import Gain, compare_picks
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.picks import Picks

NAMES = ("a", "b")
SIDE = 900
RULES = Rules(tolerance_pixels=10, shapes=dict.fromkeys(NAMES, (SIDE, SIDE)))


def lay_out(random: np.random.Generator, particles: int = 60) -> Picks:
    """Particles at least 40 pixels from each other, on two micrographs."""
    parts = []
    for name in NAMES:
        cells = random.choice(20 * 20, particles, replace=False)
        xy = np.stack([cells % 20, cells // 20], axis=1) * 45.0 + random.uniform(0, 5, (particles, 2))
        parts.append(Picks.of_one(name, xy))
    return Picks.concatenate(parts)


def pick(random: np.random.Generator, truth: Picks, recall: float, noise: float, base: np.ndarray) -> Picks:
    """A share of the particles, scored about `base` + 1, and half as many false ones, scored about 0."""
    found = random.random(len(truth)) < recall
    false = np.full((len(truth) // 2, 2), 30.0) + 45.0 * random.integers(0, 19, (len(truth) // 2, 2))
    names = np.concatenate([truth.micrograph[found], random.choice(NAMES, len(false))])
    scores = np.concatenate([1 + base[found], random.normal(0, 0.7, len(false))])
    scores = scores + noise * random.normal(size=len(scores))
    return Picks(names, np.concatenate([truth.xy[found], false]), scores, micrographs=NAMES)


def average_precision(picks: Picks, truth: Picks) -> float:
    curve = evaluate_picks(picks, truth, RULES).curve
    assert curve is not None
    return curve.average_precision


def simulate(seed: int, recalls: tuple[float, float] = (0.7, 0.8)) -> Gain:
    random = np.random.default_rng(seed)
    truth = lay_out(random)
    base = random.normal(0, 0.7, len(truth))  # both find the same particles hard
    before, after = (pick(random, truth, recall, 0.3, base) for recall in recalls)
    return compare_picks(before, after, truth, RULES)


def test_equal_picks_are_no_gain_without_doubt():
    random = np.random.default_rng(0)
    truth = lay_out(random)
    picks = pick(random, truth, 0.7, 0.3, np.zeros(len(truth)))

    gain = compare_picks(picks, picks, truth, RULES)

    assert (gain.gain, gain.standard_error, gain.is_clear) == (0, 0, False)
    assert 0.3 < gain.before < 0.9


def test_clearly_better_picks_are_a_clear_gain_and_clearly_worse_ones_none():
    better, worse = simulate(0, (0.4, 0.9)), simulate(0, (0.9, 0.4))

    assert better.gain > 4 * better.standard_error > 0
    assert better.is_clear
    assert worse.gain < 0
    assert not worse.is_clear


def test_average_precision_is_that_of_the_evaluation():
    random = np.random.default_rng(4)
    truth = lay_out(random)
    before, after = (pick(random, truth, recall, 0.3, np.zeros(len(truth))) for recall in (0.5, 0.8))

    gain = compare_picks(before, after, truth, RULES)

    for value, picks in ((gain.before, before), (gain.after, after)):
        assert value == pytest.approx(average_precision(picks, truth))


def test_the_standard_error_is_near_the_spread_over_new_data():
    """Sixty simulated pairs of pickers on new micrographs: what one of them says against how they differ."""
    gains = [simulate(seed) for seed in range(60)]

    spread = float(np.std([each.gain for each in gains]))
    said = float(np.mean([each.standard_error for each in gains]))

    assert 0.5 < said / spread < 2


def test_pickers_that_err_alike_are_compared_more_surely_than_those_that_err_each_in_its_own_way():
    """What makes the comparison paired: the same pieces are drawn for both."""
    random = np.random.default_rng(5)
    truth = lay_out(random)
    one, other = (pick(random, truth, 0.7, 0.3, np.zeros(len(truth))) for _ in range(2))
    alike = Picks(one.micrograph, one.xy, one.score + 0.02 * random.normal(size=len(one)), micrographs=NAMES)

    paired, unpaired = (compare_picks(one, after, truth, RULES) for after in (alike, other))

    assert paired.standard_error < 0.5 * unpaired.standard_error


@pytest.mark.parametrize("has_scores", [True, False])
def test_no_pick_on_one_side_is_an_average_precision_of_0(has_scores):
    random = np.random.default_rng(6)
    truth = lay_out(random)
    picks = pick(random, truth, 0.8, 0.3, np.zeros(len(truth)))
    none = Picks(np.empty(0, dtype=np.str_), np.empty((0, 2)), np.empty(0) if has_scores else None, micrographs=NAMES)

    up, down, neither = (
        compare_picks(before, after, truth, RULES) for before, after in ((none, picks), (picks, none), (none, none))
    )

    assert (up.before, down.after) == (0, 0)
    assert up.gain == -down.gain == up.after > 0.3
    assert up.is_clear
    assert not down.is_clear
    assert (neither.gain, neither.standard_error, neither.is_clear) == (0, 0, False)


def test_without_a_particle_there_is_nothing_to_gain():
    random = np.random.default_rng(7)
    picks = pick(random, lay_out(random), 0.8, 0.3, np.zeros(120))

    gain = compare_picks(picks, picks, Picks.empty(NAMES), RULES)

    assert (gain.before, gain.after, gain.standard_error, gain.is_clear) == (0, 0, 0, False)


def test_the_border_is_left_out_on_both_sides():
    """What lies nearer to the edge than the border neither helps nor hurts."""
    random = np.random.default_rng(8)
    truth = lay_out(random)
    before, after = (pick(random, truth, recall, 0.3, np.zeros(len(truth))) for recall in (0.6, 0.8))
    rules = Rules(tolerance_pixels=10, border_pixels=100, shapes=RULES.shapes)
    inner = [each.rows(((each.xy >= 100) & (each.xy <= SIDE - 101)).all(axis=1)) for each in (before, after, truth)]

    with_border, cropped = compare_picks(before, after, truth, rules), compare_picks(*inner, rules)

    assert with_border.gain == pytest.approx(cropped.gain, abs=0.02)
    assert with_border.before < average_precision(before, truth) + 0.2


def test_the_same_seed_gives_the_same_error_and_another_seed_another():
    random = np.random.default_rng(9)
    truth = lay_out(random)
    before, after = (pick(random, truth, recall, 0.3, np.zeros(len(truth))) for recall in (0.6, 0.8))

    first, again, other = (compare_picks(before, after, truth, RULES, seed) for seed in (1, 1, 2))

    assert first == again
    assert first.standard_error != other.standard_error
    assert first.gain == other.gain


@pytest.mark.parametrize(("gain", "error", "is_clear"), [(0.1, 0.05, True), (0.1, 0.1, False), (0.0, 0.0, False)])
def test_clear_is_more_than_one_standard_error(gain, error, is_clear):
    assert Gain(0.0, gain, error).is_clear is is_clear


@pytest.mark.parametrize(("gain", "error", "is_harm"), [(-0.1, 0.05, True), (-0.1, 0.1, False), (0.0, 0.0, False)])
def test_harm_is_more_than_one_standard_error_too(gain, error, is_harm):
    assert Gain(0.0, gain, error).is_harm is is_harm


def test_it_is_written_as_plain_values():
    written = json.loads(json.dumps(simulate(1).to_json()))

    assert set(written) == {"average_precision_before", "average_precision_after", "gain", "gain_standard_error"}


def test_what_is_missing_is_said():
    truth = lay_out(np.random.default_rng(0))
    scored = Picks(truth.micrograph, truth.xy, np.ones(len(truth)), micrographs=NAMES)

    with pytest.raises(PicksError, match="no scores"):
        compare_picks(truth, scored, truth, RULES)
    with pytest.raises(PicksError, match="size of the micrograph"):
        compare_picks(scored, scored, truth, Rules(tolerance_pixels=10))
    with pytest.raises(SettingsError, match="hungarian"):
        compare_picks(scored, scored, truth, Rules(tolerance_pixels=10, shapes=RULES.shapes, rule="hungarian"))
