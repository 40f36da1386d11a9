"""The result in plain words: what was learnt from, how well it picks, what the threshold is, what to beware of."""

from __future__ import annotations

from typing import Any

from cryoglean.report.cautions import find_cautions
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Code, Fact, Facts, Notice, Section, Text
from cryoglean.report.wording import (
    count_of,
    decimals,
    duration,
    gate_checks,
    interval_of,
    percent,
    say_gate,
    some_of,
)

TITLE = "Summary"
ORDER = 10


def section(results: Results) -> Section | None:
    """Always there."""
    blocks: list[Block] = [Text(_learnt(results)), _facts(results), Text(_judged(results)), *_gate(results)]
    blocks += [Text(_threshold(results)), *find_cautions(results)]
    blocks += [
        Text("Pick micrographs with:" if results.summary.get("patches") else "Pick the other micrographs with:"),
        Code(f"cryoglean pick {results.run.folder} MICROGRAPHS... --out picks.star"),
    ]
    return Section(TITLE, tuple(blocks))


def _learnt(results: Results) -> str:
    contrast = "dark on light" if results.summary.get("particles_are_dark") else "light on dark"
    seconds = results.summary.get("wall_seconds")
    time = f" Training took {duration(seconds)}." if seconds is not None else ""
    strategy = results.summary.get("strategy", results.setting("strategy"))
    return (
        f"Learnt from {_learnt_from(results)}, with the strategy “{strategy}”. "
        f"A particle is {_across(results)} across, and particles are {contrast}.{time}"
    )


def _across(results: Results) -> str:
    unit = "Å" if results.dataset.unit == "angstrom" else "pixels"
    return f"{results.dataset.diameter_angstrom:.0f} {unit}"


def _learnt_from(results: Results) -> str:
    train, patches = results.summary.get("train", ()), results.summary.get("patches")
    if patches:
        files = [path.name for path in results.dataset.paths.values()]
        return f"{patches['positive']:,} positive and {patches['unlabelled']:,} unlabelled patches ({some_of(files)})"
    labels = sum(len(results.dataset.labels.on(name)) for name in train)
    return f"{count_of(labels, 'labelled particle')} on {count_of(len(train), 'micrograph')} ({some_of(train)})"


def _gate(results: Results) -> tuple[Block, ...]:
    """Whether the first network was good enough to go on; nothing where no gate was asked for."""
    said, checks = say_gate(results.summary), gate_checks(results.summary)
    if not said:
        return ()
    if not checks:
        return (Text(said),)
    return (Notice(f"{said} Check, in this order: {'; '.join(f'{n}. {check}' for n, check in enumerate(checks, 1))}."),)


def _facts(results: Results) -> Facts:
    if patches := results.summary.get("patches"):
        return _facts_of_patches(results, patches)
    if clicks := results.summary.get("clicks"):
        return _facts_of_clicks(results, clicks)
    found = results.summary.get("validation") or {}
    intervals = found.get("intervals") or {}
    names = {"f1": "F1", "precision": "Precision", "recall": "Recall", "average_precision": "Average precision"}
    scores = [Fact(label, decimals(found.get(name)), interval_of(intervals, name)) for name, label in names.items()]
    threshold = Fact("Threshold", decimals(results.threshold), "lowest score kept")
    return Facts((*scores, threshold))


def _facts_of_clicks(results: Results, clicks: dict[str, Any]) -> Facts:
    """What takes the place of scores where nothing is labelled completely."""
    expected = results.summary.get("expected") or {}
    low, high = expected.get("interval") or (None, None)
    between = str(expected.get("source", "")) + ("" if low is None else f", 95 % interval {low:,.0f}–{high:,.0f}")
    each = clicks["picks"] / max(clicks["micrographs"], 1)
    return Facts((
        Fact("Clicks found", f"{clicks['clicks_found']:,} of {clicks['clicks']:,}", "it learned from them"),
        Fact("Expected a micrograph", f"{expected.get('per_micrograph', 0):,.0f}", between),
        Fact("Picks a micrograph", f"{each:,.0f}", "at the threshold"),
        Fact("Threshold", decimals(results.threshold), "lowest score kept"),
    ))  # fmt: skip


def _facts_of_patches(results: Results, patches: dict[str, Any]) -> Facts:
    """Of the patches held out; unlabelled ones are no background, which the prior makes up for."""
    clicks, expected = results.summary["clicks"], results.summary["expected"]
    return Facts((
        Fact("Positive found", f"{clicks['clicks_found']:,} of {patches['held_positive']:,}", "held out from training"),
        Fact("AUC", decimals(patches["auc"]), "on held-out patches, corrected"),
        Fact("Expected share", percent(expected["per_micrograph"]), f"of unlabelled patches ({expected['source']})"),
        Fact("Threshold", decimals(results.threshold), "lowest score kept"),
    ))  # fmt: skip


def _judged_on_patches(results: Results, patches: dict[str, Any]) -> str:
    clicks, expected = results.summary["clicks"], results.summary["expected"]
    found, called = clicks["clicks_found"], clicks["picks"] - clicks["clicks_found"]
    auc = patches["auc"]
    ranked = f" Positive ones are ranked above unlabelled ones with AUC {decimals(auc)}, corrected for that share."
    return (
        f"Of the patches held out from training, {found:,} of {patches['held_positive']:,} positive ones and "
        f"{called:,} of {patches['held_unlabelled']:,} unlabelled ones are above the threshold; "
        f"{percent(expected['per_micrograph'])} of the unlabelled ones are expected to hold a particle in the middle "
        f"({expected['source']}).{ranked if auc is not None else ''}"
    )


def _judged(results: Results) -> str:
    if patches := results.summary.get("patches"):
        return _judged_on_patches(results, patches)
    clicks, expected = results.summary.get("clicks"), results.summary.get("expected") or {}
    if clicks:
        return (
            f"Only some particles are labelled, and no micrograph completely, so picks can't be called right or wrong. "
            f"{clicks['clicks_found']:,} of {count_of(clicks['clicks'], 'click')} are among its "
            f"{count_of(clicks['picks'], 'pick')} on {count_of(clicks['micrographs'], 'micrograph')}; "
            f"{expected.get('per_micrograph', 0):g} particles on each were expected ({expected.get('source')})."
        )
    found = results.summary.get("validation") or {}
    names = results.validation_names
    picks, truth, true = (int(found.get(name) or 0) for name in ("picks", "truth", "true_positives"))
    where = "by cross-validation on" if results.summary.get("is_cross_validated") else "on"
    if not truth:
        seen = count_of(len(names), "micrograph")
        return f"Judged {where} {seen} without a labelled particle: {count_of(picks, 'pick')}."
    unseen = "" if results.summary.get("is_cross_validated") else ", which it did not learn from"
    return (
        f"Judged {where} {count_of(len(names), 'validation micrograph')} with {count_of(truth, 'labelled particle')}"
        f"{unseen}: {true:,} of {count_of(picks, 'pick')} are a labelled particle (precision "
        f"{percent(found.get('precision'))}), and {true:,} of the {count_of(truth, 'particle')} were found (recall "
        f"{percent(found.get('recall'))}). Picks without a label count as false, also where the label was forgotten."
    )


def _threshold(results: Results) -> str:
    reason = results.summary.get("threshold_reason", "")
    return (
        f"Picks with a score of at least {decimals(results.threshold)} are kept. {reason} For fewer but surer "
        "particles give --threshold a higher number, for more of them a lower one."
    )
