"""What the pictures draw is what the numbers count."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.evaluate.rules import Rules
from cryoglean.io.micrographs import read_micrograph
from cryoglean.picks import Picks
from cryoglean.report.figures.micrograph import draw_micrograph, judged_marks, make_view
from cryoglean.report.judged import judge_picks
from cryoglean.report.results import Results
from cryoglean.run import Run

from .making import Odd, make_run


def test_found_false_and_missed_add_up_to_the_counts(tmp_path):
    judged = Results(make_run(tmp_path)).validation

    for verdict in judged.verdicts:
        tally = verdict.score.tally
        lengths = (len(verdict.found), len(verdict.false), len(verdict.missed))
        assert lengths == (tally.true_positives, tally.false_positives, tally.truth - tally.true_positives)
        assert min(lengths) > 0


def test_the_counts_are_those_of_the_summary(tmp_path):
    run = make_run(tmp_path)
    judged, said = Results(run).validation, run.summary()["validation"]

    assert judged.evaluation.total.true_positives == said["true_positives"]
    assert judged.evaluation.total.picks == said["picks"]
    assert judged.evaluation.left_out == said["left_out"]


def test_as_many_outlines_are_drawn_as_the_evaluation_counts(tmp_path):
    judged = Results(make_run(tmp_path)).validation
    verdict = judged.verdicts[0]
    view = make_view(read_micrograph(verdict.path), judged.diameter_pixels)

    figure = draw_micrograph(view, judged_marks(verdict.found, verdict.false, verdict.missed))

    drawn = {lines.get_label(): len(lines.get_segments()) for lines in figure.axes[0].collections}
    tally = verdict.score.tally
    missed = tally.truth - tally.true_positives
    assert drawn == {"found": tally.true_positives, "false": tally.false_positives, "missed": missed}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [f"{name}: {count}" for name, count in drawn.items()]


def test_a_hand_made_case_is_sorted_by_hand():
    """Two particles; one pick on the first, one below the threshold on the second, one far from both."""
    truth = Picks.of_one("m", np.array([[10.0, 10.0], [50.0, 50.0]]))
    picks = Picks.of_one("m", np.array([[11.0, 10.0], [50.0, 51.0], [90.0, 10.0]]), np.array([0.9, 0.2, 0.8]))

    verdict = judge_picks(picks, truth, Rules(diameter_pixels=10, bootstrap_draws=0), 0.5, {}).verdicts[0]

    assert verdict.found.xy.tolist() == [[11.0, 10.0]]
    assert verdict.false.xy.tolist() == [[90.0, 10.0]]
    assert verdict.missed.xy.tolist() == [[50.0, 50.0]]


def test_no_annotated_micrograph_is_nothing_to_judge():
    assert judge_picks(Picks.empty(), Picks.empty(), Rules(diameter_pixels=10), 0.5, {}) is None


def test_of_many_micrographs_the_worst_the_median_and_the_best_are_shown(tmp_path):
    judged = Results(make_run(tmp_path, Odd(validation=5))).validation

    shown = dict(judged.to_show())

    f1 = sorted(one.score.tally.f1 for one in judged.verdicts)
    assert [one.score.tally.f1 for one in shown.values()] == [f1[0], f1[2], f1[4]]
    assert list(shown) == ["worst of 5", "median of 5", "best of 5"]


def test_settings_of_another_version_do_not_stop_a_report(tmp_path):
    run = make_run(tmp_path)
    run.settings_file.write_text("prepare: {border_diameters: 0.25}\nmodel: {gone: 1}\n", encoding="utf-8")
    results = Results(run)

    assert results.setting("prepare.border_diameters") == 0.25
    assert results.setting("learn.steps") > 0
    assert results.validation is not None


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    from cryoglean.errors import RunError

    with pytest.raises(RunError, match=r"summary\.json is missing"):
        Results(Run(tmp_path)).summary  # noqa: B018
