"""Peers' definitions reproduce what is known of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cryoglean.errors import PicksError, SettingsError
from cryoglean.evaluate.definitions import DEFINITIONS, evaluate_by
from cryoglean.evaluate.overlap import box_overlap, draw_discs
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.picks import Picks

from .making import crowd, lattice, table

RULES = Rules(diameter_pixels=20, shapes={"m": (600, 600)}, bootstrap_draws=0)


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("scored", [True, False])
def test_perfect_picks_are_perfect_by_every_definition(name, scored):
    points = lattice(9)
    result = evaluate_by(name, table(points, range(9) if scored else None), table(points), RULES)

    assert (result["f1"], result["precision"], result["recall"]) == (1.0, 1.0, 1.0)
    assert json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize(("picks", "truth"), [(0, 4), (4, 0), (0, 0)])
def test_nothing_is_never_good_and_never_an_error(name, picks, truth):
    result = evaluate_by(name, table(lattice(picks), range(picks)), table(lattice(truth)), RULES)

    expected = None if name not in ("rapick", "cryosegnet") else 1.0 if name == "rapick" else 0.0
    assert result["f1"] == (0.0 if picks or truth else expected)
    assert json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(("name", "found"), [("topaz", 0), ("rapick", 1), ("coco", 0)])
def test_pick_half_a_diameter_off(name, found):
    """Topaz: d < r, so none. RAPICK: d <= diameter / 2. Boxes half over each other: IoU 1/3."""
    result = evaluate_by(name, table([(110, 100)], [1.0]), table([(100, 100)]), RULES)

    assert result["recall"] == found


def test_topaz_curve_comes_from_one_assignment_of_all_picks():
    """The surer, farther pick loses its particle to the nearer, less sure one at every threshold."""
    picks, truth = table([(104, 100), (101, 100)], [0.9, 0.2]), table([(100, 100)])

    topaz = evaluate_by("topaz", picks, truth, RULES, threshold=0.5)
    default = evaluate_by("default", picks, truth, RULES, threshold=0.5)

    assert (topaz["recall"], default["recall"]) == (0.0, 1.0)
    assert (topaz["average_precision"], default["average_precision"]) == (0.5, 1.0)


def test_rapick_is_our_macro_mean_at_half_a_diameter():
    picks, truth = crowd(np.random.default_rng(0))
    result = evaluate_by("rapick", picks, truth, RULES)

    ours = evaluate_picks(picks, truth, RULES).to_json()
    assert {name: result[name] for name in ("f1", "precision", "recall")} == ours["macro"]
    assert result["micro"]["f1"] == ours["f1"]


def test_coco_gives_the_surest_pick_the_particle():
    """Two good boxes on one particle: the surer, though farther, takes it; the other is false. AP is 1."""
    picks, truth = table([(103, 100), (100, 100)], [0.9, 0.8]), table([(100, 100)])

    result = evaluate_by("coco", picks, truth, RULES)

    assert (result["true_positives"], result["picks"], result["average_precision"]) == (1, 2, 1.0)


def test_coco_average_precision_by_hand():
    """True, false, true on two particles: precision 1 up to recall 1/2 (51 of 101 recalls), 2/3 beyond."""
    picks = table([(100, 100), (300, 300), (200, 100)], [0.9, 0.8, 0.7])

    result = evaluate_by("coco", picks, table([(100, 100), (200, 100)]), RULES)

    assert result["average_precision"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_cryo_emmae_lets_two_particles_share_a_pick_so_precision_passes_one():
    """Particles 4 pixels apart, one pick between: both boxes overlap by 18/22 > 0.6."""
    result = evaluate_by("cryo_emmae", table([(102, 100)]), table([(100, 100), (104, 100)]), RULES)

    assert (result["precision"], result["recall"]) == (2.0, 1.0)


def test_maximum_over_micrographs_is_never_below_the_pooled_pixels():
    """One micrograph with one perfect pick and all missed elsewhere looks perfect to CryoSegNet's evaluator."""
    shapes = {"a": (200, 200), "b": (200, 200)}
    truth = Picks.concatenate([table([(50, 50)], name="a"), table([(50, 50), (120, 120)], name="b")])
    picks = table([(50, 50)], name="a")
    rules = Rules(diameter_pixels=20, shapes=shapes)

    assert evaluate_by("cryosegnet", picks, truth, rules)["f1"] == 1.0
    assert evaluate_by("pixel", picks, truth, rules)["f1"] == pytest.approx(0.5)


def test_overlap_of_boxes_by_hand():
    """Squares of side 10: the same, half over, touching, and off both ways by 5 (25 of 175)."""
    moves = np.array([[0.0, 0], [5, 0], [10, 0], [5, 5], [30, 0]])

    assert box_overlap(moves, np.zeros((5, 2)), 10).tolist() == pytest.approx([1, 1 / 3, 0, 25 / 175, 0])


@pytest.mark.parametrize("centre", [(20.0, 30.0), (20.4, 29.7), (0.0, 0.0), (-30.0, 5.0), (61, 39)])
def test_disc_is_every_pixel_within_the_radius(centre):
    y, x = np.mgrid[:40, :60]

    expected = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= 49

    assert np.array_equal(draw_discs(np.array([centre]), (40, 60), 7.0), expected)


def test_border_is_taken_off_before_peers_definitions():
    rules = Rules(diameter_pixels=20, shapes={"m": (600, 600)}, border_pixels=50)

    result = evaluate_by("topaz", table([(10, 10), (100, 100)]), table([(20, 20), (100, 100)]), rules)

    assert (result["picks"], result["truth"], result["f1"]) == (1, 1, 1.0)


@pytest.mark.parametrize(
    ("name", "rules", "ignore", "error"),
    [
        ("topas", RULES, None, SettingsError),
        ("topaz", RULES, table([(0, 0)]), SettingsError),
        ("coco", Rules(tolerance_pixels=5), None, SettingsError),
        ("pixel", Rules(diameter_pixels=5), None, PicksError),
    ],
)
def test_what_a_definition_can_not_do_is_refused(name, rules, ignore, error):
    with pytest.raises(error):
        evaluate_by(name, table([(0, 0)]), table([(0, 0)]), rules, ignore=ignore)
