"""What `cryoglean train` says about unlabelled micrographs and rounds, while it runs and at the end."""

from pathlib import Path
from typing import Any

import pytest
from conftest import train_words

from cryoglean.cli.main import run
from cryoglean.cli.progress import watching_training
from cryoglean.cli.train import say_summary
from cryoglean.report.wording import round_outcome
from cryoglean.run import Run

SUMMARY: dict[str, Any] = {
    "strategy": "recommended", "train": ["a", "b"], "is_cross_validated": False, "threshold": 0.5,
    "threshold_rule": "f1", "validation": {"f1": 0.9, "precision": 0.9, "recall": 0.9, "average_precision": 0.9},
}  # fmt: skip
ROUND: dict[str, Any] = {
    "round": 1, "counts": True, "average_precision_before": 0.8, "average_precision_after": 0.9, "gain": 0.1,
    "gain_standard_error": 0.02,
}  # fmt: skip


def told(capsys: pytest.CaptureFixture[str], *events: dict[str, Any], quiet: bool = False) -> list[str]:
    with watching_training(quiet=quiet) as tell:
        for event in events:
            tell(event)
    return capsys.readouterr().err.splitlines()


def test_the_end_says_how_many_were_used_and_what_each_round_brought(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    second = {**ROUND, "round": 2, "counts": False, "gain": 0.001}
    say_summary(tmp_path, {**SUMMARY, "unlabelled": 12, "rounds": [ROUND, second]})

    assert capsys.readouterr().out.splitlines()[1:4] == [
        "the strategy recommended used 12 unlabelled micrographs",
        "Round 1 counted: average precision on validation rose from 0.800 to 0.900 (+0.100 ± 0.020, one standard "
        "error).",
        "Round 2 brought no detectable gain (+0.001 ± 0.020): the network before it was kept.",
    ]


@pytest.mark.parametrize("changes", [{}, {"strategy": "supervised", "unlabelled": 0, "rounds": []}])
def test_the_end_says_nothing_of_them_where_there_were_none(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    say_summary(tmp_path, {**SUMMARY, **changes})

    said = capsys.readouterr().out
    assert "unlabelled" not in said
    assert "ound" not in said


def test_a_round_is_said_when_it_ends_and_by_how_it_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    phase, fold = ({"event": "phase", "phase": name, "steps": 9} for name in ("final", "fold-1"))
    event = {"event": "round", **ROUND}

    assert told(capsys, phase, event) == [round_outcome(ROUND)]
    assert told(capsys, fold, event) == [round_outcome(ROUND, "by cross-validation")]


def test_micrographs_that_can_not_be_used_are_named_and_brackets_survive(capsys: pytest.CaptureFixture[str]) -> None:
    event = {"event": "unlabelled", "given": 1203, "used": 200, "skipped": {"a[b]": "it is empty"}}

    assert told(capsys, event) == ["unlabelled micrographs used: 200 of 1,203; can't be used: a[b]"]


def test_quiet_says_nothing_of_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    unlabelled = {"event": "unlabelled", "given": 2, "used": 2, "skipped": {}}

    assert told(capsys, unlabelled, {"event": "round", **ROUND}, quiet=True) == []


@pytest.mark.slow
def test_a_training_says_its_rounds_and_its_report_shows_them(
    easy_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        word for word in train_words(easy_data, tmp_path / "run") if word not in ("--quiet", "--strategy", "supervised")
    ]

    assert run([*words, "--strategy", "pseudo_label", "--set", "learn.steps=30"]) == 0
    said = capsys.readouterr()
    assert run(["report", str(tmp_path / "run")]) == 0

    summary = Run(tmp_path / "run").summary()
    outcomes = [round_outcome(one, "by cross-validation") for one in summary["rounds"]]
    assert outcomes
    assert "used 4 unlabelled micrographs" in said.out
    assert "unlabelled micrographs used: 4 of 4" in said.err
    for outcome in outcomes:
        assert outcome in said.out
        assert outcome in said.err
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert all(outcome in page for outcome in outcomes)
    assert list((tmp_path / "run" / "figures").glob("rounds_1_0_*.png"))
