"""Single checks where a mistake was made once: what they must not say, and what they must."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cryoglean.doctor.checks import (
    collapse,
    diameter,
    duplicates,
    few_steps,
    learning_rate,
    pixel_size,
    prior,
    pseudo_quality,
    pseudo_share,
    threshold,
)
from cryoglean.picks import Picks
from doctor.making import FAULTS, dataset, events, evidence, look, looks, monitor, step, summary, validation


def scores(*values: float, phase: str = "final") -> list[dict[str, Any]]:
    return [step(1, phase), *(validation(25 * place, score, phase) for place, score in enumerate(values, 1))]


@pytest.mark.parametrize("values", [(0.3, 0.12, 0.7, 0.9), (0.6, 0.7, 0.65), (0.05, 0.01)])
def test_a_dip_that_was_made_up_for_is_no_collapse(values: tuple[float, ...]) -> None:
    assert collapse.check(evidence(events=scores(*values))) is None


def test_a_collapse_quotes_the_best_before_it_and_lowers_the_rate_where_there_are_only_labels() -> None:
    found = collapse.check(evidence("learn.learning_rate=0.001", events=scores(0.3, 0.8, 0.1)))

    assert found is not None
    assert "fell from 0.800 to 0.100" in found.symptom
    assert found.patch["learn.learning_rate"] < 0.001


def test_with_recommended_already_taken_a_collapse_halves_the_weight() -> None:
    told = [*events(), validation(100, 0.05, "final-round-1")]

    found = collapse.check(evidence("strategy=recommended", events=told, strategy="recommended"))

    assert found is not None
    assert found.patch == {"unlabelled.weight": 0.5}


def test_steps_that_were_left_out_are_not_short_ones() -> None:
    told = [step(1, gradient_norm=-1.0), monitor(1, update_ratio=0.0)]

    assert learning_rate.check(evidence(events=told)) is None


def test_the_beginning_of_a_cycle_says_nothing_about_short_steps() -> None:
    early = [step(1), monitor(11, update_ratio=1e-4)]

    assert learning_rate.check(evidence(events=early)) is None
    assert learning_rate.check(evidence(events=[*early, monitor(391, update_ratio=1e-4)])) is not None


@pytest.mark.parametrize("check", [pseudo_quality.check, pseudo_share.check])
def test_a_round_that_was_measured_to_help_is_no_more_than_a_note(check: Any) -> None:
    poor = {"recall": 0.1, "particle_share": 0.015}

    helped = check(evidence(summary=summary(round={**poor, "gain": 0.09})))
    harmed = check(evidence(summary=summary(round={**poor, "gain": -0.02})))

    assert (helped.severity, harmed.severity) == ("note", "warning")


def test_with_few_particles_a_threshold_off_the_best_is_chance() -> None:
    found = threshold.check(evidence(summary=summary(validation={"f1": 0.7, "truth": 30})))

    assert found is not None
    assert found.severity == "note"


def test_fewer_said_than_clicked_is_said_with_the_clicks_there_are() -> None:
    clicked = Picks.concatenate(Picks.of_one(name, np.full((10, 2), 50.0)) for name in "ab")
    data = dataset(clicked, roles={"a": "train", "b": "train", "d": "unlabelled"})

    found = prior.check(evidence("labels.kind=sparse", "labels.per_micrograph=8", dataset=data, summary=None))

    assert found is not None
    assert found.evidence["counted_per_micrograph"] == 10
    assert found.patch == {"labels.per_micrograph": None}


def test_two_labelled_copies_are_a_leak_where_some_will_be_held_out() -> None:
    twin = looks(b={"thumbnail": look("a").thumbnail})
    alone = dataset(roles={"a": "train", "b": "train"})

    held = duplicates.check(evidence(looks=twin))
    drawn = duplicates.check(evidence(looks=replace(twin, each=twin.each[:2]), dataset=alone))

    assert held is not None
    assert drawn is not None
    assert (held.severity, drawn.severity) == ("warning", "error")


def test_folds_that_are_still_rising_are_seen() -> None:
    told = [*scores(0.4, 0.6, phase="fold-1"), *scores(0.5, 0.6, phase="fold-2")]

    assert few_steps.check(evidence("learn.steps=40", events=told)) is not None


def test_looks_at_the_ends_of_a_cycle_are_scaled_to_its_middle() -> None:
    """60 steps with looks at 1 and 51, as the default has them: both at a twentieth of the highest rate."""
    told = [event for at in (1, 51) for event in (step(at, learning_rate=2.5e-4), monitor(at, update_ratio=5e-4))]

    assert learning_rate.check(evidence("learn.steps=60", events=told)) is None


def test_where_nobody_knows_angstrom_sizes_are_told_in_pixels() -> None:
    wide, sizes = FAULTS["diameter"](), FAULTS["pixel_size"]()
    in_pixels = dataset(pixel_size_angstrom=1.0, unit="pixel")

    found = diameter.check(replace(wide, dataset=in_pixels))

    assert found is not None
    assert "pixels across" in found.symptom
    assert float(found.options["--particle-radius"]) == pytest.approx(found.evidence["measured_pixels"] / 2, abs=0.5)
    assert pixel_size.check(sizes) is not None
    assert pixel_size.check(replace(sizes, dataset=in_pixels)) is None
