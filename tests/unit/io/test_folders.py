"""Labels and files come together by name; unlabelled is not empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoglean.errors import LabelsError, MicrographError
from cryoglean.io.folders import match_labels, with_names_of_files
from cryoglean.picks import Picks

FILES = [Path("mics/a.mrc"), Path("mics/b.mrc"), Path("other/c.mrc")]


def labels(*with_particle: str, empty: tuple[str, ...] = ()) -> Picks:
    return Picks(np.array(with_particle, dtype=np.str_), np.zeros((len(with_particle), 2)), micrographs=empty)


def test_files_are_sorted_into_labelled_and_unlabelled() -> None:
    matched = match_labels(FILES, labels("b", "b", "zzz", empty=("c",)))

    assert matched.labelled == {"b": FILES[1], "c": FILES[2]}
    assert matched.unlabelled == {"a": FILES[0]}
    assert matched.without_micrograph == ("zzz",)


def test_labels_that_match_nothing_show_one_name_of_each_side() -> None:
    with pytest.raises(LabelsError, match="labels speak of 'x', the files of 'a'"):
        match_labels(FILES, labels("x"))


def test_cryosparcs_numbers_before_names_are_recognised() -> None:
    with pytest.raises(LabelsError, match="cryoSPARC's numbers"):
        match_labels(FILES, labels("000001281467243737059_a"))


ONE, TWO = "000001281467243737059_", "000009999999999999999_"


@pytest.mark.parametrize(
    ("names", "files", "expected"),
    [
        ((f"{ONE}a", f"{TWO}zzz"), ("a", "b"), ("a", f"{TWO}zzz")),
        (("a",), (f"{ONE}a", "b"), (f"{ONE}a",)),
        ((f"{ONE}a", "b"), ("a", "b"), (f"{ONE}a", "b")),  # one matches as it is
        ((f"{ONE}a", f"{TWO}a"), ("a", "b"), (f"{ONE}a", f"{TWO}a")),  # which of them?
        (("a",), (f"{ONE}a", f"{TWO}a"), ("a",)),
        (("12_a",), ("a",), ("12_a",)),  # not cryoSPARC's
    ],
)
def test_numbers_are_taken_off_only_if_nothing_matches_and_nothing_is_mixed_up(
    names: tuple[str, ...], files: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    named = with_names_of_files(labels(*names, empty=names[:1]), files)

    assert named.micrographs == expected
    assert named.micrograph.tolist() == list(expected)


@pytest.mark.parametrize(("paths", "picks"), [([], labels("a")), (FILES, labels())])
def test_nothing_on_one_side_is_refused(paths: list[Path], picks: Picks) -> None:
    with pytest.raises(LabelsError, match="nothing"):
        match_labels(paths, picks)


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(MicrographError, match="two files"):
        match_labels([*FILES, Path("elsewhere/a.mrc")], labels("a"))
