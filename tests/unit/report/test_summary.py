"""The result in words: whether the gate opened, and what a run from a file of patches has learned from."""

from __future__ import annotations

import pytest

from cryoglean.report.results import Results
from cryoglean.report.section import Facts, Notice, Text
from cryoglean.report.sections import rounds, settings_and_command, summary

from .making import Odd, make_run

PATCHES = Odd(is_of_patches=True, gate_auc=0.9)


def blocks_of(folder, odd):
    made = summary.section(Results(make_run(folder, odd)))
    assert made is not None
    return made.blocks


def words_of(folder, odd):
    return " ".join(block.text for block in blocks_of(folder, odd) if isinstance(block, Text | Notice))


def test_an_open_gate_is_said_with_its_number(tmp_path):
    said = [block.text for block in blocks_of(tmp_path, Odd(gate_auc=0.9)) if isinstance(block, Text)]

    assert "The first network ranks particles above the rest: AUC 0.90 on validation." in said


def test_a_shut_gate_is_a_warning_with_what_to_check_in_order(tmp_path):
    blocks = blocks_of(tmp_path, Odd(gate_auc=0.4))
    (text,) = [block.text for block in blocks if isinstance(block, Notice) and "first network" in block.text]

    assert "AUC 0.40 on validation, 0.60 is needed" in text
    places = [
        text.index(word) for word in ("1. coordinates", "2. --diameter", "3. contrast", "4. the number of labels")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("odd", [Odd(), Odd(is_of_patches=True)])
def test_where_there_was_no_gate_nothing_is_said_of_it(tmp_path, odd):
    assert "first network" not in words_of(tmp_path, odd)


def test_a_run_from_patches_counts_patches(tmp_path):
    """80 positive ones and 180 unlabelled ones to learn from; of those held out 17 of 20 and 6 of 60 are above."""
    said = words_of(tmp_path, PATCHES)

    assert "Learnt from 80 positive and 180 unlabelled patches (cut.npz), with the strategy" in said
    assert "17 of 20 positive ones and 6 of 60 unlabelled ones are above the threshold" in said
    assert "AUC 0.912" in said
    assert "10.0 % of the unlabelled ones" in said
    assert "AUC 0.90 on held-out patches" in said


def test_its_large_numbers_are_of_patches(tmp_path):
    (facts,) = [block for block in blocks_of(tmp_path, PATCHES) if isinstance(block, Facts)]

    assert [(fact.label, fact.value) for fact in facts.each] == [
        ("Positive found", "17 of 20"), ("AUC", "0.912"), ("Expected share", "10.0 %"), ("Threshold", "0.500"),
    ]  # fmt: skip


def test_behind_a_shut_gate_no_round_is_said_to_have_begun(tmp_path):
    used = rounds.section(Results(make_run(tmp_path, Odd(gate_auc=0.4))))

    assert used is not None
    assert "No round began" in used.blocks[0].text


def test_where_no_area_was_measured_none_is_said(tmp_path):
    odd = Odd(is_of_patches=True, particles=1, has_labels=False)
    (facts,) = [block for block in blocks_of(tmp_path, odd) if isinstance(block, Facts)]

    assert ("AUC", "–") in [(fact.label, fact.value) for fact in facts.each]
    assert "AUC" not in words_of(tmp_path, odd)


@pytest.mark.parametrize(
    "wrong", ["on 1 micrograph", "Clicks", "clicks", "labelled particle", "--validation", "the other micrographs"]
)
def test_a_run_from_patches_does_not_speak_of_labelled_micrographs(tmp_path, wrong):
    assert wrong not in words_of(tmp_path, PATCHES)


def test_few_positive_patches_are_said_to_be_few_and_many_are_not(tmp_path):
    assert "Few positive patches: 40 to learn from" in words_of(tmp_path / "a", Odd(is_of_patches=True, particles=10))
    assert "Few" not in words_of(tmp_path / "b", PATCHES)


def test_the_other_sections_call_patches_patches(tmp_path):
    results = Results(make_run(tmp_path, PATCHES))
    used, data = rounds.section(results), settings_and_command.section(results)

    assert used is not None
    assert data is not None
    assert used.blocks[0].text.startswith("The strategy “supervised” looked at 180 unlabelled patches")
    assert data.blocks[-1] == Text(f"The patches are those in {tmp_path / 'cut.npz'}.")


def test_where_nobody_knows_angstrom_a_particle_is_told_in_pixels(tmp_path):
    run = make_run(tmp_path)
    known = run.read_json(run.dataset_file)
    run.write_json(run.dataset_file, {**known, "unit": "pixel", "pixel_size_angstrom": 1.0})

    (text, *_) = [block.text for block in summary.section(Results(run)).blocks if isinstance(block, Text)]

    assert "A particle is 48 pixels across" in text
    assert Results(run).dataset.shown_pixel_size is None


def test_each_micrograph_is_judged_by_the_size_of_its_own_particles(tmp_path):
    run = make_run(tmp_path, Odd(validation=2))
    known = run.read_json(run.dataset_file)
    run.write_json(run.dataset_file, {**known, "pixel_size_angstrom": 4.0, "pixel_sizes": {"val-1": 2.0}})

    truth = Results(run).validation_truth

    assert set(truth.on("val-0").diameter_pixels) == {12.0}
    assert set(truth.on("val-1").diameter_pixels) == {24.0}
    assert Results(run).validation.evaluation.tolerance_pixels == 9.0  # the median of 6 and 12
