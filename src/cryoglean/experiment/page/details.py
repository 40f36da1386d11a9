"""What became of pseudo-labels, and the micrographs on which lines fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cryoglean.experiment.page.outcome import Outcome, say_ratio
from cryoglean.experiment.statistics.grid import Row
from cryoglean.report.section import Block, Section, Table, Text

WORST = 3
"""Micrographs of each line that are named."""

_MEANS = ("gain", "precision", "recall", "usage", "particle_share")
_COLUMNS = (
    "where", "rounds", "counted", "AP gained", "precision", "recall", "pixels used", "particle share",
)  # fmt: skip


def rounds_section(outcome: Outcome) -> Section | None:
    """Obituaries of pseudo-labels: how many rounds counted, and how good their labels were."""
    rows = []
    for block in outcome.results.blocks:
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
        "kept. AP is gained on validation. Pixels used are learned from, the rest is ignored. Precision and recall "
        "count pixels: the same labelling was tried on labelled micrographs that the teacher had not seen."
    )
    return Section("Pseudo-labels", (text, Table(_COLUMNS, tuple(rows), "Means over all rounds of all seeds")))


def _mean(told: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [one[name] for one in told if one.get(name) is not None]
    if not values:
        return "–"
    return f"{np.mean(values):+.3f}" if name == "gain" else f"{np.mean(values):.3f}"


def worst_section(outcome: Outcome) -> Section | None:
    """The test micrographs with the lowest F1 of any line."""
    blocks: list[Block] = []
    for data in outcome.results.data:
        tables = {line: count_picks(outcome.rows, data, line) for line in outcome.lines}
        tables = {line: table for line, table in tables.items() if table}
        worst = dict.fromkeys(name for table in tables.values() for name in _order(table)[:WORST])
        if not worst:
            continue
        truth = {
            name: round(counts[2] / counts[3]) for table in tables.values() for name, counts in table.items()
        }  # fmt: skip
        lowest = {name: min(_f1(table[name]) for table in tables.values() if name in table) for name in worst}
        rows = tuple(
            (name, str(truth[name]), *(_say(table.get(name)) for table in tables.values()))
            for name in sorted(worst, key=lambda name: lowest[name])
        )
        blocks.append(Table(("micrograph", "particles", *tables), rows, f"{data}, over all ratios and seeds"))
    if not blocks:
        return None
    text = Text(
        f"The {WORST} test micrographs of each line with the lowest F1, pooled over ratios and seeds: F1 (right "
        "picks of all picks, mean of a training)."
    )
    return Section("Worst micrographs", (text, *blocks))


def count_picks(rows: Sequence[Row], data: str, line: str) -> dict[str, tuple[int, int, int, int]]:
    """Right picks, picks, particles and trainings of each test micrograph, summed over trainings."""
    table: dict[str, tuple[int, int, int, int]] = {}
    for row in rows:
        if (row["data"], row["line"]) == (data, line):
            for one in row.get("per_micrograph") or ():
                before = table.get(one["micrograph"], (0, 0, 0, 0))
                now = (one["true_positives"], one["picks"], one["truth"], 1)
                table[one["micrograph"]] = tuple(a + b for a, b in zip(before, now, strict=True))
    return table


def _order(table: Mapping[str, tuple[int, int, int, int]]) -> list[str]:
    """Worst first; those without a particle and a pick are not bad."""
    return sorted((name for name, counts in table.items() if counts[1] + counts[2]), key=lambda name: _f1(table[name]))


def _f1(counts: tuple[int, int, int, int]) -> float:
    hits, picks, truth, _ = counts
    return 2 * hits / (picks + truth) if picks + truth else 1.0


def _say(counts: tuple[int, int, int, int] | None) -> str:
    if counts is None:
        return "–"
    hits, picks, _, trainings = counts
    return f"{_f1(counts):.2f} ({hits / trainings:.0f} of {picks / trainings:.0f})"
