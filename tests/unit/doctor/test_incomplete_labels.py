"""Labels that look incomplete are said to, with the numbers."""

import numpy as np
import pytest

from cryoglean.doctor.checks.incomplete_labels import check
from cryoglean.finding import Finding
from cryoglean.picks import Picks
from doctor.making import evidence, grid, summary

XY = np.concatenate([grid(), grid()[::2] + 30.0])  # 36 on labels, 18 on none
EVENLY = np.random.default_rng(0).permutation(np.linspace(0.6, 0.9, len(XY)))
LABELLED_FIRST = np.linspace(0.9, 0.6, len(XY))


def ask(told: dict[str, object], score: np.ndarray = EVENLY) -> Finding | None:
    return check(evidence(summary=told, picks=Picks.of_one("c", XY, score)))


def judged(true: int, false: int, **more: object) -> dict[str, object]:
    return summary(validation={"surest_half": (true, false), **more})


def test_many_sure_picks_without_a_label_are_said_with_what_to_do() -> None:
    found = ask(judged(60, 40))

    assert found is not None
    assert "of the 100 surest picks 40 have no label" in found.symptom
    assert "--labels sparse" in found.remedy
    assert found.patch["labels.kind"] == "sparse"


@pytest.mark.parametrize(("true", "false"), [(100, 5), (8, 5), (300, 60)])
def test_few_of_them_or_a_small_share_are_no_finding(true: int, false: int) -> None:
    assert ask(judged(true, false)) is None


def test_where_labels_are_said_to_be_sparse_it_is_no_news() -> None:
    assert ask({**judged(60, 40), "labels": "sparse"}) is None


def test_the_picks_of_a_network_that_knows_no_particles_say_nothing() -> None:
    assert ask(judged(60, 40, average_precision=0.1)) is None


@pytest.mark.parametrize("validation", [None, {}, {"surest_half": None, "average_precision": 0.9}])
def test_without_a_judgement_nothing_is_said(validation: object) -> None:
    assert ask({"labels": "complete", "validation": validation}) is None


def test_a_mediocre_network_whose_surest_picks_are_right_is_no_sign_of_missing_labels() -> None:
    assert ask(judged(60, 40)) is not None
    assert ask(judged(60, 40), LABELLED_FIRST) is None
