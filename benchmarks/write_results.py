"""Write the tables of README.md and docs/against_topaz.md from the files in benchmarks/results/.

python benchmarks/write_results.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryoglean.durable import read_json_lines, write_text_atomically

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Row = dict[str, object]
_FIGURES = (
    ("F1", "f1", 3),
    ("AP", "average_precision", 3),
    ("train CPU-s", "train_cpu_seconds", 0),
    ("pick CPU-s / micrograph", "pick_cpu_seconds", 2),
    ("train MB", "train_memory_mb", 0),
    ("pick MB", "pick_memory_mb", 0),
)
_NAMES = {
    "bgal_10017": "β-galactosidase (EMPIAR-10017)",
    "apoferritin_k0.05": "apoferritin k = 0.05 (EMPIAR-10146, very noisy)",
    "apoferritin_k0.1": "apoferritin k = 0.1 (EMPIAR-10146, noisy)",
    "simulated_globule": "simulated globule",
    "simulated_tetramer": "simulated tetramer",
}
_INTRODUCTION = """# cryoglean beside Topaz

Written by `benchmarks/write_results.py` from `benchmarks/results/against_topaz.jsonl`, which
`benchmarks/against_topaz.py` fills (`make topaz` installs Topaz in an environment of its own).

Same labels, same validation micrographs for the threshold (Topaz: also for the epoch), same test micrographs, same
scoring (one-to-one, half a diameter; border and, for β-galactosidase, ignore points left out), same machine, one
thread each. With 1, 2 and 5 labelled micrographs there are 7, 6 and 3 test micrographs. Topaz 0.3.20 is fine-tuned from
its own `resnet8` weights for 4 x 50 iterations of 128 crops, the shortest schedule at which it was saturated on
β-galactosidase; its defaults (10 x 1,000 x 256) would take about 100 times longer. How and why:
`benchmarks/topaz_notes.md`. CPU-seconds are those of the whole process, imports and reading included; Topaz's
preprocessing is not counted. ± is the standard deviation over repeats (seeds); a cell without it was run once.
"supervised" starts from random
weights, "general start" from the network trained on simulated molecules (the default of `cryoglean train`).
"""


def main() -> None:
    """Rewrite both tables."""
    rows = [dict(row) for row in read_json_lines(RESULTS / "against_topaz.jsonl")]
    table = _INTRODUCTION + "\n" + "\n".join([*make_full_table(rows), *make_ratio_table(rows)]) + "\n"
    write_text_atomically(ROOT / "docs" / "against_topaz.md", table)
    readme = ROOT / "README.md"
    text = re.sub(
        r"<!-- results -->.*<!-- /results -->",
        lambda _: "\n".join(["<!-- results -->", *make_short_table(rows), "", *say_speed(), "<!-- /results -->"]),
        readme.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    write_text_atomically(readme, text)


def make_full_table(rows: Sequence[Row]) -> list[str]:
    """A line for each set, budget and method."""
    lines = [
        f"| set | labelled | method | {' | '.join(title for title, _, _ in _FIGURES)} | runs |",
        f"|---|---|---|{'---|' * (len(_FIGURES) + 1)}",
    ]
    keys = sorted({(str(row["set"]), int(str(row["labelled"])), str(row["method"])) for row in rows})
    for name, labelled, method in keys:
        same = _select(rows, name, labelled, method)
        figures = [_mean(same, key, digits) for _, key, digits in _FIGURES]
        lines.append(f"| {_NAMES[name]} | {labelled} | {method} | {' | '.join(figures)} | {len(same)} |")
    return lines


def make_short_table(rows: Sequence[Row]) -> list[str]:
    """F1 by set and number of labelled micrographs, cryoglean against Topaz."""
    lines = [
        "F1 on micrographs never seen, by number of labelled micrographs. cryoglean starts from its network trained on",
        "simulated molecules (the default), Topaz from its own pretrained network:",
        "",
        "| set | 1: cryoglean | 1: Topaz | 2: cryoglean | 2: Topaz | 5: cryoglean | 5: Topaz |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in _NAMES.items():
        cells = [
            _mean(_select(rows, name, labelled, method), "f1", 3)
            for labelled in (1, 2, 5)
            for method in ("cryoglean general start", "Topaz fine-tuned")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    general = [_mean(_select(rows, name, 0, "Topaz general"), "f1", 3) for name in ("bgal_10017", "apoferritin_k0.05")]
    found = json.loads((RESULTS / "general_label_free.json").read_text(encoding="utf-8"))
    ours = next(f"{row['f1']:.3f}" for row in found if row["set"] == "bgal_10017")
    return [
        *lines,
        "",
        f"Without any label, on β-galactosidase: cryoglean's general start {ours}, Topaz's general model {general[0]}.",
        "Random start, precision, time and memory: [docs/against_topaz.md](docs/against_topaz.md).",
    ]


def make_ratio_table(rows: Sequence[Row]) -> list[str]:
    """How many times faster than Topaz, with one labelled micrograph."""
    lines = [
        "",
        "## Times faster than Topaz, one labelled micrograph",
        "",
        "Training: CPU-seconds of `topaz train` over those of `cryoglean train`, which also validates and chooses",
        "the threshold. With choosing: Topaz's four epochs extracted from two validation micrographs added, from the",
        "rates of `benchmarks/pick_rates.py`. Picking: CPU-seconds per micrograph without the start of the program,",
        "eight views and reading included, Topaz's preprocessing not counted. cryoglean from its general start.",
        "",
        "| set | training | training with choosing | picking |",
        "|---|---|---|---|",
    ]
    for row in read_json_lines(RESULTS / "pick_rates.jsonl"):
        theirs, ours = (
            _select(rows, row["set"], 1, method) for method in ("Topaz fine-tuned", "cryoglean general start")
        )
        if not theirs or not ours:
            continue
        own = float(np.mean([float(str(one["train_cpu_seconds"])) for one in ours]))
        train = float(np.mean([float(str(one["train_cpu_seconds"])) for one in theirs]))
        choosing = 4 * (row["topaz"]["start"] + row["topaz"]["per_micrograph"])
        ratios = (train / own, (train + choosing) / own, row["ratio"])
        lines.append(f"| {_NAMES[row['set']]} | {' | '.join(f'{ratio:.1f}' for ratio in ratios)} |")
    return lines


def say_speed() -> list[str]:
    """Throughput and memory in a sentence."""
    file = RESULTS / "pick_throughput.json"
    if not file.exists():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    return [
        f"Picking a 4096 x 4096 micrograph takes {found['large']['total']:.2f} CPU-seconds, reading and eight views "
        f"included. {found['many']['micrographs']:,} micrographs of 512 x 512 took "
        f"{found['cpu_seconds_per_micrograph']:.3f} CPU-seconds each, with {found['memory_ratio']:.2f} times the peak "
        f"memory of {found['few']['micrographs']} ({found['many']['peak_memory_mb']:.0f} MB).",
    ]


def _select(rows: Sequence[Row], name: str, labelled: int, method: str) -> list[Row]:
    return [row for row in rows if (row["set"], row["labelled"], row["method"]) == (name, labelled, method)]


def _mean(rows: Sequence[Row], key: str, digits: int) -> str:
    values = [float(str(row[key])) for row in rows if row.get(key) is not None]
    if not values:
        return "–"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main()
