"""cryoglean (supervised) beside Topaz: same labels, same split, same machine, same run, one thread each.

    make topaz && .venv/bin/python benchmarks/against_topaz.py            # resumable; finished cells are kept
    .venv/bin/python benchmarks/write_results.py                          # the tables

Topaz (GPL-3, its own virtual environment) is only started as a program. Each cell trains on the same micrographs,
chooses the threshold (Topaz: also the epoch) on the same two validation micrographs, and is scored by the same code.
Seconds are CPU-seconds of the whole process, imports and reading included. Topaz's general model is scored too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

import topaz_runner as topaz
from cryoglean.durable import append_json_line, read_json_lines
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from real_data import Bench, all_benches

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "against_topaz.jsonl"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1"}
Row = dict[str, object]


def run_random(bench: Bench, labelled: int, repeat: int, folder: Path) -> Row:
    """Cryoglean from a random start."""
    return run_cryoglean(bench, labelled, repeat, folder, "random")


def run_general_start(bench: Bench, labelled: int, repeat: int, folder: Path) -> Row:
    """Cryoglean from its general start, which has seen simulated molecules only."""
    return run_cryoglean(bench, labelled, repeat, folder, "general")


def run_cryoglean(bench: Bench, labelled: int, repeat: int, folder: Path, start: str) -> Row:
    """`cryoglean train` and `cryoglean pick`, as a user would."""
    train, validation, test = bench.split(labelled)
    for name, names in (("train", train), ("validation", validation)):
        write_picks(bench.truth.of(names), folder / f"{name}.csv")
    program = [sys.executable, "-m", "cryoglean"]
    files = [str(bench.paths[name]) for name in [*train, *validation]]
    trained = topaz.measure(
        [*program, "train", *files, "--picks", str(folder / "train.csv"),
         "--validation", str(folder / "validation.csv"),
         "--diameter-angstrom", str(bench.diameter_angstrom), "--pixel-size-angstrom", str(bench.pixel_size_angstrom),
         "--seed", str(repeat), "--init", start, "--out", str(folder / "run"), "--quiet"],
        env=ENVIRONMENT,
    )  # fmt: skip
    picked = topaz.measure(
        [*program, "pick", str(folder / "run"), *(str(bench.paths[name]) for name in test), "--threshold", "0",
         "--out", str(folder / "picks.csv"), "--quiet"],
        env=ENVIRONMENT,
    )  # fmt: skip
    for cost in (trained, picked):
        if cost.returncode:
            raise SystemExit(f"cryoglean failed: {cost.stdout_tail}")
    threshold = json.loads((folder / "run" / "summary.json").read_text())["threshold"]
    return {**score(bench, read_picks(folder / "picks.csv"), test, threshold), **costs(trained, picked, len(test))}


def run_topaz(bench: Bench, labelled: int, repeat: int, folder: Path) -> Row:  # noqa: ARG001 (Topaz has no seed)
    """Topaz fine-tuned from its own weights; the epoch is chosen by validation F1."""
    return fine_tune_topaz(bench, *bench.split(labelled), folder)


def fine_tune_topaz(  # noqa: PLR0913
    bench: Bench, train: list[str], validation: list[str], test: list[str], folder: Path, *,
    labels: Picks | None = None, expected: float | None = None,
) -> Row:  # fmt: skip
    """Topaz fine-tuned from its own weights; the epoch is chosen by validation F1.

    Args:
        bench: the set.
        train: micrographs to learn from.
        validation: for the epoch and the threshold.
        test: to score.
        folder: to work in.
        labels: to learn from; by default all of the training micrographs.
        expected: particles a micrograph that Topaz is told; by default as many as are labelled. With `labels` the
            number is corrected for Topaz's own error (`topaz_notes.md`), which makes its prior 7 times too large.
    """
    program, known = find_topaz(), bench.truth if labels is None else labels
    images = preprocess(program, bench, [*train, *validation, *test], folder)
    rows = [(f"{name}.mrc", x, y) for name in train for x, y in known.on(name).xy]
    targets = topaz.write_targets(folder / "targets.txt", rows, scale_of(bench))
    settings = topaz.TrainSettings(scale=scale_of(bench))
    count = len(rows) / len(train) if expected is None else expected
    chosen_images = [images[name] for name in train]
    prior = topaz.prior_arguments(
        topaz.Prior.AS_SHIPPED if labels is None else topaz.Prior.CORRECTED,
        chosen_images,
        targets,
        particles_per_micrograph=count,
        radius=settings.radius,
    )
    trained = topaz.train(program, chosen_images, targets, folder / "model", settings=settings, prior_arguments=prior)
    best: tuple[float, float, Path] = (-1.0, 0.0, trained.model)
    for model in trained.models:
        picks, _ = extract(program, bench, str(model), images, validation, folder)
        chosen = choose_threshold(picks, bench.truth.of(validation), bench.rules(), rule="f1")
        if (chosen.f1 or 0.0) > best[0]:
            best = (chosen.f1 or 0.0, chosen.threshold, model)
    picks, picked = extract(program, bench, str(best[2]), images, test, folder)
    return {**score(bench, picks, test, best[1]), **costs(trained.cost, picked, len(test))}


def run_general(bench: Bench, labelled: int, repeat: int, folder: Path) -> Row:  # noqa: ARG001
    """Topaz's general model without any training; only the threshold is chosen on validation."""
    program = find_topaz()
    _, validation, test = bench.split(1)
    images = preprocess(program, bench, [*validation, *test], folder)
    picks, _ = extract(program, bench, topaz.GENERAL_MODEL, images, validation, folder)
    threshold = choose_threshold(picks, bench.truth.of(validation), bench.rules(), rule="f1").threshold
    picks, picked = extract(program, bench, topaz.GENERAL_MODEL, images, test, folder)
    return {**score(bench, picks, test, threshold), **costs(None, picked, len(test))}


METHODS: dict[str, Callable[[Bench, int, int, Path], Row]] = {
    "cryoglean supervised": run_random,
    "cryoglean general start": run_general_start,
    "Topaz fine-tuned": run_topaz,
    "Topaz general": run_general,
}


def find_topaz() -> Path:
    """Topaz's program.

    Raises:
        SystemExit: it is not installed.
    """
    found = topaz.find_topaz(ROOT)
    if found is None:
        raise SystemExit("skipped: Topaz is not installed; run `make topaz`")
    return found


def scale_of(bench: Bench) -> int:
    """The whole number that brings the particle nearest to Topaz's 20 to 30 pixels."""
    return max(round(bench.diameter_pixels / 23), 1)


def preprocess(program: Path, bench: Bench, names: list[str], folder: Path) -> dict[str, Path]:
    """Downsampled and normalised pictures by name; `preprocess_seconds` of Topaz are not counted anywhere."""
    out = folder / "images"
    topaz.preprocess(program, [bench.paths[name] for name in names], out, scale_of(bench))
    return {name: topaz.preprocessed_file(out, bench.paths[name].name) for name in names}


def extract(
    program: Path, bench: Bench, model: str, images: dict[str, Path], names: list[str], folder: Path
) -> tuple[Picks, topaz.Cost]:
    """Topaz's picks in original pixels."""
    radius = round(0.45 * bench.diameter_pixels / scale_of(bench))
    settings = topaz.ExtractSettings(radius=radius, scale=scale_of(bench))
    out = folder / "extracted.txt"
    cost = topaz.extract(program, model, [images[name] for name in names], out, settings=settings)
    rows = topaz.read_picks(out)
    table = Picks(
        np.array([row[0] for row in rows], dtype=np.str_),
        np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2),
        np.array([row[3] for row in rows], dtype=np.float64),
    )
    return table, cost


def score(bench: Bench, picks: Picks, test: list[str], threshold: float) -> Row:
    """F1 and average precision on the test micrographs, by cryoglean's default definition."""
    rules = bench.rules()
    found = evaluate_picks(picks, bench.truth.of(test), rules, threshold=threshold, ignore=bench.ignore).to_json()
    keys = ("f1", "precision", "recall", "best_f1", "average_precision", "threshold")
    return {key: found[key] for key in keys}


def costs(trained: topaz.Cost | None, picked: topaz.Cost, count: int) -> Row:
    """CPU-seconds and peak memory."""
    row: Row = {"pick_cpu_seconds": picked.cpu_seconds / count, "pick_memory_mb": picked.peak_memory_mb}
    if trained is not None:
        row |= {"train_cpu_seconds": trained.cpu_seconds, "train_memory_mb": trained.peak_memory_mb}
    return row


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labelled", default="1,2,5")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--sets", default="")
    arguments = parser.parse_args()
    done = {(row["set"], row["method"], row["labelled"], row["repeat"]) for row in read_json_lines(RESULTS)}
    benches = [bench for bench in all_benches() if not arguments.sets or bench.name in arguments.sets.split(",")]
    budgets = [int(text) for text in arguments.labelled.split(",")]
    for repeat, labelled, bench, method in itertools.product(
        range(arguments.repeats), budgets, benches, arguments.methods.split(",")
    ):
        is_general = method == "Topaz general"
        cell = (bench.name, method, 0 if is_general else labelled, repeat)
        if cell in done or (is_general and (labelled, repeat) != (budgets[0], 0)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = METHODS[method](bench, labelled, repeat, Path(folder))
        row = {"set": cell[0], "method": cell[1], "labelled": cell[2], "repeat": cell[3], **row}
        append_json_line(RESULTS, row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
