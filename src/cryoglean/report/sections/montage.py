"""The particles themselves: the surest, the least sure, the surest false ones, the missed ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cryoglean.errors import MicrographError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.picks import Picks
from cryoglean.report.figures.drawing import BLUE, GREEN, VERMILLION, to_png
from cryoglean.report.figures.montage import CELL_PIXELS, MontageRow, cut_particles, draw_montage
from cryoglean.report.judged import Judged
from cryoglean.report.results import Results
from cryoglean.report.section import Picture, Section

TITLE = "Particles"
ORDER = 40

_COLUMNS = 8


def section(results: Results) -> Section | None:
    """None when there is neither a pick nor a missed particle to cut out."""
    judged = results.validation
    if judged is None or judged.diameter_pixels is None:
        return None
    rows = _choose(judged)
    cells = _cut(rows, _paths(judged), judged.diameter_pixels)
    drawn = [
        MontageRow(label, colour, cells[label], _notes(picks))
        for label, (colour, picks) in rows.items() if len(cells[label])
    ]  # fmt: skip
    if not drawn:
        return None
    labels = "; ".join(f"{row.label.lower()} ({len(row.cells)})" for row in drawn)
    picture = Picture(
        "montage", to_png(draw_montage(drawn, _COLUMNS)), f"Cut-outs of particles in rows: {labels}.",
        "Cut-outs 1.8 diameters wide on one grey scale, scores below. Look at the surest false picks, which have no "
        "label: if they are particles all the same, the labels are incomplete and the true precision is higher than "
        "the number says.",
        is_wide=True,
    )  # fmt: skip
    return Section(TITLE, (picture,))


def _choose(judged: Judged) -> dict[str, tuple[str, Picks]]:
    """The picks of each row, of micrographs whose files are there."""
    there = [one for one in judged.verdicts if one.path is not None]
    found = Picks.concatenate(one.found for one in there)
    false = Picks.concatenate(one.false for one in there)
    missed = Picks.concatenate(one.missed for one in there)
    if judged.evaluation.threshold is not None:
        found = found.above(judged.evaluation.threshold)
    every = np.linspace(0, max(len(missed) - 1, 0), min(_COLUMNS, len(missed))).round().astype(np.intp)
    return {
        "Surest found": (GREEN, _sorted(found)),
        "Least sure found": (GREEN, _sorted(found, surest=False)),
        "Surest false": (VERMILLION, _sorted(false)),
        "Missed": (BLUE, missed.rows(every)),
    }


def _sorted(picks: Picks, *, surest: bool = True) -> Picks:
    if picks.score is None:
        return picks.rows(np.arange(min(len(picks), _COLUMNS)))
    order = np.argsort(-picks.score if surest else picks.score, kind="stable")
    return picks.rows(order[:_COLUMNS])


def _paths(judged: Judged) -> dict[str, Path]:
    return {one.name: one.path for one in judged.verdicts if one.path is not None}


def _cut(
    rows: Mapping[str, tuple[str, Picks]], paths: Mapping[str, Path], diameter_pixels: float
) -> dict[str, np.ndarray]:
    """The cut-outs of each row, every micrograph read once; all of them empty when one can't be read."""
    cells = {label: np.zeros((len(picks), CELL_PIXELS, CELL_PIXELS), np.float32) for label, (_, picks) in rows.items()}
    for name in sorted({str(name) for _, picks in rows.values() for name in picks.micrograph}):
        try:
            micrograph = read_micrograph(paths[name])
        except MicrographError:
            return {label: one[:0] for label, one in cells.items()}
        here = {label: picks.micrograph == name for label, (_, picks) in rows.items()}
        xy = np.concatenate([picks.xy[here[label]] for label, (_, picks) in rows.items()])
        cuts = np.cumsum([int(chosen.sum()) for chosen in here.values()])[:-1]
        parts = np.split(cut_particles(micrograph, xy, diameter_pixels), cuts)
        for (label, chosen), part in zip(here.items(), parts, strict=True):
            cells[label][chosen] = part
    return cells


def _notes(picks: Picks) -> tuple[str, ...]:
    return ("",) * len(picks) if picks.score is None else tuple(f"{score:.3f}" for score in picks.score)
