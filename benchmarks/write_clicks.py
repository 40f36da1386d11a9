"""Write docs/clicks.md and README's table of clicks from benchmarks/results/clicks.jsonl.

python benchmarks/write_clicks.py
"""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from click_data import HUMAN
from clicks import LINES, RESULTS, SETS, STEPS
from cryoglean.durable import read_json_lines, write_text_atomically
from write_strategies import interval, paired

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]
NAMES = {
    "bgal": "β-galactosidase (EMPIAR-10017)", "apoferritin_k0.1": "apoferritin k = 0.1 (EMPIAR-10146, noisy)",
    "simulated_globule": "simulated globule", "simulated_tetramer": "simulated tetramer",
}  # fmt: skip
COUNTS = (20, 100, 500, HUMAN)
TOPAZ, OURS, COMPLETE = "Topaz GE-binomial", "pu_pseudo", "complete labels"
INTRODUCTION = f"""# From clicks, compared

Written by `benchmarks/write_clicks.py` from `benchmarks/results/clicks.jsonl`, which `benchmarks/clicks.py` fills. Clicks are
a random subset of the labels of half of the micrographs (10 real ones, 28 simulated), spread over them; a draw decides the
roles and the clicks. Two other micrographs, labelled completely, choose the threshold (for Topaz: and the epoch); three
(simulated: six) are tested; nobody has two roles. "Told a number": no validation micrographs, but the number of particles a
micrograph, to one digit. Topaz: its general model fine-tuned with GE-binomial, told the true number, with its error in the
prior corrected (`benchmarks/topaz_notes.md`). cryoglean: {STEPS} steps a training, half of the default. F1 / average
precision, mean over draws; ± is the standard deviation of F1. `pu_pseudo` has two trainings: compare it with the lines of twice
the steps, too (measured once, on another machine); where its second one did not count it is `nnpu`. Sets and counts have
different numbers of draws, in brackets: what is missing was not run. Topaz does not see clicked micrographs without a click. A
person's clicks are those of `manual_partial_pos_neg.csv` (only their positives). CPU-seconds of one thread, on a machine without
AVX-512 that was busy.
"""


def main() -> None:
    """Rewrite the page and README's table."""
    rows: list[Row] = [dict(row) for row in read_json_lines(RESULTS)]
    parts = [INTRODUCTION, _goal(rows), *(_table(rows, data) for data in SETS), _seconds(rows)]
    write_text_atomically(ROOT / "docs" / "clicks.md", "\n".join(parts))
    readme = ROOT / "README.md"
    block = "\n".join(["<!-- clicks -->", *_short(rows), "<!-- /clicks -->"])
    old = readme.read_text(encoding="utf-8")
    write_text_atomically(readme, re.sub(r"<!-- clicks -->.*<!-- /clicks -->", lambda _: block, old, flags=re.S))


def _some(rows: list[Row], data: str, line: str, count: int) -> dict[int, Row]:
    clicks = 0 if line.startswith(COMPLETE) else count
    return {row["seed"]: row for row in rows if (row["set"], row["line"], row["clicks"]) == (data, line, clicks)}


def _counts(rows: list[Row], data: str) -> list[int]:
    return [count for count in COUNTS if any(row["set"] == data and row["clicks"] == count for row in rows)]


def _said(count: int) -> str:
    return "a person's" if count == HUMAN else str(count)


def _both(some: dict[int, Row]) -> str:
    if not some:
        return "–"
    f1, precision = (np.array([row[key] for row in some.values()]) for key in ("f1", "average_precision"))
    spread = f" ± {f1.std(ddof=1):.3f}" if len(f1) > 1 else ""
    return f"{f1.mean():.3f}{spread} / {precision.mean():.3f} ({len(f1)})"


def _table(rows: list[Row], data: str) -> str:
    counts = _counts(rows, data)
    parts = [f"## {NAMES[data]}", "", "F1 / AP (draws):", "", f"| line | {' | '.join(f'{_said(count)} clicks' for count in counts)} |",
             "|---|" + "---|" * len(counts)]  # fmt: skip
    parts += [
        f"| {line} | {' | '.join(_both(_some(rows, data, line, count)) for count in counts)} |"
        for line in LINES
        if any(_some(rows, data, line, count) for count in counts)
    ]
    return "\n".join([*parts, ""])


def _goal(rows: list[Row]) -> str:
    """What `pu_pseudo` is ahead of, paired by draw."""
    parts = ["## The default with sparse labels, against the others", "",
             "Differences in F1 of `pu_pseudo`, paired by draw, with 95 % intervals (Student's t; in italics where they contain 0).",
             "", "| set | clicks | ahead of Topaz | ahead of unclicked as background | ahead of nnpu | ahead of ge_binomial | behind complete labels |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for data in SETS:
        for count in _counts(rows, data):
            own = _some(rows, data, OURS, count)
            cells = [
                _ahead(own, _some(rows, data, line, count))
                for line in (TOPAZ, "unclicked is background", "nnpu", "ge_binomial")
            ]
            complete = _ahead(_some(rows, data, COMPLETE, count), own)
            parts.append(f"| {NAMES[data].split(' (')[0]} | {_said(count)} | {' | '.join(cells)} | {complete} |")
    return "\n".join([*parts, ""])


def _ahead(one: dict[int, Row], other: dict[int, Row]) -> str:
    seeds = sorted(set(one) & set(other))
    return interval(paired(one, other, seeds, "f1")) if seeds else "–"


def _short(rows: list[Row]) -> list[str]:
    parts = [
        "| set | clicks | unclicked as background | Topaz | cryoglean | complete labels |",
        "|---|---|---|---|---|---|",
    ]
    for data in SETS:
        for count in _counts(rows, data):
            lines = ("unclicked is background", TOPAZ, OURS, COMPLETE)
            cells = [_mean(_some(rows, data, line, count), "f1") for line in lines]
            parts.append(f"| {NAMES[data]} | {_said(count)} | {' | '.join(cells)} |")
    return parts


def _mean(some: dict[int, Row], key: str, digits: int = 3) -> str:
    return f"{np.mean([row[key] for row in some.values()]):.{digits}f}" if some else "–"


def _seconds(rows: list[Row]) -> str:
    parts = ["## Time", "", "CPU-seconds of a training, and of picking one test micrograph (100 clicks):", "",
             f"| line | {' | '.join(NAMES[data].split(' (')[0] for data in SETS)} |", "|---|" + "---|" * len(SETS)]  # fmt: skip
    for line in [name for name in LINES if "twice" not in name]:
        some = [_some(rows, data, line, 100) for data in SETS]
        cells = [f"{_mean(one, 'train_cpu_seconds', 0)} / {_mean(one, 'pick_cpu_seconds', 2)}" for one in some]
        parts.append(f"| {line} | {' | '.join(cells)} |")
    return "\n".join([*parts, ""])


if __name__ == "__main__":
    main()
