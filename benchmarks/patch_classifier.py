"""The patch classifier over the steps: the gate's baseline, nnPU, FixMatch + PU, and the notes' settings.

    python benchmarks/patch_classifier.py                  # resumable; finished cells are kept
    python benchmarks/patch_classifier.py --write          # the figure and the table of docs/explain/patches.md

All lines have the same 100 clicks, the same two completely labelled validation micrographs, `small_cnn_patch` from a
random start, crops of 49 pixels, 64 of each kind a batch, the same number of crops a training; `fixmatch_pu` has two
trainings, so the baseline is there with twice the steps, too. Beside them is the dense network, `lean`, with its usual
crops. The gate is measured but open, so that it is seen what would have come. CPU-seconds of one thread.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import numpy as np

from click_data import Clicks, draw_clicks
from cryoglean.durable import append_json_line, read_json_lines, write_text_atomically
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.picking import load_picker
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.recipe import Recipe, read_recipe
from cryoglean.run import Run
from cryoglean.settings import Settings, choose_settings

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "patch_classifier.jsonl"
PAGE, FIGURE = ROOT / "docs" / "explain" / "patches.md", ROOT / "docs" / "explain" / "patch_classifier.png"
SETS, CLICKS, STEPS, TELL_EVERY = ("bgal", "apoferritin_k0.1"), 100, 300, 10
NAMES = {"bgal": "β-galactosidase", "apoferritin_k0.1": "apoferritin k = 0.1"}
BASELINE, DENSE = "gate baseline", "nnpu, dense network"
Row = dict[str, Any]

LINES: dict[str, tuple[str, tuple[str, ...]]] = {
    BASELINE: ("fixmatch_pu", ()),
    f"{BASELINE}, twice the steps": ("fixmatch_pu", (f"learn.steps={2 * STEPS}", "learn.validate_every=50")),
    "nnpu": ("fixmatch_pu", ("strategy=nnpu",)),
    "fixmatch_pu": ("fixmatch_pu", ()),
    "fixmatch_pu, no pseudo-labels": ("fixmatch_pu", ("unlabelled.weight=0",)),
    DENSE: ("standard", ("strategy=nnpu", "labels.kind=sparse")),
    "notes, debugged": ("fixmatch_pu_debugged", ()),
    "notes, fixed_v2": ("fixmatch_pu_fixed_v2", (f"learn.steps={STEPS // 4}", "learn.validate_every=6")),
    "notes, debugged, our learning rate": (
        "fixmatch_pu_debugged",
        ("learn.learning_rate=0.003", "learn.ema_decay=0.99"),
    ),
}
"""A preset and what is changed in it."""


def choose(line: str, seed: int) -> Settings:
    """The settings of a line."""
    preset, changes = LINES[line]
    common = [f"learn.steps={STEPS}", "learn.validate_every=25", "learn.start=random"]
    common += [] if line == DENSE else ["model.name=small_cnn_patch"]
    return choose_settings(preset=preset, fixed={"seed": seed}, assignments=[*common, *changes])


def run_cell(where: Clicks, line: str, seed: int) -> Row:
    """Train, pick the test micrographs, score; and what was told on the way."""

    def read(strategy: str, options: dict[str, Any]) -> Recipe:
        recipe = replace(read_recipe(strategy, options), least_auc=0.0)
        return replace(recipe, rounds=()) if line.startswith(BASELINE) else recipe

    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder, mock.patch("cryoglean.pipeline.read_recipe", read):
        run = train(where.dataset(), choose(line, seed), Run(Path(folder) / "run"))
        seconds = time.process_time() - started
        return {
            **_score(run, where),
            **_follow(run),
            "gate": run.summary()["gate"],
            "train_cpu_seconds": round(seconds),
        }


def _score(run: Run, where: Clicks) -> Row:
    """On the test micrographs, by cryoglean's default definition."""
    picker, threshold = load_picker(run)
    bench, test = where.bench, where.test
    picks = Picks.concatenate(
        picker.pick_micrograph(read_micrograph(bench.paths[name], bench.pixel_size_angstrom)) for name in test
    )
    ignore = None if bench.ignore is None else bench.ignore.of(test)
    found = evaluate_picks(picks, bench.truth.of(test), bench.rules(), threshold=threshold, ignore=ignore).to_json()
    return {key: found[key] for key in ("f1", "best_f1", "precision", "recall", "average_precision")}


def _follow(run: Run) -> Row:
    """Validations of the last training, and what its teacher said every few steps."""
    validations, steps = run.events("validation"), run.events("step")
    last = validations[-1]["phase"]
    keys = ("step", "average_precision", "auc")
    taught = [event for event in steps if "taught.spread" in event and event["step"] % TELL_EVERY == 0]
    names = ("particle_usage", "background_usage", "spread")
    norms = [event["gradient_norm"] for event in steps if event["phase"] == last]
    return {
        "validations": [{key: event[key] for key in keys} for event in validations if event["phase"] == last],
        "taught": [{"step": event["step"], **{name: event[f"taught.{name}"] for name in names}} for event in taught],
        "gradient_norm": float(np.median(norms)), "rounds": run.summary()["rounds"],
    }  # fmt: skip


def write() -> None:
    """The figure and the table."""
    rows = list(read_json_lines(RESULTS))
    _draw(rows)
    text = PAGE.read_text(encoding="utf-8")
    block = "\n".join(["<!-- results -->", *_table(rows), "<!-- /results -->"])
    write_text_atomically(PAGE, re.sub(r"<!-- results -->.*<!-- /results -->", lambda _: block, text, flags=re.S))


def _table(rows: Sequence[Row]) -> list[str]:
    head = [
        "| set | line | gate: AUC of the first network | last validation AUC | spread at the end | used at the end: "
        "particle / background | test AP | test F1 | CPU-s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return head + [_line(data, line, mine) for data in SETS for line in LINES if (mine := _of(rows, data, line))]


def _line(data: str, line: str, mine: Sequence[Row]) -> str:
    """Means over the draws."""

    def mean(values: Sequence[float | None], digits: int = 3) -> str:
        known = [value for value in values if value is not None]
        return f"{np.mean(known):.{digits}f}" if known else "–"

    last = [row["taught"][-1] for row in mine if row["taught"]]
    usage = [mean([one[f"{name}_usage"] for one in last], 2) for name in ("particle", "background")]
    cells = [
        NAMES[data], line, mean([row["gate"]["auc"] for row in mine]),
        mean([row["validations"][-1]["auc"] for row in mine]), mean([one["spread"] for one in last]),
        " / ".join(usage), mean([row["average_precision"] for row in mine]), mean([row["f1"] for row in mine]),
        mean([row["train_cpu_seconds"] for row in mine], 0),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _draw(rows: Sequence[Row]) -> None:
    """A row of panels for each set: validation AP and AUC, spread, and usage by class over the last training."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    titles = ("validation AP", "validation AUC", "spread of the teacher", "used: particle —, background ··")
    figure, grid = plt.subplots(len(SETS), 4, figsize=(16, 3.6 * len(SETS)), squeeze=False, sharex=True)
    for data, panels in zip(SETS, grid, strict=True):
        for number, line in enumerate(LINES):
            mine, colour = _of(rows, data, line), f"C{number}"
            for panel, key in zip(panels, ("average_precision", "auc"), strict=False):
                _curve(panel, mine, ("validations", key), colour, line)
            _curve(panels[2], mine, ("taught", "spread"), colour, line)
            _curve(panels[3], mine, ("taught", "particle_usage"), colour, line)
            _curve(panels[3], mine, ("taught", "background_usage"), colour, "", style=":")
        if panels[0].lines:
            panels[0].legend(fontsize=7)
        for panel, title in zip(panels, titles, strict=True):
            panel.set(title=f"{NAMES[data]}: {title}", xlabel="share of the training", xlim=(0, 1))
    figure.tight_layout()
    figure.savefig(FIGURE, dpi=80)


def _curve(
    panel: Any, rows: Sequence[Row], what: tuple[str, str], colour: str, label: str, *, style: str = "-"
) -> None:
    """The mean over draws of what was told, against the share of the training."""
    kind, key = what
    told = [row[kind] for row in rows if row[kind]]
    if told:
        times = np.array([event["step"] for event in told[0]]) / rows[0]["validations"][-1]["step"]
        panel.plot(
            times, np.mean([[one[key] for one in each] for each in told], axis=0), style, color=colour, label=label
        )


def _of(rows: Sequence[Row], data: str, line: str) -> list[Row]:
    return [row for row in rows if row["set"] == data and row["line"] == line]


def main() -> None:
    """Run what is missing, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--lines", default="", help="only lines with these names, separated by ;")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        write()
        return
    done = {(row["set"], row["seed"], row["line"]) for row in read_json_lines(RESULTS)}
    for data in arguments.sets.split(","):
        for seed in range(arguments.draws):
            where = draw_clicks(data, CLICKS, seed)
            for line in arguments.lines.split(";") if arguments.lines else LINES:
                if (data, seed, line) in done:
                    continue
                row = run_cell(where, line, seed)
                append_json_line(RESULTS, {"set": data, "seed": seed, "line": line, **row})
                keys = ("f1", "average_precision", "train_cpu_seconds")
                print({"set": data, "seed": seed, "line": line, **{key: row[key] for key in keys}}, flush=True)


if __name__ == "__main__":
    main()
