"""Border, ignore points, empty and unannotated micrographs."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import PicksError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.picks import Picks

from .making import table

SHAPE = {"m": (100, 200)}
BORDER = Rules(tolerance_pixels=5, border_pixels=10, shapes=SHAPE, bootstrap_draws=0)


def counts(picks, truth, rules=BORDER, ignore=None):
    """(true positives, picks that count, particles that count)."""
    total = evaluate_picks(picks, truth, rules, ignore=ignore).total
    return total.true_positives, total.picks, total.truth


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((10, 50), True),
        ((9.9, 50), False),
        ((189, 50), True),
        ((189.1, 50), False),
        ((50, 89), True),
        ((50, 90), False),
    ],
)
def test_border_is_measured_from_the_outermost_pixel_on_every_side(point, inside):
    """Shape (y, x) = (100, 200): columns 0 to 199, rows 0 to 99."""
    assert counts(table([]), table([point])) == (0, 0, int(inside))


def test_truth_in_the_border_is_no_truth_and_a_pick_there_no_pick():
    assert counts(table([(5, 50), (50, 50)]), table([(5, 50), (50, 50)])) == (1, 1, 1)


def test_pick_inside_that_found_a_particle_of_the_border_is_left_out():
    """The particle at x = 8 does not count; its pick at x = 11 would else be false."""
    assert counts(table([(11, 50)]), table([(8, 50)])) == (0, 0, 0)


def test_strewing_picks_over_the_border_gains_nothing():
    """Particles just inside the border, and a dense carpet of picks outside it: not one is found."""
    truth = table([(11, y) for y in range(20, 80, 12)])
    carpet = table([(x, y) for x in range(10) for y in range(0, 100, 2)])

    assert counts(carpet, truth) == (0, 0, 5)


def test_unmatched_pick_near_an_ignore_point_is_left_out_and_others_are_false():
    truth, ignore = table([(50, 50)]), table([(100, 50)])

    assert counts(table([(50, 50), (104, 50), (150, 50)]), truth, ignore=ignore) == (1, 2, 1)


def test_ignore_point_on_a_particle_takes_no_match_away():
    assert counts(table([(50, 50)]), table([(50, 50)]), ignore=table([(50, 50)])) == (1, 1, 1)


def test_ignore_points_of_another_micrograph_do_nothing():
    assert counts(table([(100, 50)]), table([(50, 50)]), ignore=table([(100, 50)], name="other")) == (0, 1, 1)


def test_picks_on_micrographs_that_nobody_annotated_are_counted_and_left_out():
    picks = Picks.concatenate([table([(50, 50)]), table([(1, 1), (2, 2)], name="unannotated")])

    result = evaluate_picks(picks, table([(50, 50)]), BORDER).to_json()

    assert (result["f1"], result["picks_without_truth"]) == (1.0, 2)
    assert [row["micrograph"] for row in result["per_micrograph"]] == ["m"]


def test_pick_on_a_micrograph_annotated_as_empty_is_false():
    rules = Rules(tolerance_pixels=5, bootstrap_draws=0)
    truth = table([(50, 50)], micrographs=("empty",))

    assert counts(Picks.concatenate([table([(50, 50)]), table([(9, 9)], name="empty")]), truth, rules) == (1, 2, 1)


def test_annotated_micrograph_without_a_pick_stays_in_the_denominator():
    rules = Rules(tolerance_pixels=5, bootstrap_draws=0)
    truth = Picks.concatenate([table([(50, 50)]), table([(50, 50)], name="unpicked")])

    result = evaluate_picks(table([(50, 50)]), truth, rules).to_json()

    assert (result["recall"], result["macro"]["recall"]) == (0.5, 0.5)


def test_missing_shape_is_named_when_there_is_a_border():
    with pytest.raises(PicksError, match="size of the micrograph"):
        counts(table([]), table([(1, 1)]), Rules(tolerance_pixels=5, border_pixels=10))


def test_score_that_is_no_number_is_refused_with_its_row():
    with pytest.raises(PicksError) as caught:
        counts(table([(1, 1), (2, 2)], [0.5, np.nan]), table([(1, 1)]))

    assert "row 2" in str(caught.value)


def test_truth_without_any_micrograph_is_refused():
    with pytest.raises(PicksError, match="lists no micrograph"):
        counts(table([]), Picks.empty())
