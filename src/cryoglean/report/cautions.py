"""What a reader must know before trusting the numbers of a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoglean.evaluate.threshold import FEW_PARTICLES
from cryoglean.report.results import Results
from cryoglean.report.section import Notice
from cryoglean.report.wording import count_of, some_of

_FEW_LABELS = 50
_FEW_MICROGRAPHS = 3
_WIDE_SPREAD = 0.15  # in F1
_STILL_RISING = 0.01  # in average precision, from the validation before the last to the last


def find_cautions(results: Results) -> tuple[Notice, ...]:
    """Warnings, then notes; none when there is nothing to say."""
    found = (*_about_data(results), *_about_numbers(results), *_about_training(results))
    return tuple(sorted(found, key=lambda notice: notice.level != "warning"))


def _about_data(results: Results) -> Iterator[Notice]:
    train = sum(len(results.dataset.labels.on(name)) for name in results.summary.get("train", ()))
    if patches := results.summary.get("patches"):
        if patches["positive"] < _FEW_LABELS:
            yield Notice(f"Few positive patches: {patches['positive']} to learn from. More should help most.")
    elif train < _FEW_LABELS:
        yield Notice(f"Few labels: {count_of(train, 'particle')} to learn from. Labelling more should help most.")
    if results.missing_files:
        yield Notice(
            f"These micrographs are no longer where they were, so there are no pictures of them, and the curves "
            f"count the picks at their edges too: {some_of(results.missing_files)}."
        )
    if results.validation_picks is None:
        yield Notice("The file with the validation picks is missing; only the numbers of the summary are shown.")


def _about_numbers(results: Results) -> Iterator[Notice]:
    if results.summary.get("patches"):
        yield Notice(
            "No patch is known to be background, so nobody knows how many picks are wrong. Look at the picks on a few "
            "micrographs; better, label two micrographs completely and compare: see cryoglean evaluate."
        )
        return
    if results.summary.get("clicks"):
        yield Notice(
            "Nothing is labelled completely, so nobody knows how many picks are wrong. Look at some of them; better, "
            "label two micrographs completely and give them as --validation."
        )
        return
    found: dict[str, Any] = results.summary.get("validation") or {}
    truth, rows = int(found.get("truth") or 0), found.get("per_micrograph") or []
    if not int(found.get("picks") or 0):
        yield Notice("Not one pick on the validation micrographs reaches the threshold.")
    if truth < FEW_PARTICLES:
        yield Notice(
            f"Thin validation: only {count_of(truth, 'particle')}. The numbers and the threshold may be far off."
        )
    if 0 < len(rows) < _FEW_MICROGRAPHS:
        yield Notice(
            f"Few validation micrographs: {len(rows)}. An interval over so few says little about other micrographs."
        )
    scores = [(row["f1"], row["micrograph"]) for row in rows if row.get("f1") is not None]
    if scores and max(scores)[0] - min(scores)[0] > _WIDE_SPREAD:
        worst, best = min(scores), max(scores)
        yield Notice(
            f"F1 differs much between micrographs, from {worst[0]:.2f} to {best[0]:.2f}. Look at {worst[1]} first: "
            f"is it labelled completely, and is its ice like that of the others?"
        )
    turned = found.get("orientation") or {}
    if turned.get("looks_flipped") or turned.get("looks_swapped"):
        yield Notice(str(turned["sentence"]))
    if truth:
        yield Notice(
            "The threshold was chosen on the same micrographs that these numbers are from, which makes them a little "
            "too good. A picker is judged without this on test micrographs: see cryoglean evaluate.", "note",
        )  # fmt: skip


def _about_training(results: Results) -> Iterator[Notice]:
    told = [event for event in results.run.events("validation") if event.get("phase") == "final"]
    values = [event["average_precision"] for event in told]
    is_last_best = len(values) > 1 and values[-1] == max(values)
    if is_last_best and values[-1] - values[-2] > _STILL_RISING:
        longer = 2 * int(results.setting("learn.steps"))
        yield Notice(
            f"Validation was still rising at the last step ({values[-2]:.3f}, then {values[-1]:.3f}); a longer "
            f"training may pick better: a higher --effort, or --set learn.steps={longer}.",
            "note",
        )
    if results.summary.get("is_cross_validated"):
        yield Notice(
            "No micrographs were set aside: each part was picked by a network that had not seen it, "
            "and the final network learnt from all of them.", "note",
        )  # fmt: skip
