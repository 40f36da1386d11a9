"""Write docs/standing.md, docs/scale.md and the README's table of the standing comparison from their results files.

python benchmarks/write_standing.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import read_json_lines, write_text_atomically
from cryoglean.experiment.statistics.account import account_for
from cryoglean.experiment.statistics.grid import ORACLE, SUPERVISED, say_interval

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TWICE = "supervised_twice"
NAMES = {"globule": "simulated globule", "bgal": "β-galactosidase"}
ORDER = (TWICE, "pseudo_label", "class_balanced", "mean_teacher", "fixmatch", "recommended", ORACLE)
Found = dict[str, Any]

STANDING = """# The standing comparison

Written by `benchmarks/write_standing.py` from `benchmarks/results/standing_full.json` and `.jsonl`, which
`make bench-full` ([`benchmarks/standing.py`](../benchmarks/standing.py)) makes: {cells} cells, {hours:.1f} CPU-hours
with the supervised training that lines share counted in each. 5 % and 10 % of the training micrographs are labelled,
{seeds} draws of which; {steps} steps a training, on processors without fast bfloat16. The simulated set has 100
micrographs. β-galactosidase has ten, cut into quarters for this, and quarters of one micrograph are never on both sides
of test, validation and training. Every line learns from the same labels and is tested on the same micrographs, which
nothing was chosen on; two micrographs validate (of β-galactosidase the four quarters of one). The oracle has the labels
of all training micrographs, and no more steps. A line that uses unlabelled micrographs goes on from the supervised
network for as many steps again, so `supervised_twice`, the labels alone for twice the steps, is what it must be held
against.

A gain or a loss is said only where the 95 % interval over draws and test micrographs is on one side of 0; others are in
italics ([how](explain/statistics.md)). Where every round of a line was refused on validation, its network is the
supervised one, and the difference is 0 to the last digit.
"""

SCALE = """# How it scales

Written by `benchmarks/write_standing.py` from results in `benchmarks/results/`. Seconds of the clock on the two cores
of one machine, ratios within one run.
"""


def main() -> None:
    """Rewrite both pages and the README's table."""
    accounts = json.loads((RESULTS / "standing_full.json").read_text(encoding="utf-8"))
    rows = [dict(row) for row in read_json_lines(RESULTS / "standing_full.jsonl")]
    write_text_atomically(ROOT / "docs" / "standing.md", standing_page(accounts, rows))
    write_text_atomically(ROOT / "docs" / "scale.md", scale_page())
    readme = ROOT / "README.md"
    said = [*gains(accounts["f1"]), "", conclude(accounts), say_controlled(rows)]
    block = "\n".join(["<!-- standing -->", *said, "<!-- /standing -->"])
    old = readme.read_text(encoding="utf-8")
    write_text_atomically(readme, re.sub(r"<!-- standing -->.*<!-- /standing -->", lambda _: block, old, flags=re.S))


def standing_page(accounts: Found, rows: list[Found]) -> str:
    """All that the comparison says."""
    seconds = sum(row["train_cpu_seconds"] + row["pick_cpu_seconds"] for row in rows)
    steps = {row["steps"] for row in rows if row["line"] == SUPERVISED}
    parts = [
        STANDING.format(
            cells=len(rows), hours=seconds / 3600, seeds=len({row["seed"] for row in rows}),
            steps=" or ".join(map(str, sorted(steps))),
        ),
        "## F1\n", *gains(accounts["f1"]), "\n## Average precision\n", *gains(accounts["average_precision"]),
        "\n## Against as many steps on the labels alone: F1\n", *gains(controlled(rows, "f1")),
        "\n## Against as many steps on the labels alone: average precision\n",
        *gains(controlled(rows, "average_precision")), "\n## In words\n", conclude(accounts), "",
        say_controlled(rows), "", *bullets(said_of(accounts["f1"])),
        "\n## How many draws a difference of .01 in F1 takes\n",
        *bullets(one["sentence"] for one in accounts["f1"]["power"]),
        "\n## Labels saved\n", *bullets(one["sentence"] for one in accounts["f1"]["savings"]),
        "\n## Rounds of pseudo-labels\n", *rounds(rows), "\n## Cost\n", *costs(accounts["f1"]),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def controlled(rows: list[Found], measure: str) -> Found:
    """The same comparison with the labels alone for twice the steps as reference; lines with as many steps only."""
    fewer = [row for row in rows if row["line"] not in (SUPERVISED, ORACLE)]
    return dict(json.loads(json.dumps(account_for(fewer, TWICE, measure).to_json())))


def say_controlled(rows: list[Found]) -> str:
    """What is left of the gains beyond longer training."""
    told = []
    for measure, name in (("f1", "F1"), ("average_precision", "average precision")):
        found = controlled(rows, measure)["differences"]
        clear = [
            f"`{one['line']}` on {NAMES[one['data']]} at {100 * one['ratio']:g} % ({one['verdict']})"
            for one in found
            if one["verdict"] in ("gain", "loss")
        ]
        told.append(f"in {name} {', '.join(clear) if clear else 'nothing'}")
    return f"Against the labels alone for as many steps, what can be told apart is {'; '.join(told)}."


def said_of(account: Found) -> list[str]:
    """The ranking and the tests over all places."""
    return [account["ranking"]["sentence"], *(one["sentence"] for one in account["across"])]


def places(account: Found) -> list[tuple[str, float]]:
    """Data set and ratio, in order; simulated ones first."""
    found = {(one["data"], one["ratio"]) for one in account["differences"]}
    return sorted(found, key=lambda place: (list(NAMES).index(place[0]), place[1]))


def gains(account: Found) -> list[str]:
    """The table of lines against places."""
    by = {(one["data"], one["ratio"], one["line"]): one for one in account["differences"]}
    labelled = {
        (one["data"], point["ratio"]): point["labelled"] for one in account["curves"] for point in one["points"]
    }
    where = places(account)
    heads = [f"{NAMES[data]}, {100 * ratio:g} % ({labelled[data, ratio]})" for data, ratio in where]
    lines = sorted({one["line"] for one in account["differences"]}, key=ORDER.index)
    table = [f"| line | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    references = [f"{by[(*place, lines[0])]['reference_mean']:.3f}" for place in where]
    table.append(f"| {account['reference']} | {' | '.join(references)} |")
    rows = ((line, [gain(by[(*place, line)]) for place in where]) for line in lines)
    return table + [f"| {line} | {' | '.join(cells)} |" for line, cells in rows]


def gain(one: Found) -> str:
    """Such as `0.823, +0.012 [+0.002, +0.022]`."""
    text = f"{one['difference']:+.3f} {say_interval(one['interval'])}"
    return f"{one['line_mean']:.3f}, {text if one['verdict'] in ('gain', 'loss') else f'*{text}*'}"


def conclude(accounts: Found) -> str:
    """Who gains where, in a sentence each."""
    sentences = []
    for measure, name in (("f1", "F1"), ("average_precision", "average precision")):
        account = accounts[measure]
        told: dict[str, list[str]] = {}
        for one in sorted(account["differences"], key=lambda one: ORDER.index(one["line"])):
            if one["line"] != ORACLE:
                told.setdefault(one["line"], []).append(one["verdict"])
        count = len(places(account))
        gaining = [f"`{line}` in {verdicts.count('gain')}" for line, verdicts in told.items() if "gain" in verdicts]
        losing = [f"`{line}` in {verdicts.count('loss')}" for line, verdicts in told.items() if "loss" in verdicts]
        none = [f"`{line}`" for line, verdicts in told.items() if not {"gain", "loss"} & set(verdicts)]
        parts = [f"a gain for {', '.join(gaining)}"] if gaining else []
        parts += [f"a loss for {', '.join(losing)}"] if losing else []
        parts += [f"no detectable gain for {', '.join(none)}"] if none else []
        sentences.append(f"{name}, of {count} places: {'; '.join(parts)}.")
    oracle = [one for one in accounts["f1"]["differences"] if one["line"] == ORACLE]
    clear = [f"{NAMES[one['data']]} at {100 * one['ratio']:g} %" for one in oracle if one["verdict"] == "gain"]
    if clear:
        sentences.append(f"All labels (the oracle) bring a detectable gain in F1 on {', '.join(clear)} only.")
    else:
        sentences.append("Not even all labels (the oracle) bring a detectable gain in F1 at this length of training.")
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def bullets(sentences: Iterable[str]) -> list[str]:
    """A list."""
    return [f"- {sentence}" for sentence in sentences]


def rounds(rows: list[Found]) -> list[str]:
    """How many counted, and how good the pseudo-labels were."""
    table = ["| line | data | rounds | counted | precision | recall | pixels used |", "|---|---|---|---|---|---|---|"]
    for data in NAMES:
        for line in dict.fromkeys(row["line"] for row in rows):
            told = [one for row in rows if (row["data"], row["line"]) == (data, line) for one in row["rounds"]]
            if told:
                counted = sum(bool(one["counts"]) for one in told)
                means = (say_mean(told, name) for name in ("precision", "recall", "usage"))
                table.append(f"| {line} | {NAMES[data]} | {len(told)} | {counted} | {' | '.join(means)} |")
    return table


def say_mean(told: list[Found], name: str) -> str:
    """Of what is known."""
    values = [one[name] for one in told if one.get(name) is not None]
    return f"{np.mean(values):.3f}" if values else "–"


def costs(account: Found) -> list[str]:
    """CPU-seconds of each line, relative to the supervised one."""
    table = ["| line | data | ratio | F1 | CPU-seconds | times supervised |", "|---|---|---|---|---|---|"]
    own = {(one["data"], one["ratio"]): one["cpu_seconds"] for one in account["costs"] if one["line"] == SUPERVISED}
    for one in account["costs"]:
        times = one["cpu_seconds"] / own[one["data"], one["ratio"]]
        table.append(
            f"| {one['line']} | {NAMES[one['data']]} | {100 * one['ratio']:g} % | {one['score']:.3f} | "
            f"{one['cpu_seconds']:.0f} | {times:.1f} |"
        )
    return table


def scale_page() -> str:
    """Cells an hour, what the engine costs, twenty thousand micrographs."""
    parts = [SCALE]
    for file, write in (
        ("experiment_scaling", scaling), ("engine_overhead", engine), ("pick_many", picking),
        ("train_together", together),
    ):  # fmt: skip
        path = RESULTS / f"{file}.json"
        if path.exists():
            parts += write(json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(parts) + "\n"


def scaling(found: Found) -> list[str]:
    """Of experiments."""
    table = ["| way | cells | seconds | cells per hour | CPU-seconds in the cells |", "|---|---|---|---|---|"]
    for way, each in found["runs"].items():
        seconds = " / ".join(f"{one['seconds']:.0f}" for one in each)
        spent = " / ".join(f"{one['cpu_seconds_in_cells']:.0f}" for one in each)
        table.append(f"| {way} | {each[0]['cells']} | {seconds} | {found['cells_per_hour'][way]:.0f} | {spent} |")
    over = found["overhead_against_the_plain_loop"]
    said = "; ".join(f"{way}: {100 * value:+.1f} %" for way, value in over.items())
    return [
        "## Cells of an experiment\n",
        "Short trainings on simulated micrographs, start and end of all processes included "
        "(`benchmarks/experiment_scaling.py`), each way twice:\n",
        *table,
        f"\nTime against the plain loop: {said}. Two workers make {found['speed_of_2_workers_against_1']:.2f} times "
        f"the cells of one, {found['speed_of_2_workers_against_the_plain_loop']:.2f} times those of the plain loop.\n",
    ]  # fmt: skip


def engine(found: Found) -> list[str]:
    """Of one task."""
    table = [
        "| tasks | where | to the first outcome, s | a task, ms | of that the engine's, ms | end, s |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("no-op", "one second"):
        for where, one in found[name].items():
            whole, own = one["milliseconds_per_task"], one["overhead_milliseconds_per_task"]
            cells = (f"{one['start_seconds']:.1f}", f"{whole:.1f}", f"{whole if own is None else own:.1f}")
            table.append(f"| {one['tasks']} x {name} | {where} | {' | '.join(cells)} | {one['end_seconds']:.1f} |")
    return [
        "## What the engine costs a task\n",
        f"`benchmarks/engine_overhead.py`, load of the machine before it {found['load_before']:.1f}:\n", *table, "",
    ]  # fmt: skip


def picking(found: Found) -> list[str]:
    """Of many micrographs."""
    side = found["side_pixels"]
    table = [
        "| micrographs | how | skipped | seconds | a second | from the first on | peak MB, main process | workers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for count in sorted(int(key) for key in found if key.isdecimal()):
        for how, one in found[str(count)].items():
            workers = " / ".join(f"{value:.0f}" for value in one["peak_megabytes_workers"]) or "–"
            names = ("micrographs_per_second", "micrographs_per_second_from_the_first", "peak_megabytes_main")
            numbers = " | ".join(f"{one[name]:.0f}" for name in ("skipped", "seconds", *names))
            table.append(f"| {count:,} | {how} | {numbers} | {workers} |")
    return [
        "## Many micrographs\n",
        f"{side} x {side} pixels, one view, one file in a hundred cut off (`benchmarks/pick_many.py`; load of the "
        f"machine before it {found['load_before']:.1f}). The file of picks is the same, byte for byte, in every row of "
        "a count, and the skipped micrographs are exactly the broken ones:\n",
        *table, "",
    ]  # fmt: skip


def together(found: Found) -> list[str]:
    """Of one training in several processes."""
    table = ["| processes | seconds a step | seconds in all |", "|---|---|---|"]
    for name, one in found["runs"].items():
        table.append(f"| {name} | {one['seconds_per_step']:.3f} | {one['seconds']:.0f} |")
    return [
        "## One training in several processes\n",
        f"`torchrun`, on processors (`benchmarks/train_together.py`): {found['micro_steps']} micro-steps a step. Two "
        f"processes make a step in {found['step_of_2_against_1']:.2f} of the time of one; F1 on validation is "
        f"{found['f1']['1']:.3f} and {found['f1']['2']:.3f}.\n",
        *table, "",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
