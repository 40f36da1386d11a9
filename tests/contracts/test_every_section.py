"""What every card in `report/sections` promises, for usual and for odd runs."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from cryoglean.registry import card_names, load_card
from cryoglean.report.results import Results, TestPicks
from cryoglean.report.section import Section, Table

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # the runs are made as for the unit tests
from report.making import Odd, make_run, paths_of, rules_for

every_section = pytest.mark.parametrize("card", card_names("sections"))

ODD = {
    "usual": Odd(),
    "one micrograph": Odd(validation=1),
    "one particle": Odd(validation=1, particles=1),
    "many micrographs": Odd(validation=5),
    "cross-validated, folds": Odd(phases=("fold-1", "fold-2", "final"), is_cross_validated=True),
    "nothing picked": Odd(has_picks=False),
    "nothing labelled": Odd(has_labels=False),
    "neither picks nor labels": Odd(has_picks=False, has_labels=False),
    "nothing validated": Odd(validation=0),
    "no picks file": Odd(has_picks_file=False),
    "micrographs gone": Odd(has_micrographs=False),
    "no events": Odd(has_events=False),
    "no unlabelled micrographs": Odd(has_rounds=False),
    "no doctor was asked": Odd(has_findings=False),
    "behind an open gate": Odd(gate_auc=0.9),
    "gate shut": Odd(gate_auc=0.4),
    "from patches": Odd(is_of_patches=True, gate_auc=0.9),
    "from a few patches, not measured": Odd(is_of_patches=True, particles=1, has_labels=False),
}
NEVER_EMPTY = {"summary", "settings_and_command"}


@pytest.fixture(scope="module", params=ODD)
def results(request, tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("runs"), ODD[request.param])
    truth = Results(run).validation_truth
    if not truth.micrographs:
        return Results(run)
    picks = Results(run).validation_picks or truth
    return Results(run, TestPicks(picks, truth, paths_of(run), rules_for(truth.micrographs), 0.5))


def test_the_titles_and_places_of_sections_differ():
    cards = [load_card("sections", name) for name in card_names("sections")]

    assert len({card.TITLE for card in cards}) == len({card.ORDER for card in cards}) == len(cards)


@every_section
def test_it_survives_odd_runs(card, results):
    """A section or None, never an error; pictures are PNG files with words for those who can't see them."""
    section = load_card("sections", card).section(results)
    if section is None:
        assert card not in NEVER_EMPTY
        return

    assert isinstance(section, Section)
    assert section.blocks
    assert section.title == load_card("sections", card).TITLE
    for picture in section.pictures:
        assert len(picture.alt) > 20
        with Image.open(io.BytesIO(picture.png)) as opened:
            assert opened.format == "PNG"
            assert min(opened.size) > 100
    for table in [block for block in section.blocks if isinstance(block, Table)]:
        assert {len(row) for row in table.rows} == {len(table.columns)}


@every_section
def test_a_usual_run_with_a_test_fills_it(card, tmp_path):
    run = make_run(tmp_path)
    truth = Results(run).validation_truth
    test = TestPicks(Results(run).validation_picks, truth, paths_of(run), rules_for(truth.micrographs), 0.5)

    assert load_card("sections", card).section(Results(run, test)) is not None
