"""Write docs/strategies.md and README's table of strategies from the files in benchmarks/results/.

python benchmarks/write_strategies.py
"""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from cryoglean.durable import read_json_lines, write_text_atomically
from semi_data import REAL, SIMULATED

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Row = dict[str, Any]
NAMES = {
    "bgal_quarter": "β-galactosidase, a quarter of one micrograph",
    "apoferritin_k0.05": "apoferritin k = 0.05, one micrograph",
    "apoferritin_k0.1": "apoferritin k = 0.1, one micrograph",
    "simulated_globule": "simulated globule, 1 of 20",
    "simulated_tetramer": "simulated tetramer, 1 of 20",
}
INTRODUCTION = """# Strategies, compared

Written by `benchmarks/write_strategies.py` from `benchmarks/results/strategies_*.jsonl`, which `benchmarks/strategies.py`
fills (`recommended`: 400 steps a training). A seed draws who is labelled, too: one micrograph (β-galactosidase: a quarter of one) is labelled, two validate,
4 (simulated: 19) are unlabelled, 3 (simulated: 6) are tested; nobody has two roles. Each training, of each line, has the
same number of steps and of labelled crops a step, the same variation, averaged weights, eight test-time views and
threshold rule; a strategy with rounds has one training more a round, so that "supervised, twice the steps" is there to
compare with. The oracle has the labels of the unlabelled micrographs as well. Intervals are 95 % of the mean paired
difference to the supervised line over seeds (Student's t); seeds share micrographs, so they are somewhat too narrow.
An interval in italics contains 0: no detectable gain. One thread, CPU-seconds, on a machine that was busy.
"""


def main() -> None:
    """Rewrite the page and the README's table."""
    plans = {name: [dict(row) for row in read_json_lines(RESULTS / f"strategies_{name}.jsonl")] for name in PLANS}
    text = INTRODUCTION + "".join("\n" + write(plans[name]) for name, write in PLANS.items() if plans[name])
    text += "\n" + write_label_free()
    write_text_atomically(ROOT / "docs" / "strategies.md", text)
    if plans["recommended"]:
        readme = ROOT / "README.md"
        block = "\n".join(
            ["<!-- strategies -->", *gap_table(plans["recommended"], is_short=True), "<!-- /strategies -->"]
        )
        old = readme.read_text(encoding="utf-8")
        write_text_atomically(
            readme, re.sub(r"<!-- strategies -->.*<!-- /strategies -->", lambda _: block, old, flags=re.S)
        )


WORDS = """"Recommended" is what the command gives: the second training unless it did harm on validation, else the first. It has seen twice the steps
of the supervised line; so "beyond longer training" is the gain of the second training, whatever validation said, over going
on for as many steps on the labels alone: what the unlabelled micrographs themselves are worth. The oracle has the steps of
the supervised line.
"""


def write_recommended(rows: list[Row]) -> str:
    """Supervised, recommended, oracle, and the share of the gap."""
    return "\n".join(["## The recommended strategy", "", WORDS, *gap_table(rows), "", *per_seed(rows), ""])


def accept(rows: list[Row], data: str) -> dict[int, Row]:
    """What the accept rule makes of rounds that were all carried out."""
    first, second = by_seed(rows, data, "supervised"), by_seed(rows, data, "recommended, counting always")
    return {seed: second[seed] if is_kept(second[seed]) else first[seed] for seed in sorted(set(first) & set(second))}


def accept_gain(rows: list[Row], data: str) -> dict[int, Row]:
    """What the rule of the other strategies would make of them: only a gain of more than one standard error counts."""
    first, second = by_seed(rows, data, "supervised"), by_seed(rows, data, "recommended, counting always")
    return {seed: second[seed] if is_clear(second[seed]) else first[seed] for seed in sorted(set(first) & set(second))}


def is_kept(row: Row) -> bool:
    """Whether the round of a cell did no harm of more than a standard error on validation."""
    return bool(row["rounds"]) and all(one["gain"] >= -one["gain_standard_error"] for one in row["rounds"])


def is_clear(row: Row) -> bool:
    """Whether the round of a cell gained more than a standard error on validation."""
    return bool(row["rounds"]) and all(one["gain"] > one["gain_standard_error"] for one in row["rounds"])


def gap_table(rows: list[Row], *, is_short: bool = False) -> list[str]:
    """One row a set."""
    head = ["set", "draws", "supervised F1 / AP", "recommended F1 / AP", "oracle F1 / AP", "gain in F1 [95 %]",
            "gain in AP [95 %]", "AP gap closed", "counted", "AP beyond longer training [95 %]"]  # fmt: skip
    more = ["counting only clear gains: gain in AP [95 %]"]
    columns = head if is_short else [*head, *more]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for data in (*REAL, *SIMULATED):
        base, oracle, chosen = by_seed(rows, data, "supervised"), by_seed(rows, data, "oracle"), accept(rows, data)
        always, alone = (
            by_seed(rows, data, name) for name in ("recommended, counting always", "continued on labels alone")
        )
        seeds = sorted(set(base) & set(oracle) & set(chosen))
        if not seeds:
            continue
        f1, ap = (paired(chosen, base, seeds, key) for key in ("f1", "average_precision"))
        gap = float(paired(oracle, base, seeds, "average_precision").mean())
        closed = f"{100 * ap.mean() / gap:.0f} % of {gap:+.3f}" if gap > 0.005 else f"gap {gap:+.3f}: none to close"
        counted = f"{sum(is_kept(always[seed]) for seed in seeds)} of {len(seeds)}"
        both_seeds = sorted(set(always) & set(alone) & set(seeds))
        cells = [NAMES[data], str(len(seeds)), both(base, seeds), both(chosen, seeds), both(oracle, seeds), interval(f1),
                 interval(ap), closed, counted, interval(paired(always, alone, both_seeds, "average_precision"))]  # fmt: skip
        if not is_short:
            cells.append(interval(paired(accept_gain(rows, data), base, seeds, "average_precision")))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def per_seed(rows: list[Row]) -> list[str]:
    """Every draw's own numbers, so that nobody needs to trust a mean."""
    names = ("supervised", "recommended, counting always", "continued on labels alone", "oracle")
    lines = ["<details><summary>Every draw: F1 / AP</summary>", "", f"| set | draw | {' | '.join(names)} | validation gain |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for data in (*REAL, *SIMULATED):
        of = {line: by_seed(rows, data, line) for line in names}
        for seed in sorted(of["supervised"]):
            cells = [both(of[line], [seed]) if seed in of[line] else "–" for line in names]
            told = of[names[1]].get(seed, {"rounds": []})["rounds"]
            gain = f"{told[0]['gain']:+.3f} ± {told[0]['gain_standard_error']:.3f}" if told else "–"
            lines.append(f"| {data} | {seed} | {' | '.join(cells)} | {gain} |")
    return [*lines, "", "</details>"]


def write_table(rows: list[Row]) -> str:
    """All cards on two sets."""
    parts = ["## All strategies, 100 steps a training", "",
             "Gain of the round: in average precision on validation, mean over seeds, before it is decided whether the",
             "round counts; where it does not, the supervised network is the result. Recall at 0.5: of the test picks",
             "with the score 0.5 or more, as the notes cut. Relative recall: on validation, at the chosen threshold,",
             "divided by that of the supervised line.", ""]  # fmt: skip
    for data in dict.fromkeys(row["set"] for row in rows):
        some = [row for row in rows if row["set"] == data]
        base = by_seed(some, data, "supervised")
        cold = by_seed(some, data, "supervised, random start")
        parts += [f"### {NAMES[data]}", "",
                  "| strategy | F1 | AP | gain in AP over supervised [95 %] | gain of its round | rounds counted "
                  "| relative recall | recall at 0.5 | CPU-s a 100 steps | seeds |",
                  "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
        names = dict.fromkeys(row["line"] for row in some)
        for line in sorted(names, key=lambda name: (name != "oracle", not name.startswith("supervised"), name)):
            reference = cold if line.endswith("random start") and cold else base
            parts.append(card_row(line, by_seed(some, data, line), reference))
        parts.append("")
    return "\n".join(parts)


def card_row(line: str, own: dict[int, Row], base: dict[int, Row]) -> str:
    """One strategy on one set."""
    seeds = sorted(set(own) & set(base))
    if not seeds:
        return f"| {line} | – | – | – | – | – | – | – | – | 0 |"
    ap = paired(own, base, seeds, "average_precision")
    rounds = [one for seed in seeds for one in own[seed]["rounds"]]
    first = [one["gain"] for seed in seeds for one in own[seed]["rounds"][:1]]
    gain = f"{np.mean(first):+.3f}" if first else "–"
    recall = np.mean([own[s]["validation_recall"] / max(base[s]["validation_recall"], 1e-6) for s in seeds])
    half = np.mean([own[s]["recall_at_half"] or 0.0 for s in seeds])
    cost = np.mean([100 * own[s]["train_cpu_seconds"] / max(own[s]["steps_run"], 1) for s in seeds])
    counted = f"{sum(one['counts'] for one in rounds)} of {len(rounds)}" if rounds else "–"
    change = "–" if line.startswith("supervised") and own is base else interval(ap)
    return (f"| {line} | {mean(own, seeds, 'f1')} | {mean(own, seeds, 'average_precision')} | {change} | {gain} | {counted} "
            f"| {recall:.2f} | {half:.2f} | {cost:.1f} | {len(seeds)} |")  # fmt: skip


def write_collapse(rows: list[Row]) -> str:
    """The notes' failure."""
    parts = ["## The notes' failure", "",
             "Apoferritin k = 0.05, one labelled, 300 steps a training from a random start, unlabelled crops weighing 12 times as",
             "much as labelled ones (the notes had 3,083 pseudo-labelled pictures for 258); every round counts. Recall, precision",
             "and F1 of the test picks at a score of 0.5, as the notes cut, beside F1 at the threshold chosen on validation, which",
             "hides much of it. At equal weights, as in the table above, nothing collapses.", "",
             "| strategy | recall at 0.5 | precision at 0.5 | F1 at 0.5 | F1 | AP | relative recall on validation | draws |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for line in dict.fromkeys(row["line"] for row in rows):
        own, base = (by_seed(rows, "apoferritin_k0.05", name) for name in (line, "supervised"))
        seeds = sorted(set(own) & set(base))
        recall = np.mean([own[s]["validation_recall"] / max(base[s]["validation_recall"], 1e-6) for s in seeds])
        keys = ("recall_at_half", "precision_at_half", "f1_at_half", "f1", "average_precision")
        clean = {s: {key: own[s][key] or 0.0 for key in keys} for s in seeds}
        cells = [mean(clean, seeds, key) for key in keys]
        parts.append(f"| {line} | {' | '.join(cells)} | {recall:.2f} | {len(seeds)} |")
    return "\n".join([*parts, ""])


def write_ablation(rows: list[Row]) -> str:
    """Recommended with one part out at a time."""
    parts = ["## What the recommended strategy is made of", "",
             "One part changed at a time, the second training counting in any case, 200 steps each; difference in AP to",
             "`recommended`, paired over three draws.", ""]  # fmt: skip
    datasets = list(dict.fromkeys(row["set"] for row in rows))
    parts += [
        f"| change | {' | '.join(NAMES.get(data, data) for data in datasets)} | F1, all |",
        "|---" * (len(datasets) + 2) + "|",
    ]
    for line in dict.fromkeys(row["line"] for row in rows):
        if line == "recommended":
            continue
        cells, all_f1 = [], []
        for data in datasets:
            own, whole = by_seed(rows, data, line), by_seed(rows, data, "recommended")
            seeds = sorted(set(own) & set(whole))
            cells.append(interval(paired(own, whole, seeds, "average_precision")) if seeds else "–")
            all_f1 += list(paired(own, whole, seeds, "f1"))
        parts.append(f"| {line} | {' | '.join(cells)} | {np.mean(all_f1):+.3f} |" if all_f1 else f"| {line} | – | – |")
    return "\n".join([*parts, ""])


def write_start(rows: list[Row]) -> str:
    """General against random start, by number of labelled micrographs."""
    every = [*rows, *({**dict(row), "line": "general start", "labelled": 1}
                      for row in read_json_lines(RESULTS / "strategies_recommended.jsonl") if row["line"] == "supervised")]  # fmt: skip
    parts = ["## What the general start is worth", "",
             "| set | labelled | random start F1 / AP | general start F1 / AP | gain in F1 [95 %] | gain in AP [95 %] | seeds |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for data in (*REAL, *SIMULATED):
        for labelled in sorted({row["labelled"] for row in rows if row["set"] == data}):
            some = [row for row in every if row["labelled"] == labelled]
            general, cold = (by_seed(some, data, f"{start} start") for start in ("general", "random"))
            seeds = sorted(set(general) & set(cold))
            if seeds:
                f1, ap = (paired(general, cold, seeds, key) for key in ("f1", "average_precision"))
                parts.append(f"| {NAMES[data].split(',')[0]} | {labelled} | {both(cold, seeds)} | {both(general, seeds)} "
                             f"| {interval(f1)} | {interval(ap)} | {len(seeds)} |")  # fmt: skip
    return "\n".join([*parts, ""])


def write_topaz(rows: list[Row]) -> str:
    """Topaz fine-tuned on the same draws, beside the lines of the plan `recommended` and `start`."""
    ours = [dict(row) for row in read_json_lines(RESULTS / "strategies_recommended.jsonl")]
    more = [dict(row) for row in read_json_lines(RESULTS / "strategies_start.jsonl")]
    parts = ["## Beside Topaz, on the same draws", "",
             "Topaz's general model fine-tuned on the same labels, the epoch and the threshold chosen on the same validation",
             "micrographs. With 5 labelled micrographs cryoglean is the supervised line: the real sets have no unlabelled one left.", "",
             "| set | labelled | cryoglean F1 / AP | Topaz F1 / AP | ahead in F1 | seeds |", "|---|---|---|---|---|---|"]  # fmt: skip
    for data in (*REAL, *SIMULATED):
        for labelled in (1, 5):
            topaz = by_seed([row for row in rows if row["labelled"] == labelled], data, "Topaz")
            several = [row for row in more if row["labelled"] == labelled]
            own = accept(ours, data) if labelled == 1 else by_seed(several, data, "general start")
            seeds = sorted(set(topaz) & set(own))
            if seeds:
                ahead = paired(own, topaz, seeds, "f1")
                parts.append(f"| {NAMES[data].split(',')[0]} | {labelled} | {both(own, seeds)} | {both(topaz, seeds)} "
                             f"| {interval(ahead)} | {len(seeds)} |")  # fmt: skip
    return "\n".join([*parts, ""])


def write_label_free() -> str:
    """The general start without labels, beside a blob filter and Topaz's general model."""
    rows = json.loads((RESULTS / "general_label_free.json").read_text(encoding="utf-8"))
    topaz = {
        row["set"]: row["f1"]
        for row in read_json_lines(RESULTS / "against_topaz.jsonl")
        if row["method"] == "Topaz general"
    }
    parts = ["## The general start without any label", "",
             "F1 at its own threshold with its 95 % interval over ten micrographs, none of which it has seen, nor their molecules.",
             "The blob filter's size and threshold were tuned on the truth: it can't do better. Topaz's general model: threshold",
             "tuned on two labelled micrographs, scored on the other seven (`docs/against_topaz.md`).", "",
             "| set | general start | its best threshold | blob filter, tuned | Topaz general |", "|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        other = f"{topaz[row['set']]:.3f}" if row["set"] in topaz else "–"
        own = f"{row['f1']:.3f} [{row['f1_low']:.3f}, {row['f1_high']:.3f}]"
        parts.append(f"| {row['set']} | {own} | {row['best_f1']:.3f} | {row['blob_best_f1']:.3f} | {other} |")
    return "\n".join([*parts, ""])


def by_seed(rows: Sequence[Row], data: str, line: str) -> dict[int, Row]:
    """The rows of a line on a set."""
    return {row["seed"]: row for row in rows if row["set"] == data and row["line"] == line}


def paired(one: dict[int, Row], other: dict[int, Row], seeds: Sequence[int], key: str) -> np.ndarray:
    """(k,) differences, one a seed."""
    return np.array([one[seed][key] - other[seed][key] for seed in seeds])


def interval(values: np.ndarray) -> str:
    """The mean and its 95 % interval; in italics where that contains 0: no detectable gain."""
    if len(values) < 2:
        return f"{values.mean():+.3f}" if len(values) else "–"
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    text = f"{values.mean():+.3f} [{values.mean() - half:+.3f}, {values.mean() + half:+.3f}]"
    return f"*{text}*" if abs(values.mean()) <= half else text


def mean(rows: dict[int, Row], seeds: Sequence[int], key: str) -> str:
    """Mean and standard deviation over seeds."""
    values = np.array([rows[seed][key] for seed in seeds])
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}"


def both(rows: dict[int, Row], seeds: Sequence[int]) -> str:
    """Mean F1 / mean AP."""
    return " / ".join(f"{np.mean([rows[seed][key] for seed in seeds]):.3f}" for key in ("f1", "average_precision"))


def write_rule(rows: list[Row]) -> str:
    """When should a round count? On sets that are in no other comparison."""
    parts = ["## When a round should count", "",
             "On simulated sets that are in no other comparison (1 of 20 labelled, two validate), every round counting: what the",
             "rule of the other strategies (a gain of more than one standard error on validation) would have thrown away.", "",
             "| set | draw | supervised AP | second training AP | gain on test | gain on validation |", "|---|---|---|---|---|---|"]  # fmt: skip
    for data in sorted({row["set"] for row in rows}):
        first, second = by_seed(rows, data, "supervised"), by_seed(rows, data, "recommended, counting always")
        for seed in sorted(set(first) & set(second)):
            told = second[seed]["rounds"][0]
            before, after = first[seed]["average_precision"], second[seed]["average_precision"]
            parts.append(f"| {data} | {seed} | {before:.3f} | {after:.3f} | {after - before:+.3f} "
                         f"| {told['gain']:+.3f} ± {told['gain_standard_error']:.3f} |")  # fmt: skip
    return "\n".join([*parts, ""])


PLANS: dict[str, Callable[[list[Row]], str]] = {
    "recommended": write_recommended, "rule": write_rule, "table": write_table, "collapse": write_collapse, "ablation": write_ablation, "start": write_start,
    "topaz": write_topaz,
}  # fmt: skip

if __name__ == "__main__":
    main()
