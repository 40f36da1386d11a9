"""Pictures that validation and test share: micrographs with judged picks, and the precision-recall curve."""

from __future__ import annotations

import re

from cryoglean.errors import MicrographError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.micrograph import MARK_COLOURS, draw_micrograph, judged_marks, make_view
from cryoglean.report.figures.scores import draw_precision_recall
from cryoglean.report.judged import Judged, Verdict
from cryoglean.report.section import Folded, Gallery, Picture
from cryoglean.report.wording import count_of, decimals


def picture_verdicts(
    judged: Judged, pixel_size_angstrom: float | None, prefix: str
) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    """The micrographs to show, with marks and, in the second tuple, without; unreadable ones are left out.

    Args:
        judged: the picks and what became of them.
        pixel_size_angstrom: overrides the headers; None trusts them.
        prefix: of the names of the pictures.
    """
    marked, plain = [], []
    for place, verdict in judged.to_show():
        pair = _picture_one(verdict, place, judged.diameter_pixels, pixel_size_angstrom, prefix)
        if pair is not None:
            marked.append(pair[0])
            plain.append(pair[1])
    return tuple(marked), tuple(plain)


def fold_plain(pictures: tuple[Picture, ...]) -> tuple[Folded, ...]:
    """The pictures without marks, folded; nothing when there is none."""
    return (Folded("The same without marks", (Gallery(pictures),)),) if pictures else ()


def picture_precision_recall(judged: Judged, name: str) -> Picture | None:
    """The curve with the chosen point; None without scores, picks or particles."""
    curve, chosen = judged.evaluation.curve, judged.evaluation.total
    if curve is None or not len(curve.thresholds) or not curve.truth:
        return None
    figure = draw_precision_recall(curve, chosen, judged.evaluation.threshold)
    average = decimals(curve.average_precision)
    return Picture(
        name,
        to_png(figure),
        f"Precision falling over rising recall, average precision {average}; the dot is the chosen threshold with "
        f"precision {decimals(chosen.precision)} and recall {decimals(chosen.recall)}.",
        "Each point of the line is another threshold. A lower threshold moves right: more particles, more junk. "
        "Grey lines join points of equal F1.",
    )


def file_stem(name: str) -> str:
    """A micrograph's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80]


def _picture_one(
    verdict: Verdict, place: str, diameter_pixels: float | None, pixel_size_angstrom: float | None, prefix: str
) -> tuple[Picture, Picture] | None:
    if verdict.path is None:
        return None
    try:
        view = make_view(read_micrograph(verdict.path, pixel_size_angstrom), diameter_pixels)
    except MicrographError:
        return None
    stem = f"{prefix}_{file_stem(verdict.name)}"
    counts = (
        f"{len(verdict.found)} found, {len(verdict.false)} false, {len(verdict.missed)} missed; "
        f"F1 {decimals(verdict.score.tally.f1)}"
    )
    title = f"{verdict.name}{f' ({place})' if place else ''}"
    marked = draw_micrograph(view, judged_marks(verdict.found, verdict.false, verdict.missed))
    particles = count_of(verdict.score.tally.truth, "labelled particle")
    return (
        Picture(
            stem, to_png(marked, on_grey=MARK_COLOURS),
            f"Micrograph {title} with {particles}: {counts}.", f"{title}: {counts}.", is_wide=True,
        ),
        Picture(
            f"{stem}_plain", to_png(draw_micrograph(view), on_grey=()),
            f"Micrograph {title} without marks.", f"{title}, without marks.", is_wide=True,
        ),
    )  # fmt: skip
