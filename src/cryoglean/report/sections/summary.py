"""The result in plain words: what was learnt from, how well it picks, what the threshold is, what to beware of."""

from __future__ import annotations

from typing import Any

from cryoglean.report.cautions import find_cautions
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Code, Fact, Facts, Section, Text
from cryoglean.report.wording import count_of, decimals, duration, interval_of, percent, some_of

TITLE = "Summary"
ORDER = 10


def section(results: Results) -> Section | None:
    """Always there."""
    blocks: list[Block] = [Text(_learnt(results)), _facts(results), Text(_judged(results))]
    blocks += [Text(_threshold(results)), *find_cautions(results)]
    blocks += [
        Text("Pick the other micrographs with:"),
        Code(f"cryoglean pick {results.run.folder} MICROGRAPHS... --out picks.star"),
    ]
    return Section(TITLE, tuple(blocks))


def _learnt(results: Results) -> str:
    train = results.summary.get("train", ())
    labels = sum(len(results.dataset.labels.on(name)) for name in train)
    contrast = "dark on light" if results.summary.get("particles_are_dark") else "light on dark"
    seconds = results.summary.get("wall_seconds")
    time = f" Training took {duration(seconds)}." if seconds is not None else ""
    return (
        f"Learnt from {count_of(labels, 'labelled particle')} on {count_of(len(train), 'micrograph')} "
        f"({some_of(train)}), with the strategy “{results.summary.get('strategy', results.setting('strategy'))}”. "
        f"A particle is {results.dataset.diameter_angstrom:.0f} Å across, and particles are {contrast}.{time}"
    )


def _facts(results: Results) -> Facts:
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


def _judged(results: Results) -> str:
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
