"""From findings to settings: the worse finding has its way, notes change nothing, each changed line says why."""

import yaml

from cryoglean.doctor.examine import examine
from cryoglean.doctor.fixing import mend_settings, write_mended
from cryoglean.finding import Finding
from cryoglean.settings import Settings, resolve_settings
from doctor.making import FAULTS


def finding(severity: str, check: str = "learning_rate", **patch: object) -> Finding:
    named = {name.replace("__", "."): value for name, value in patch.items()}
    return Finding(severity, "it is so", {"n": 1}, "because", "Do it.", "here", named, check=check)  # type: ignore[arg-type]


def test_patches_are_applied_the_worse_finding_first() -> None:
    found = [finding("error", learn__steps=100), finding("warning", learn__steps=900, learn__batch=8)]

    mended, reasons = mend_settings(Settings(), found)

    assert (mended.learn.steps, mended.learn.batch) == (100, 8)
    assert reasons == dict.fromkeys(("learn.steps", "learn.batch"), "learning_rate: it is so")


def test_notes_and_what_is_so_already_change_nothing() -> None:
    found = [finding("error", learn__steps=Settings().learn.steps), finding("note", learn__batch=1)]

    assert mend_settings(Settings(), found) == (Settings(), {})


def test_the_file_is_complete_valid_and_says_why_at_each_changed_line() -> None:
    before = resolve_settings([], ["learn.learning_rate=5", "options.variant=notes", "strategy=fixmatch"])
    found = [finding("error", learn__learning_rate=0.005), finding("warning", strategy="recommended", options={})]

    mended, reasons = mend_settings(before, found)
    text = write_mended(mended, before, reasons)

    assert resolve_settings([yaml.safe_load(text)]) == mended
    commented = {line.split("#")[0].strip(): line.split("# ")[1] for line in text.splitlines() if "#" in line}
    assert commented == {
        "learning_rate: 0.005": "was 5.0; learning_rate: it is so",
        "strategy: recommended": "was fixmatch; learning_rate: it is so",
        "options: {}": "was {'variant': 'notes'}; learning_rate: it is so",
    }


def test_a_planted_learning_rate_is_put_back() -> None:
    where = FAULTS["learning_rate"]()

    mended, reasons = mend_settings(where.settings, examine(where))

    assert mended.learn.learning_rate == Settings().learn.learning_rate
    assert "learn.learning_rate" in reasons


def test_consequences_wait_where_the_root_is_mended() -> None:
    root, later = finding("error", learn__steps=100), finding("warning", "pseudo_share", strategy="recommended")

    assert mend_settings(Settings(), [root, later])[0].strategy == "auto"
    assert mend_settings(Settings(), [later])[0].strategy == "recommended"


def test_a_worse_finding_whose_wish_is_so_already_still_has_it() -> None:
    settings = resolve_settings([], ["strategy=recommended"])
    worse, later = finding("error", strategy="recommended"), finding("warning", strategy="supervised")

    assert mend_settings(settings, [worse, later]) == (settings, {})


def test_an_error_that_changes_nothing_does_not_make_others_wait() -> None:
    idle, later = (
        finding("error", learn__steps=Settings().learn.steps),
        finding("warning", "pseudo_share", learn__batch=8),
    )

    assert mend_settings(Settings(), [idle, later])[0].learn.batch == 8
