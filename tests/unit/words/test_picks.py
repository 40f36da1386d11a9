"""The table of picks."""

import numpy as np
import pandas as pd
import pytest

from cryoglean.errors import PicksError
from cryoglean.picks import Picks


def table() -> Picks:
    return Picks(
        np.array(["a", "b", "a"]),
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]),
        np.array([0.9, 0.2, 0.5]),
        extra={"class": np.array([1, 2, 3])},
        micrographs=("a", "b", "empty"),
    )


def test_the_picks_of_one_micrograph_keep_all_columns() -> None:
    one = table().on("a")

    np.testing.assert_array_equal(one.xy, [[1, 2], [5, 6.5]])
    np.testing.assert_array_equal(one.extra["class"], [1, 3])
    assert one.micrographs == ("a",)


def test_an_empty_micrograph_is_known_and_an_unknown_one_is_not() -> None:
    assert "empty" in table().micrographs
    assert len(table().on("empty")) == 0
    assert "never" not in table().micrographs


def test_a_long_name_is_kept_whole() -> None:
    """Numpy cuts text to the width of the array it is put into."""
    picks = Picks.of_one("Falcon_2012_06_12-14_33_35_0", np.zeros((2, 2)))
    joined = Picks.concatenate([Picks.of_one("a", np.zeros((1, 2))), picks])

    assert picks.micrograph.tolist() == ["Falcon_2012_06_12-14_33_35_0"] * 2
    assert joined.micrographs == ("a", "Falcon_2012_06_12-14_33_35_0")


def test_a_threshold_keeps_what_is_at_least_as_sure() -> None:
    assert table().above(0.5).score.tolist() == [0.9, 0.5]  # type: ignore[union-attr]
    assert table().above(2.0).micrographs == ("a", "b", "empty")


def test_labels_without_scores_are_all_above_any_threshold() -> None:
    assert len(Picks(np.array(["a"]), np.zeros((1, 2))).above(0.99)) == 1


def test_tables_are_joined_in_order_and_lose_columns_that_one_lacks() -> None:
    other = Picks(np.array(["c"]), np.array([[9.0, 9.0]]))

    joined = Picks.concatenate([table(), other])

    assert joined.score is None
    assert joined.micrograph.tolist() == ["a", "b", "a", "c"]
    assert joined.micrographs == ("a", "b", "empty", "c")


def test_an_empty_part_does_not_take_the_scores_of_the_others() -> None:
    assert Picks.concatenate([Picks.of_one("z", np.empty((0, 2))), table()]).score is not None


def test_pandas_and_back_is_the_same() -> None:
    back = Picks.from_pandas(table().to_pandas())

    np.testing.assert_array_equal(back.xy, table().xy)
    np.testing.assert_array_equal(back.score, table().score)
    assert back.micrographs == table().micrographs
    np.testing.assert_array_equal(back.extra["class"], [1, 2, 3])


def test_a_pandas_table_without_x_is_refused() -> None:
    with pytest.raises(PicksError, match="lacks the columns x"):
        Picks.from_pandas(pd.DataFrame({"micrograph": ["a"], "y": [1.0]}))


@pytest.mark.parametrize("xy", [[[np.nan, 1.0]], [[1.0, np.inf]]])
def test_a_coordinate_that_is_no_number_is_refused(xy: list[list[float]]) -> None:
    with pytest.raises(PicksError, match="row 1 is not a number"):
        Picks(np.array(["a"]), np.array(xy))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(PicksError, match="score has 2 rows"):
        Picks(np.array(["a"]), np.zeros((1, 2)), np.zeros(2))


def test_a_notebook_shows_a_picture() -> None:
    html = table()._repr_html_()

    assert "3 particles on 3 micrographs" in html
    assert "data:image/png;base64,iVBOR" in html
