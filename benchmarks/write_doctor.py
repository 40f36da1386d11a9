"""Write docs/doctor.md from benchmarks/results/doctor.jsonl and doctor_overhead.json.

python benchmarks/write_doctor.py
"""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryoglean.durable import read_json_lines, write_text_atomically
from doctor_faults import RESULTS

ROOT = Path(__file__).resolve().parents[1]
OVERHEAD = ROOT / "benchmarks" / "results" / "doctor_overhead.json"
Row = dict[str, Any]
INTRODUCTION = """# How often the doctor is right

Written by `benchmarks/write_doctor.py` from `benchmarks/results/doctor.jsonl`, which `benchmarks/doctor_faults.py` fills. Each
fault is planted in sound data (simulated unless said otherwise) or in a sound training of 100 to 150 steps; it counts as found if
a check named for it reports it as a warning or an error. A sound case is a false alarm if anything above a note is reported.
The limits of the checks were set on these simulated molecules and on the real sets before training; so the tables say that
each check does what it is for, and less about data of another kind. [What the doctor does](explain/doctor.md).
"""


def main() -> None:
    """Rewrite the page."""
    latest: dict[tuple[str, str], Row] = {(row["case"], row["group"]): dict(row) for row in read_json_lines(RESULTS)}
    rows = list(latest.values())
    faults = [row for row in rows if row["group"] not in ("healthy", "fix", "notes")]
    healthy, fixes = ([row for row in rows if row["group"] == group] for group in ("healthy", "fix"))
    notes = [row for row in rows if row["group"] == "notes"]
    parts = [
        INTRODUCTION,
        _count(faults, healthy, fixes),
        _faults(faults),
        _healthy(healthy),
        _fixes(fixes),
        _notes(notes),
        _overhead(),
    ]
    write_text_atomically(ROOT / "docs" / "doctor.md", "\n".join(filter(None, parts)))


def _count(faults: list[Row], healthy: list[Row], fixes: list[Row]) -> str:
    found, quiet, back = (sum(row["is_right"] for row in some) for some in (faults, healthy, fixes))
    return (
        f"**{found} of {len(faults)} faults found, {len(healthy) - quiet} of {len(healthy)} sound cases with a false alarm, "
        f"{back} of {len(fixes)} mended trainings back within 0.02 average precision of the sound one.**\n"
    )


def _faults(rows: list[Row]) -> str:
    parts = ["## Planted faults", "", "| fault | about | found | by | also said |", "|---|---|---|---|---|"]
    for row in rows:
        by = [name for name in row["expected"] if name in row["findings"]]
        also = [name for name in row["findings"] if name not in row["expected"]]
        parts.append(
            f"| {row['case']} | {row['group']} | {_yes(row)} | {', '.join(by) or '–'} | {', '.join(also) or '–'} |"
        )
    return "\n".join([*parts, ""])


def _healthy(rows: list[Row]) -> str:
    parts = ["## Sound cases", "", "| case | silent | said | notes |", "|---|---|---|---|"]
    parts += [
        f"| {row['case']} | {_yes(row)} | {', '.join(row['findings']) or '–'} | {', '.join(row['notes']) or '–'} |"
        for row in rows
    ]
    return "\n".join([*parts, ""])


def _fixes(rows: list[Row]) -> str:
    if not rows:
        return ""
    parts = ["## What `--fix` mends", "",
             "Trained with the fault, then with the settings that `--fix` writes and nothing else changed, and the sound training of",
             "the same strategy; average precision / F1 on three test micrographs, one seed. `–`: the training was refused. Faults that",
             "did no harm at this size are here, too: what is mended is then no better.", "",
             "| fault | with it | mended | sound | back within 0.02 | changed |", "|---|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        cells = [_both(row[name]) for name in ("before", "mended", "sound")]
        changed = ", ".join(f"`{name}`" for name in row["changed"]) or "nothing"
        parts.append(f"| {row['case']} | {' | '.join(cells)} | {_yes(row)} | {changed} |")
    return "\n".join([*parts, ""])


def _notes(rows: list[Row]) -> str:
    if not rows:
        return ""
    parts = ["## The source notes' own settings", "",
             "Their configuration on sound data; what the doctor names, the worst first (errors and warnings)."]  # fmt: skip
    for row in rows:
        parts += ["", f"**{row['case']}**", ""]
        parts += [
            f"- {one['severity']} `{one['check']}`: {one['symptom']}. Likely: {one['cause']}." for one in row["all"]
        ]
    return "\n".join([*parts, ""])


def _overhead() -> str:
    if not OVERHEAD.exists():
        return ""
    found = json.loads(OVERHEAD.read_text(encoding="utf-8"))
    parts = ["## What watching costs", "",
             "CPU-seconds of a watched training relative to the same training with `monitor.every=0`, in turns in one run",
             "(`benchmarks/doctor_overhead.py`); median and range over turns. The default is every 50 steps; what that costs follows",
             "more surely from every 5 (last column: a tenth of it).", "",
             "| training | a look every | turns | overhead | range | of the default |", "|---|---|---|---|---|---|"]  # fmt: skip
    for row in found:
        low, high = (f"{100 * (row[name] - 1):+.1f} %" for name in ("low", "high"))
        share = 100 * (row["median"] - 1) * row["every"] / 50
        parts.append(
            f"| {row['strategy']} | {row['every']} steps | {row['pairs']} | {100 * (row['median'] - 1):+.1f} % | {low} to {high} | {share:+.1f} % |"
        )
    return "\n".join([*parts, ""])


def _yes(row: Row) -> str:
    return "yes" if row["is_right"] else "**no**"


def _both(scores: dict[str, float] | None) -> str:
    return "–" if scores is None else f"{scores['average_precision']:.3f} / {scores['f1']:.3f}"


if __name__ == "__main__":
    main()
