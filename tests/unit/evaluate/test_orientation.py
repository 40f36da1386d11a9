"""Picks that were read upside down or with x and y swapped are noticed."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.evaluate.orientation import flip_y
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.picks import Picks

RULES = Rules(diameter_pixels=20, shapes={"m": (300, 500)}, bootstrap_draws=0)


def scattered(seed=0, count=30):
    """Random particles on a micrograph of 300 rows and 500 columns."""
    xy = np.random.default_rng(seed).random((count, 2)) * [480, 280] + 10
    return Picks(np.full(count, "m"), xy)


def read(picks, how):
    """The picks as a careless reader gives them."""
    swapped = Picks(picks.micrograph, picks.xy[:, ::-1])
    return {"right": picks, "flipped": flip_y(picks, RULES), "swapped": swapped, "both": flip_y(swapped, RULES)}[how]


@pytest.mark.parametrize(
    ("how", "flipped", "swapped"),
    [("right", False, False), ("flipped", True, False), ("swapped", False, True), ("both", True, True)],
)
def test_careless_reading_is_recognised(how, flipped, swapped):
    truth = scattered()
    # a reading that swaps after flipping is undone by swapping and flipping in the other order
    picks = Picks(truth.micrograph, flip_y(truth, RULES).xy[:, ::-1]) if how == "both" else read(truth, how)

    orientation = evaluate_picks(picks, truth, RULES).to_json()["orientation"]

    assert (orientation["looks_flipped"], orientation["looks_swapped"]) == (flipped, swapped)
    assert ("as they are" in orientation["sentence"]) == (how == "right")


def test_flip_counts_from_the_last_row():
    """Row 0 of 300 becomes row 299."""
    assert flip_y(Picks(np.array(["m"]), np.array([[7.0, 0.0]])), RULES).xy.tolist() == [[7.0, 299.0]]


def test_chance_matches_of_dense_picks_raise_no_alarm():
    """300 random picks that hit nothing on purpose fit as badly in every orientation."""
    orientation = evaluate_picks(scattered(1, 300), scattered(2, 300), RULES).to_json()["orientation"]

    assert not orientation["looks_flipped"]
    assert not orientation["looks_swapped"]


def test_without_shapes_only_swapping_is_tried():
    rules = Rules(diameter_pixels=20, bootstrap_draws=0)

    orientation = evaluate_picks(read(scattered(), "swapped"), scattered(), rules).to_json()["orientation"]

    assert set(orientation["f1"]) == {"as_given", "swapped"}
    assert orientation["looks_swapped"]
