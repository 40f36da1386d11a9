"""The table of lines for papers and programs: LaTeX, CSV, and JSON files as the source notes name them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cryoglean.experiment.page.outcome import Entry, Outcome
from cryoglean.experiment.page.wording import (
    NONE,
    say_cpu,
    say_difference,
    say_gap,
    say_interval_of,
    say_mean,
    say_verdict,
)
from cryoglean.experiment.statistics.differences import PairedDifference

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
_HEAD = r"Labelled & Line & Seeds & F1 & AP & $\Delta$F1 & 95\,\% interval & Verdict & Gap closed & CPU-s \\"


def escape_latex(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def make_latex(outcome: Outcome) -> str:
    """A table for each data set, with booktabs."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex_tables(outcome))


def _latex_tables(outcome: Outcome) -> Iterator[str]:
    for data in outcome.data:
        entries = [entry for entry in outcome.entries if entry.block.data == data]
        if not entries:
            continue
        caption = (
            f"{escape_latex(data)}: means over seeds on the test micrographs; differences to supervised with the same "
            r"labels, seed by seed."
        )
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            r"\begin{tabular}{rlrrrrlllr}",
            r"\toprule",
        ]
        lines += [_HEAD]
        before = None
        for entry in entries:
            lines += [r"\midrule"] if entry.block != before else []
            lines.append(_latex_row(entry, is_first=entry.block != before))
            before = entry.block
        yield "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _latex_row(entry: Entry, *, is_first: bool) -> str:
    numbers = (say_mean(entry.f1), say_mean(entry.average_precision))
    ratio = rf"{100 * entry.block.ratio:g}\,\%" if is_first else ""
    cells = (
        ratio, escape_latex(entry.line), str(len(entry.f1)), *map(_math, numbers),
        _math(say_difference(entry.difference)), _math(say_interval_of(entry.difference)),
        escape_latex(say_verdict(entry)),
        _math(say_gap(entry.gap).replace(" %", r"\,\%").replace("[", r"\ [")),
        _math(say_cpu(entry.cpu_seconds)),
    )  # fmt: skip
    return " & ".join(cells) + r" \\"


def _math(text: str) -> str:
    """Numbers with a true minus; a dash where there is none."""
    return "--" if text == NONE else f"${text}$"


def make_csv(outcome: Outcome) -> str:
    """A row for each line in each data set and ratio, in full digits; empty where there is no number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = [_plain(entry) for entry in outcome.entries]
    writer.writerow(COLUMNS)
    writer.writerows([["" if row[name] is None else row[name] for name in COLUMNS] for row in rows])
    return out.getvalue()


COLUMNS = (
    "data", "ratio", "labelled", "line", "seeds",
    "f1", "f1_deviation", "f1_difference", "f1_difference_low", "f1_difference_high", "f1_verdict",
    "average_precision", "average_precision_deviation", "average_precision_difference",
    "average_precision_difference_low", "average_precision_difference_high", "average_precision_verdict",
    "gap_closed", "gap_closed_low", "gap_closed_high", "cpu_seconds",
)  # fmt: skip
"""Of `table.csv`."""


def _plain(entry: Entry) -> dict[str, Any]:
    gap = entry.gap
    low, high = (None, None) if gap is None or gap.interval is None else gap.interval
    return {
        "data": entry.block.data, "ratio": entry.block.ratio, "labelled": entry.labelled, "line": entry.line,
        "seeds": len(entry.f1),
        **_measure("f1", entry.f1, entry.difference),
        **_measure("average_precision", entry.average_precision, entry.precision_difference),
        "gap_closed": None if gap is None else gap.share, "gap_closed_low": low, "gap_closed_high": high,
        "cpu_seconds": entry.cpu_seconds,
    }  # fmt: skip


def _measure(name: str, by_seed: Mapping[int, float], found: PairedDifference | None) -> dict[str, Any]:
    values = list(by_seed.values())
    low, high = (None, None) if found is None or found.interval is None else found.interval
    return {
        name: float(np.mean(values)) if values else None,
        f"{name}_deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        f"{name}_difference": None if found is None else found.difference,
        f"{name}_difference_low": low, f"{name}_difference_high": high,
        f"{name}_verdict": None if found is None else found.verdict,
    }  # fmt: skip


def make_notes(outcome: Outcome) -> dict[str, Any]:
    """Files by name: `DATA/LINE_ratio_5.json`, mean over seeds and each seed; `DATA/LINE_summary.json`, all ratios."""
    files: dict[str, Any] = {}
    for entry in outcome.entries:
        content = _plain(entry) | {"per_seed": _seeds(outcome, entry)}
        start = f"{entry.block.data}/{entry.line}"
        files[f"{start}_ratio_{100 * entry.block.ratio:g}.json"] = content
        summary = files.setdefault(
            f"{start}_summary.json", {"data": entry.block.data, "line": entry.line, "ratios": []}
        )
        summary["ratios"].append(content)
    return files


_PER_SEED = (
    "seed", "f1", "precision", "recall", "best_f1", "average_precision", "threshold", "train_cpu_seconds",
    "pick_cpu_seconds", "key",
)  # fmt: skip


def _seeds(outcome: Outcome, entry: Entry) -> list[dict[str, Any]]:
    rows = [outcome.results.row(entry.block, seed, entry.line) for seed in outcome.results.seeds(entry.block)]
    return [{name: row.get(name) for name in _PER_SEED} for row in rows if row is not None]
