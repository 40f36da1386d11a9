"""Labels that look incomplete are said to, with the numbers."""

import pytest

from cryoglean.report.wording import say_expected, say_missing_labels


def summary(true: int, false: int, labels: str = "complete") -> dict[str, object]:
    return {"labels": labels, "validation": {"surest_half": [true, false]}}


def test_many_sure_picks_without_a_label_are_said_with_what_to_do() -> None:
    text = say_missing_labels(summary(60, 40))

    assert "of the 100 surest picks 40 have no label" in text
    assert "--labels sparse" in text


@pytest.mark.parametrize(("true", "false"), [(100, 5), (20, 19), (300, 90)])
def test_few_of_them_or_a_small_share_are_no_finding(true: int, false: int) -> None:
    assert say_missing_labels(summary(true, false)) == ""


def test_where_labels_are_said_to_be_sparse_it_is_no_news() -> None:
    assert say_missing_labels(summary(60, 40, "sparse")) == ""


@pytest.mark.parametrize("validation", [None, {}, {"surest_half": None}])
def test_without_a_judgement_nothing_is_said(validation: object) -> None:
    assert say_missing_labels({"labels": "complete", "validation": validation}) == ""


def test_the_expected_number_is_said_with_who_says_it_and_how_sure() -> None:
    told = {"per_micrograph": 312.4, "source": "best bin", "interval": [250.0, 1400.0]}

    assert say_expected(told) == "particles a micrograph: about 312 (best bin, 95 % interval 250 to 1,400)"
    assert say_expected({"per_micrograph": 25.0, "source": "user"}) == "particles a micrograph: about 25 (user)"
    unknown = {"per_micrograph": None, "source": "best bin", "interval": [0.0, 90.0]}
    assert say_expected(unknown) == "particles a micrograph: can't be told, at most about 90 (best bin)"
