"""How many particles are expected: who is asked, and what is kept."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cryoglean.counting import MOST, Expected, expect_particles, micrograph_pixels, unjudged_names
from cryoglean.errors import LabelsError, RunError
from cryoglean.picks import Picks
from cryoglean.prepare.split import Split
from cryoglean.streams import Phase
from cryoglean.task import Task

SPARSE = "labels.kind=sparse"


def make_task(make_phase: Callable[..., Phase], *assignments: str, validation: tuple[str, ...] = ()) -> Task:
    return replace(make_phase(*assignments).task, split=Split(("seen",), validation))


def test_what_the_user_says_comes_first(make_phase: Callable[..., Phase]) -> None:
    task = make_task(make_phase, SPARSE, "labels.per_micrograph=50", validation=("seen",))

    expected = expect_particles(task)

    assert expected == Expected(50 / micrograph_pixels(task), "user", 50)


def test_completely_labelled_validation_comes_next(make_phase: Callable[..., Phase]) -> None:
    expected = expect_particles(make_task(make_phase, SPARSE, validation=("seen",)))

    assert expected is not None
    assert expected.source == "validation labels"
    assert expected.per_micrograph >= 3  # the three that are labelled, and as dense at the edge


def test_complete_labels_are_counted(make_phase: Callable[..., Phase]) -> None:
    expected = expect_particles(make_task(make_phase))

    assert expected is not None
    assert expected.source == "labels"


def test_enough_clicks_without_a_number_must_be_estimated_from(make_phase: Callable[..., Phase]) -> None:
    task = make_task(make_phase, SPARSE)
    clicks = Picks.of_one("seen", np.random.default_rng(0).uniform(20, 120, (15, 2)))

    assert expect_particles(replace(task, labels=clicks)) is None


def test_too_few_clicks_are_refused_with_what_to_do(make_phase: Callable[..., Phase]) -> None:
    with pytest.raises(LabelsError, match=r"3 clicks are too few .*--per-micrograph"):
        expect_particles(make_task(make_phase, SPARSE))


def test_clicked_micrographs_are_looked_at_before_unlabelled_ones(make_phase: Callable[..., Phase]) -> None:
    task = make_task(make_phase, SPARSE)
    many = {f"unseen_{number:02d}": task.unlabelled["unseen"] for number in range(40)}

    names = unjudged_names(replace(task, unlabelled=many))

    assert names[0] == "seen"
    assert len(names) == MOST


def test_an_estimate_is_kept_to_the_last_bit() -> None:
    expected = Expected(0.1 + 0.2, "best bin", 25.04, (18.96, 27.11), "Half of the peaks.")

    kept = Expected.from_kept(json.loads(json.dumps(expected.to_kept())))

    assert kept.density == expected.density
    assert kept.to_json() == expected.to_json()
    assert kept.to_json()["interval"] == [19.0, 27.1]


def test_a_kept_estimate_that_lacks_something_is_refused() -> None:
    with pytest.raises(RunError, match="interval"):
        Expected.from_kept({"density": 0.1})
