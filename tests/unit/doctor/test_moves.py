"""Moves of labels: each is undone by its inverse, and says what was wrong in words."""

import numpy as np
import pytest

from cryoglean.doctor.moves import describe_move, move, move_names, move_picks
from cryoglean.errors import SettingsError
from cryoglean.picks import Picks

SHAPE = (100, 240)
XY = np.array([[3.0, 5.0], [200.0, 90.0], [0.0, 99.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", XY),
        ("flip_y", [[3, 94], [200, 9], [0, 0]]),
        ("flip_x", [[236, 5], [39, 90], [239, 99]]),
        ("flip_x+flip_y", [[236, 94], [39, 9], [239, 0]]),
        ("swap", [[5, 3], [90, 200], [99, 0]]),
        ("swap+flip_y", [[5, 96], [90, -101], [99, 99]]),
        ("scale=2", [[6, 10], [400, 180], [0, 198]]),
        ("scale=0.5+flip_y", [[1.5, 96.5], [100, 54], [0, 49.5]]),
    ],
)
def test_coordinates_are_scaled_then_turned(name: str, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(move(XY, SHAPE, name), expected)


@pytest.mark.parametrize("name", ["flip_y", "flip_x", "flip_x+flip_y", "swap"])
def test_a_turn_of_its_own_kind_is_undone_by_itself(name: str) -> None:
    np.testing.assert_allclose(move(move(XY, SHAPE, name), SHAPE, name), XY)


def test_every_move_has_words_and_only_the_first_has_none() -> None:
    names = move_names()

    assert names[0] == ""
    assert len(set(names)) == len(names) == 30
    assert [bool(describe_move(name)) for name in names] == [False] + [True] * 29
    assert (
        describe_move("scale=0.5+flip_y")
        == "in pixels 2 times smaller, and upside down: y is counted from the other edge"
    )


def test_an_unknown_move_is_refused() -> None:
    with pytest.raises(SettingsError, match="no move 'rotate'"):
        move(XY, SHAPE, "rotate")


def test_a_table_is_moved_micrograph_by_micrograph_and_keeps_the_rest() -> None:
    table = Picks.concatenate([Picks.of_one("a", XY), Picks.of_one("b", XY), Picks.of_one("c", XY)])

    moved = move_picks(table, {"a": SHAPE, "b": (50, 50)}, "flip_y")

    np.testing.assert_allclose(moved.on("a").xy[:, 1], [94, 9, 0])
    np.testing.assert_allclose(moved.on("b").xy[:, 1], [44, -41, -50])
    np.testing.assert_allclose(moved.on("c").xy, XY)
    assert moved.micrographs == table.micrographs
