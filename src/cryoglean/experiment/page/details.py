"""What became of pseudo-labels, and the micrographs on which lines fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cryoglean.experiment.page.outcome import Outcome, say_ratio
from cryoglean.experiment.page.pictures import picture_trainings
from cryoglean.experiment.page.worst import Counts, find_worst_training, pool_counts, worst_first
from cryoglean.report.section import Block, Section, Table, Text

WORST = 3
"""Micrographs of each line that are named."""
_WORST_WORDS = (
    f"The {WORST} test micrographs of each line with the lowest F1, pooled over ratios and seeds. The pictures show "
    "the worst of each line, as the training of that line that did worst on it picked it. Green circles: picks on a "
    "particle. Orange-red triangles: picks on none. Blue squares: particles without a pick. The marks are as large as "
    "the particle; what lies in the border or at ignored points is left out, as in the numbers. Contrast is "
    "stretched and smoothed for the eye only."
)

_MEANS = ("gain", "precision", "recall", "usage", "particle_share")
_COLUMNS = (
    "line", "rounds", "counted", "AP gained", "precision", "recall", "pixels used", "particle share",
)  # fmt: skip


def rounds_section(outcome: Outcome) -> Section | None:
    """Obituaries of pseudo-labels: how many rounds counted, and how good their labels were."""
    rows = []
    for block in outcome.blocks:
        for line in outcome.lines:
            found = [outcome.results.row(block, seed, line) for seed in outcome.results.seeds(block)]
            told = [one for row in found if row is not None for one in row.get("rounds") or ()]
            if told:
                counted = sum(bool(one.get("counts")) for one in told)
                means = (_mean(told, name) for name in _MEANS)
                where = f"{block.data}, {say_ratio(block.ratio)}, {line}"
                rows.append((where, str(len(told)), str(counted), *means))
    if not rows:
        return None
    text = Text(
        "A round counts if validation does not speak against it, by the line's own rule; else the network of before is "
        "kept: a line that begins with the supervised network and has no round that counts is that network. AP is "
        "gained on validation. Pixels used are learned from, the rest is ignored. Precision and recall count pixels: "
        "the same labelling was tried on labelled micrographs that the teacher had not seen."
    )
    return Section("Pseudo-labels", (text, Table(_COLUMNS, tuple(rows), "Means over all rounds of all seeds")))


def _mean(told: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [one[name] for one in told if one.get(name) is not None]
    if not values:
        return "–"
    return f"{np.mean(values):+.3f}" if name == "gain" else f"{np.mean(values):.3f}"


def worst_section(outcome: Outcome) -> Section | None:
    """The test micrographs with the lowest F1 of any line, and pictures of the worst of each."""
    blocks: list[Block] = []
    for data in outcome.data:
        rows = {line: outcome.rows_of(data, line) for line in outcome.lines}
        tables = {line: pool_counts(each) for line, each in rows.items()}
        order = {line: names for line, table in tables.items() if (names := worst_first(table))}
        if order:
            blocks.append(_say_worst(data, tables, order))
            worst = [find_worst_training(rows[line], names[0]) for line, names in order.items()]
            blocks += picture_trainings(outcome, data, worst)
    return Section("Worst micrographs", (Text(_WORST_WORDS), *blocks)) if blocks else None


def _say_worst(data: str, tables: Mapping[str, Mapping[str, Counts]], order: Mapping[str, Sequence[str]]) -> Table:
    """A row for each micrograph that is among the worst of a line, a column for each line."""
    worst = dict.fromkeys(name for names in order.values() for name in names[:WORST])
    found = {name: {line: tables[line][name] for line in order if name in tables[line]} for name in worst}
    rows = []
    for name, each in sorted(found.items(), key=lambda item: min(counts.f1 for counts in item[1].values())):
        f1 = (f"{each[line].f1:.2f}" if line in each else "–" for line in order)
        rows.append((name, str(next(iter(each.values())).particles), *f1))
    return Table(("micrograph", "particles", *order), tuple(rows), f"{data}: F1, over all ratios and seeds")
