"""Labels that look incomplete are said to, with the numbers."""

import pytest

from cryoglean.doctor.checks.incomplete_labels import check
from doctor.making import evidence, summary


def judged(true: int, false: int, **more: object) -> dict[str, object]:
    return summary(validation={"surest_half": (true, false), **more})


def test_many_sure_picks_without_a_label_are_said_with_what_to_do() -> None:
    found = check(evidence(summary=judged(60, 40)))

    assert found is not None
    assert "of the 100 surest picks 40 have no label" in found.symptom
    assert "--labels sparse" in found.remedy
    assert found.patch["labels.kind"] == "sparse"


@pytest.mark.parametrize(("true", "false"), [(100, 5), (8, 5), (300, 60)])
def test_few_of_them_or_a_small_share_are_no_finding(true: int, false: int) -> None:
    assert check(evidence(summary=judged(true, false))) is None


def test_where_labels_are_said_to_be_sparse_it_is_no_news() -> None:
    assert check(evidence(summary={**judged(60, 40), "labels": "sparse"})) is None


def test_the_picks_of_a_network_that_knows_no_particles_say_nothing() -> None:
    assert check(evidence(summary=judged(60, 40, average_precision=0.1))) is None


@pytest.mark.parametrize("validation", [None, {}, {"surest_half": None, "average_precision": 0.9}])
def test_without_a_judgement_nothing_is_said(validation: object) -> None:
    assert check(evidence(summary={"labels": "complete", "validation": validation})) is None
