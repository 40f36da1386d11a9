"""Picking from clicks: cryoglean's strategies and Topaz on the same clicks, the same validation, the same run.

    make topaz && python benchmarks/clicks.py --sets bgal --counts 20,100,500 --draws 5       # resumable
    python benchmarks/clicks.py --sets bgal --draws 2 --lines nnpu "Topaz GE-binomial"
    python benchmarks/write_clicks.py                                                        # docs/clicks.md

Every line has the same clicks and the same two completely labelled validation micrographs, on which the threshold
(Topaz: also the epoch) is chosen; `told a number` has no validation micrographs but the number of particles to one
digit. `complete labels` has all labels of the clicked half: to compare with. `pu_pseudo` has two trainings, so that
there are lines with twice the steps. CPU-seconds of one thread.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from against_topaz import fine_tune_topaz
from click_data import HUMAN, Clicks, draw_clicks
from cryoglean.durable import append_json_line, read_json_lines
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.picking import load_picker
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import choose_settings

RESULTS = Path(__file__).parent / "results" / "clicks.jsonl"
STEPS = 200
FLOOR = 5e-4  # lowest score kept: where unclicked is background, scores are low, and 0.02 would cut them off
SETS = ("bgal", "apoferritin_k0.1", "simulated_globule", "simulated_tetramer")
Row = dict[str, Any]


def train_on(where: Clicks, seed: int, folder: Path, **choice: Any) -> Row:
    """One training and its test.

    Args:
        where: the draw.
        seed: of the training.
        folder: to work in.
        choice: `strategy`; `is_complete` for all labels; `has_validation`; `times` as many steps.
    """
    is_complete, has_validation = choice.get("is_complete", False), choice.get("has_validation", True)
    labels: dict[str, Any] = {"kind": "complete" if is_complete else "sparse"}
    if not has_validation:
        labels["per_micrograph"] = where.per_micrograph
    learn = {"steps": STEPS * choice.get("times", 1)}
    fixed = {"strategy": choice["strategy"], "seed": seed, "labels": labels, "learn": learn, "pick": {"floor": FLOOR}}
    run, started = Run(folder / "run"), time.process_time()
    train(where.dataset(is_complete=is_complete, has_validation=has_validation), choose_settings(fixed=fixed), run)
    seconds = time.process_time() - started
    picker, threshold = load_picker(run)
    bench, started = where.bench, time.process_time()
    picks = Picks.concatenate(
        picker.pick_micrograph(read_micrograph(bench.paths[name], bench.pixel_size_angstrom)) for name in where.test
    )
    picking = (time.process_time() - started) / len(where.test)
    ignore = None if bench.ignore is None else bench.ignore.of(where.test)
    found = evaluate_picks(
        picks, bench.truth.of(where.test), bench.rules(), threshold=threshold, ignore=ignore
    ).to_json()
    keys = ("f1", "precision", "recall", "best_f1", "average_precision", "threshold")
    rounds = run.summary()["rounds"]
    return {**{key: found[key] for key in keys}, "train_cpu_seconds": seconds, "pick_cpu_seconds": picking,
            "validation": run.summary()["validation"] and run.summary()["validation"]["average_precision"],
            "rounds_counted": sum(one["counts"] for one in rounds), "rounds": len(rounds)}  # fmt: skip


def run_topaz(where: Clicks, _seed: int, folder: Path) -> Row:
    """Topaz's general model fine-tuned with GE-binomial on the clicks; it is told how many particles there are."""
    clicked = [name for name in where.clicked if len(where.labels.on(name))]
    count = len(where.bench.truth.of(where.clicked)) / len(where.clicked)
    return fine_tune_topaz(
        where.bench, clicked, list(where.validation), list(where.test), folder, labels=where.labels, expected=count
    )


def _line(**choice: Any) -> Callable[[Clicks, int, Path], Row]:
    return lambda where, seed, folder: train_on(where, seed, folder, **choice)


LINES: dict[str, Callable[[Clicks, int, Path], Row]] = {
    "unclicked is background": _line(strategy="supervised"),
    "nnpu": _line(strategy="nnpu"),
    "nnpu, twice the steps": _line(strategy="nnpu", times=2),
    "ge_binomial": _line(strategy="ge_binomial"),
    "pu_pseudo": _line(strategy="pu_pseudo"),
    "pu_pseudo, told a number": _line(strategy="pu_pseudo", has_validation=False),
    "complete labels": _line(strategy="supervised", is_complete=True),
    "complete labels, twice the steps": _line(strategy="supervised", is_complete=True, times=2),
    "Topaz GE-binomial": run_topaz,
}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--counts", default="20,100,500", help=f"{HUMAN}: the clicks of a person")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--lines", nargs="+", default=list(LINES), choices=list(LINES), metavar="LINE")
    arguments = parser.parse_args()
    done = {(row["set"], row["clicks"], row["seed"], row["line"]) for row in read_json_lines(RESULTS)}
    counts = [int(text) for text in arguments.counts.split(",")]
    draws = range(arguments.draws)
    for seed, data, count, line in itertools.product(draws, arguments.sets.split(","), counts, arguments.lines):
        is_complete = line.startswith("complete labels")
        if (is_complete and count != counts[0]) or ("told" in line and count != 100):
            continue
        cell = (data, 0 if is_complete else count, seed, line)
        if cell in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = LINES[line](draw_clicks(data, count, seed), seed, Path(folder))
        append_json_line(RESULTS, {"set": data, "clicks": cell[1], "seed": seed, "line": line, **row})
        print({"cell": cell, **{key: row[key] for key in ("f1", "average_precision", "train_cpu_seconds")}}, flush=True)


if __name__ == "__main__":
    main()
