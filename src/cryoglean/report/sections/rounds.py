"""What the unlabelled micrographs brought: each round, its pseudo-labels, and how they look."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.rounds import (
    IGNORED_COLOUR,
    PARTICLE_COLOUR,
    TOO_FEW,
    TOO_MANY,
    Example,
    Share,
    draw_counts,
    draw_example,
    draw_shares,
)
from cryoglean.report.pictures import file_stem, fold_plain
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Folded, Gallery, Notice, Picture, Section, Table, Text
from cryoglean.report.wording import count_of, decimals, gate_checks, percent, round_outcome, some_of

TITLE = "Unlabelled micrographs"
ORDER = 75

_LOW_RECALL = 0.5
_FEW_MICROGRAPHS = 4
_TABLE_WORDS = (
    "Trusted pixels are those that are learned from; the rest is ignored. Precision and recall count pixels: the same "
    "labelling was tried on labelled micrographs that the teacher had not seen."
)
_GATE_WORDS = "No round began, because the first network was not good enough: see the summary."

Told = Mapping[str, Any]
"""One of the `rounds` of a summary."""


def section(results: Results) -> Section | None:
    """None when no unlabelled micrograph was used, or the run is older than rounds are."""
    rounds: list[Told] = results.summary.get("rounds") or []
    used = int(results.summary.get("unlabelled") or 0)
    if not rounds and not used and not results.run.events("unlabelled"):
        return None
    where = "by cross-validation" if results.summary.get("is_cross_validated") else "on validation"
    taught = [told for told in rounds if "particle_share" in told]
    how = _GATE_WORDS if gate_checks(results.summary) else _how(rounds, taught)
    blocks: list[Block] = [Text(_used(results, used, how))]
    blocks += [Text(round_outcome(told, where)) for told in rounds]
    blocks += _about_skipped(results)
    for told in taught:
        blocks += _cautions(told)
    if taught:
        blocks += [Gallery(tuple(_charts(results, taught))), _table(results, taught), Text(_TABLE_WORDS)]
        blocks += _examples(results, taught)
    return Section(TITLE, tuple(blocks))


def _used(results: Results, used: int, how: str) -> str:
    strategy = results.summary.get("strategy", results.setting("strategy"))
    if results.summary.get("patches"):
        return f"The strategy “{strategy}” looked at {used:,} unlabelled patches, which nobody judged. {how}"
    if results.summary.get("labels") == "sparse":
        clicked = count_of(len(results.summary.get("train", ())), "clicked micrograph")
        more = f" and {count_of(used, 'micrograph')} without a click" if used else ""
        return f"The strategy “{strategy}” looked at {clicked}{more}, where what is not clicked was not judged. {how}"
    if not used:
        return (
            f"No unlabelled micrograph could be used, so that the strategy “{strategy}” had nothing to learn from but "
            "the labels: this is the supervised network."
        )
    return f"The strategy “{strategy}” looked at {count_of(used, 'micrograph')} without labels as well. {how}"


def _how(rounds: Sequence[Told], taught: Sequence[Told]) -> str:
    if not rounds:
        return "It has no rounds, so what they brought was not measured."
    if not taught:
        return (
            "In a round, a new network learns from the labels and from guesses about unlabelled crops that are made "
            "anew at each step, so there are no pseudo-labels to show."
        )
    return (
        "In a round, an earlier network, the teacher, says what it takes for particles on them (the pseudo-labels), "
        "and a new network learns from that and from the labels."
    )


def _about_skipped(results: Results) -> list[Notice]:
    """The micrographs that could not be used; an interrupted training tells of them more than once."""
    told = results.run.events("unlabelled")
    skipped: dict[str, str] = dict(told[-1].get("skipped") or {}) if told else {}
    if not skipped:
        return []
    names = list(skipped)
    count = count_of(len(names), "unlabelled micrograph")
    return [Notice(f"{count} can't be used: {some_of(names)}. The first one: {skipped[names[0]]}", "note")]


def _cautions(told: Told) -> Iterator[Notice]:
    name, share, prior = f"Round {told['round']}", told["particle_share"], told.get("prior")
    if not told.get("kept"):
        offered = count_of(int(told.get("offered") or 0), "unlabelled micrograph")
        yield Notice(f"{name} kept the pseudo-labels of none of {offered}, so there was nothing to learn from them.")
    elif prior and not TOO_FEW * prior <= share <= TOO_MANY * prior:
        size, really, too = ("under half of", "fewer", "few") if share < prior else ("over double", "more", "many")
        yield Notice(
            f"{name}: {percent(share)} of the trusted pixels are particle, {size} the {percent(prior)} that the "
            f"labelled micrographs let expect. Unless the others really hold {really} particles, a network learns from "
            f"this to pick too {too}."
        )
    recall = told.get("recall")
    if recall is not None and recall < _LOW_RECALL:
        yield Notice(
            f"{name}: on labelled micrographs that the teacher had not seen, its pseudo-labels cover only "
            f"{percent(recall)} of the particle pixels. The rest was ignored, or taught as background."
        )


def _charts(results: Results, taught: Sequence[Told]) -> Iterator[Picture]:
    shares = [
        Share(int(told["round"]), told["particle_share"], told.get("prior") or 0.0, bool(told["counts"]))
        for told in taught
    ]
    said = "; ".join(
        f"round {told['round']} {percent(told['particle_share'])}, expected {percent(told.get('prior'))}"
        for told in taught
    )
    core, ring = (float(results.setting(f"targets.{name}_diameters")) for name in ("core", "ring"))
    yield Picture(
        "rounds_share", to_png(draw_shares(shares)), f"Share of particle in the pseudo-labels: {said}.",
        f"Expected is what the cores of particles cover ({2 * core:.1f} diameters wide), if the micrographs are as "
        f"crowded as the labelled ones. Pseudo-labels that end in the middle of the ring around a core cover "
        f"{((core + ring) / 2 / core) ** 2:.1f} times as much, and that is not wrong.",
    )  # fmt: skip
    counts = {int(told["round"]): list((told.get("particles") or {}).values()) for told in taught}
    counts = {number: one for number, one in counts.items() if len(one) >= _FEW_MICROGRAPHS}
    if counts:
        is_sparse = results.summary.get("labels") == "sparse"
        labelled = [len(results.dataset.labels.on(name)) for name in results.summary.get("train", ()) if not is_sparse]
        medians = "; ".join(f"round {number} median {np.median(one):g}" for number, one in counts.items())
        yield Picture(
            "rounds_counts", to_png(draw_counts(counts, float(np.median(labelled)) if labelled else None)),
            f"How many micrographs have how many pseudo-labelled particles: {medians}.",
            "Many micrographs near zero, or far from the labelled ones, are worth a look.",
        )  # fmt: skip


def _table(results: Results, taught: Sequence[Told]) -> Table:
    """A column for each round, so that it fits phones."""
    rows = (
        ("micrographs kept", *(f"{told.get('kept', 0):,} of {told.get('offered', 0):,}" for told in taught)),
        ("particles per micrograph", *(_spread(list((told.get("particles") or {}).values())) for told in taught)),
        ("particle, of trusted pixels", *(percent(told["particle_share"]) for told in taught)),
        ("expected", *(percent(told.get("prior")) for told in taught)),
        ("particle, of all pixels", *(percent(told.get("particle_usage")) for told in taught)),
        ("background, of all pixels", *(percent(told.get("background_usage")) for told in taught)),
        ("precision", *(decimals(told.get("precision")) for told in taught)),
        ("recall", *(decimals(told.get("recall")) for told in taught)),
        ("background precision", *(decimals(told.get("background_precision")) for told in taught)),
    )
    folds = " Numbers of the first fold." if results.summary.get("is_cross_validated") else ""
    columns = ("pseudo-labels", *(f"round {told['round']}" for told in taught))
    return Table(columns, rows, f"Median (range) of particles.{folds}")


def _spread(counts: Sequence[int]) -> str:
    return f"{np.median(counts):g} ({min(counts):,}–{max(counts):,})" if counts else "–"


def _examples(results: Results, taught: Sequence[Told]) -> list[Block]:
    """The pictures of the last round that counted, or of the last one; then, folded, those of the others."""
    pixels = float(results.setting("prepare.particle_pixels"))
    found = {int(told["round"]): read_examples(results.run.pseudo_labels_file(int(told["round"]))) for told in taught}
    there = [number for number, examples in found.items() if examples]
    if not there:
        return []
    counted = [int(told["round"]) for told in taught if told["counts"] and int(told["round"]) in there]
    shown = (counted or there)[-1]
    words = (
        f"Some of the micrographs as round {shown} was taught to see them. Filled with orange: particle. Hatched with "
        "light blue: ignored, nothing is learned there. Everything else: background. Particles without orange, on "
        "ground that is not hatched, are taught to be background."
    )
    plain = [_picture(shown, place, one, pixels, has_marks=False) for place, one in enumerate(found[shown])]
    blocks: list[Block] = [Text(words), _gallery(shown, found[shown], pixels), *fold_plain(tuple(plain))]
    others = [number for number in there if number != shown]
    return [
        *blocks,
        *(Folded(f"Pseudo-labels of round {number}", (_gallery(number, found[number], pixels),)) for number in others),
    ]


def _gallery(number: int, examples: Sequence[Example], pixels: float) -> Gallery:
    return Gallery(tuple(_picture(number, place, one, pixels) for place, one in enumerate(examples)))


def _picture(number: int, place: int, example: Example, pixels: float, *, has_marks: bool = True) -> Picture:
    figure = draw_example(example, pixels, has_marks=has_marks)
    name = f"rounds_{number}_{place}_{file_stem(example.name)}"
    if not has_marks:
        text = f"{example.name}, without marks"
        return Picture(f"{name}_plain", to_png(figure, on_grey=()), f"Unlabelled micrograph {text}.", f"{text}.")
    shares = (
        f"{percent(float(example.is_particle.mean()))} of all pixels particle, "
        f"{percent(float(example.is_ignored.mean()))} ignored"
    )
    return Picture(
        name, to_png(figure, on_grey=(PARTICLE_COLOUR, IGNORED_COLOUR)),
        f"Micrograph {example.name} with the pseudo-labels of round {number}: {shares}.",
        f"{example.name}, round {number}: {shares}.",
    )  # fmt: skip


def read_examples(file: Path) -> tuple[Example, ...]:
    """The micrographs in a file of pseudo-labels; none when it is missing, broken or empty.

    Args:
        file: see `Run.pseudo_labels_file`.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            names = dict.fromkeys(key.rpartition("/")[0] for key in stored.files)
            return tuple(Example(name, *(stored[f"{name}/{part}"] for part in ("image", "y", "w"))) for name in names)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return ()
