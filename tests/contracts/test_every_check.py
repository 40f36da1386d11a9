"""What every check of the doctor promises: it finds its fault, says how it knows, and is silent about sound things."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.examine import GROUPS, examine
from cryoglean.doctor.fixing import mend_settings
from cryoglean.finding import SEVERITIES, Finding
from cryoglean.registry import card_names, card_summary, load_card

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # the evidence is made as for the unit tests
from doctor.making import FAULTS, dataset, evidence

every_check = pytest.mark.parametrize("name", card_names("checks"))
PARTS = {"settings", "dataset", "looks", "events", "summary", "network", "picks"}


def find(name: str) -> Finding:
    found = load_card("checks", name).check(FAULTS[name]())
    assert found is not None, f"{name} does not find its planted fault"
    return found


def test_each_check_has_a_planted_fault_and_each_fault_a_check() -> None:
    assert sorted(FAULTS) == sorted(card_names("checks")), "add the fault to tests/unit/doctor/making.py"


@every_check
def test_it_says_what_it_is_about_and_what_it_needs(name: str) -> None:
    card = load_card("checks", name)

    assert card.GROUP in GROUPS
    assert set(card.NEEDS) <= PARTS
    assert card.NEEDS
    assert len(card_summary("checks", name)) > 20
    assert re.search(r"^Source: |Source: ", card.__doc__ or "")


@every_check
def test_it_is_silent_about_a_sound_training(name: str) -> None:
    assert load_card("checks", name).check(evidence()) is None


@every_check
def test_it_finds_its_fault_and_names_the_evidence(name: str) -> None:
    found = find(name)

    assert found.severity in SEVERITIES
    assert found.evidence
    assert all(re.fullmatch(r"[a-z_0-9]+", key) for key in found.evidence)
    assert any(isinstance(value, int | float) for value in found.evidence.values())
    assert min(len(text) for text in (found.symptom, found.cause, found.remedy, found.source)) > 5
    assert not found.symptom.endswith(".")


@every_check
def test_its_finding_survives_a_file(name: str) -> None:
    found = find(name)

    assert Finding.from_json(found.to_json()).to_json() == found.to_json()


WITH_PATCH = [name for name in card_names("checks") if find(name).severity != "note" and find(name).patch]


@pytest.mark.parametrize("name", WITH_PATCH)
def test_its_patch_is_made_of_settings_and_changes_something(name: str) -> None:
    where, found = FAULTS[name](), replace(find(name), check=name)

    mended, reasons = mend_settings(where.settings, [found])

    assert reasons
    assert set(reasons) <= set(found.patch)
    assert mended != where.settings


@pytest.mark.parametrize("name", WITH_PATCH)
def test_with_sparse_labels_it_proposes_no_strategy_that_takes_the_rest_for_background(name: str) -> None:
    where = FAULTS[name]()
    sparse = where.settings.model_copy(update={"labels": where.settings.labels.model_copy(update={"kind": "sparse"})})
    found = load_card("checks", name).check(replace(where, settings=sparse, strategy="pu_pseudo"))

    assert found is None or found.patch.get("strategy") in (None, "auto", "nnpu", "pu_pseudo")


@every_check
def test_without_its_evidence_it_is_not_asked(name: str) -> None:
    """Nothing but settings and micrographs' names: what needs more is silent, and nothing breaks."""
    bare = Evidence(evidence().settings, dataset(), "supervised")

    found = examine(bare, [name])

    assert not found or set(load_card("checks", name).NEEDS) <= {"settings", "dataset"}


def test_a_sound_training_is_healthy() -> None:
    assert examine(evidence()) == ()


def test_the_worst_comes_first() -> None:
    found = examine(FAULTS["unreadable"](), ["unreadable", "few_labels"])

    order = [SEVERITIES.index(one.severity) for one in examine(FAULTS["orientation"]())]
    assert found[0].check == "unreadable"
    assert order == sorted(order)
