"""Every strategy on the same labels, the same splits and the same steps; the supervised line and the oracle beside.

    python benchmarks/strategies.py table --workers 2 --worker 0 &     # resumable; finished cells are kept
    python benchmarks/strategies.py table --workers 2 --worker 1
    python benchmarks/write_strategies.py                              # docs/strategies.md

Plans: `collapse` (the notes' failure, from a random start), `table` (all cards, 100 steps a training, two sets, 3
seeds), `recommended` (with supervised, oracle and its control at full effort, five sets, 5 seeds), `ablation`
(recommended, one part changed at a time), `rule` (when a round should count, on development sets), `start` (supervised
from the general and from a random start, 1, 2 and 5 labelled). A seed draws who is labelled, too (`semi_data.py`).
Rounds after the first begin with the supervised network of the same cell, trained once. Seconds are CPU-seconds of one
thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryoglean.durable import append_json_line, read_json_lines
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.learn.checkpoint import load_tensors, save_tensors
from cryoglean.picking import load_picker
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.recipe import read_recipe
from cryoglean.registry import card_names
from cryoglean.run import Run
from cryoglean.settings import Settings, choose_settings
from semi_data import Draw, draw, set_names

RESULTS = Path(__file__).parent / "results"
CACHE = Path(tempfile.gettempdir()) / "cryoglean_supervised"
TABLE_SETS = ("apoferritin_k0.05", "simulated_globule")
TABLE_STEPS = 100
ENGINE = 2  # raise it when results of before can't be compared any more


@dataclass(frozen=True)
class Cell:
    """One training and its test.

    Args:
        data: a set of `semi_data`.
        seed: of the draw and of the training.
        line: its name in the tables.
        strategy: a strategy card.
        options: of the card.
        settings: further settings, as `name=value`.
        is_oracle: whether all labels of the unlabelled ones are given.
        labelled: how many micrographs are labelled.
    """

    data: str
    seed: int
    line: str
    strategy: str = "supervised"
    options: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    is_oracle: bool = False
    labelled: int = 1

    @property
    def key(self) -> str:
        """What makes two cells the same."""
        return json.dumps([ENGINE, self.data, self.seed, self.line, self.labelled, self.options, sorted(self.settings)])

    def choose(self) -> Settings:
        """All of its settings."""
        fixed = {"strategy": self.strategy, "seed": self.seed, "options": self.options}
        return choose_settings(fixed=fixed, assignments=self.settings)


def run_cell(cell: Cell, folder: Path) -> dict[str, Any]:
    """Train, pick the test micrographs, and score."""
    where, settings = draw(cell.data, cell.seed), cell.choose()
    run = Run(folder / "run")
    base = CACHE / f"{_base_key(cell, settings)}.safetensors"
    begins_elsewhere = bool(read_recipe(cell.strategy, cell.options).pretrain)
    is_shared = not cell.is_oracle and not begins_elsewhere and base.exists()
    if is_shared:
        run.checkpoint_folder.mkdir(parents=True)
        shutil.copy(base, run.checkpoint_folder / "final.done.safetensors")
    started = time.process_time()
    train(where.dataset(is_oracle=cell.is_oracle, labelled=cell.labelled), settings, run, resumes=True)
    seconds = time.process_time() - started
    summary = run.summary()
    if cell.strategy == "supervised" and not cell.is_oracle and not is_shared:
        _keep_base(run, summary, base, seconds)
    shared_seconds = load_tensors(base)[1]["cpu_seconds"] if is_shared else 0.0
    facts = {
        "validation_average_precision": summary["validation"]["average_precision"],
        "validation_recall": summary["validation"]["recall"], "validation_f1": summary["validation"]["f1"],
        "best_step": summary["best_step"], "rounds": summary.get("rounds", []),
        "train_cpu_seconds": round(seconds + shared_seconds, 1), "steps_run": _steps_run(run, settings, is_shared),
    }  # fmt: skip
    return {**_score(run, where, summary["threshold"]), **facts}


def _base_key(cell: Cell, settings: Settings) -> str:
    """A name for the supervised training that this cell's first round is."""
    known = settings.model_dump(mode="json")
    kept = {name: value for name, value in known.items() if name not in ("strategy", "options", "unlabelled")}
    text = json.dumps([ENGINE, cell.data, cell.seed, cell.labelled, kept], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _keep_base(run: Run, summary: dict[str, Any], base: Path, seconds: float) -> None:
    tensors = {f"best.{name}": value for name, value in load_tensors(run.weights_file)[0].items()}
    score = max(event["average_precision"] for event in run.events("validation"))
    save_tensors(base, tensors, {"best_step": summary["best_step"], "best_score": score, "cpu_seconds": seconds})


def _steps_run(run: Run, settings: Settings, is_shared: bool) -> int:  # noqa: FBT001
    """Optimiser steps of all trainings of the cell, the shared one among them."""
    return len(run.events("step")) + (settings.learn.steps if is_shared else 0)


def _score(run: Run, where: Draw, threshold: float) -> dict[str, Any]:
    """F1 and average precision on the test micrographs, by cryoglean's default definition."""
    picker, _ = load_picker(run)
    bench, test = where.bench, where.names["test"]
    picks = Picks.concatenate(
        picker.pick_micrograph(read_micrograph(bench.paths[name], bench.pixel_size_angstrom)) for name in test
    )
    ignore = None if bench.ignore is None else bench.ignore.of(test)
    truth, rules = bench.truth.of(test), bench.rules()
    found = evaluate_picks(picks, truth, rules, threshold=threshold, ignore=ignore).to_json()
    at_half = evaluate_picks(picks, truth, rules, threshold=0.5, ignore=ignore).total
    keys = ("f1", "precision", "recall", "best_f1", "average_precision", "threshold")
    per = [
        {key: row[key] for key in ("micrograph", "true_positives", "picks", "truth")} for row in found["per_micrograph"]
    ]
    halves = {"recall_at_half": at_half.recall, "precision_at_half": at_half.precision, "f1_at_half": at_half.f1}
    return {**{key: found[key] for key in keys}, **halves, "per_micrograph": per}


def plan_table() -> list[Cell]:
    """All cards and variants, 100 steps a training, two sets, three seeds; random starts of three of them."""
    steps = (f"learn.steps={TABLE_STEPS}",)
    lines: list[tuple[str, str, dict[str, Any], tuple[str, ...], bool]] = [
        ("supervised", "supervised", {}, steps, False),
        ("oracle", "supervised", {}, steps, True),
        ("supervised, twice the steps", "supervised", {}, (f"learn.steps={2 * TABLE_STEPS}",), False),
    ]
    lines += [(name, name, {}, steps, False) for name in card_names("strategies") if name != "supervised"]
    lines += [(f"{name}, notes", name, {"variant": "notes"}, steps, False) for name in WITH_VARIANTS]
    cold = (*steps, "learn.start=random")
    lines += [
        (f"{name}, random start", name, {}, cold, False) for name in ("supervised", "fixmatch_naive", "recommended")
    ]
    return [
        Cell(data, seed, line, strategy, options, settings, is_oracle)
        for seed in range(3)
        for data in TABLE_SETS
        for line, strategy, options, settings, is_oracle in lines
    ]


WITH_VARIANTS = (
    "pseudo_label", "class_balanced", "limited", "curriculum", "weighted", "ensemble", "mean_teacher", "fixmatch"
)  # fmt: skip


def plan_recommended() -> list[Cell]:
    """Supervised, oracle, recommended, and its control without unlabelled crops, at full effort on every set.

    The round counts here whatever validation says; what the accept rule makes of it follows from its gain there.
    """
    always = {"counts": "always"}
    lines: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
        ("supervised", "supervised", {}, ()),
        ("recommended, counting always", "recommended", always, ()),
        ("continued on labels alone", "recommended", always, ("unlabelled.weight=0",)),
        ("oracle", "supervised", {}, ()),
    ]
    return [
        Cell(data, seed, line, strategy, options, settings, is_oracle=line == "oracle")
        for seed in range(5)
        for data in set_names()
        for line, strategy, options, settings in lines
    ]


def plan_start() -> list[Cell]:
    """From the general and from a random start, with 1, 2 and 5 labelled micrographs."""
    return [
        Cell(data, seed, f"{start} start", settings=(f"learn.start={start}",), labelled=labelled)
        for seed in range(5)
        for data in set_names()
        for labelled in ((1,) if data == "bgal_quarter" else (1, 2, 5))
        for start in ("general", "random")
        if (start, labelled) != ("general", 1)  # that is the supervised line of the plan `recommended`
    ]


ABLATION: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("no second training (supervised)", {}, ()),
    ("recommended", {}, ()),
    ("no unlabelled crops in it", {}, ("unlabelled.weight=0",)),
    ("student begins afresh", {"goes_on": False}, ()),
    ("hard targets, unsure pixels ignored", {"target": "hard"}, ()),
    ("no CutMix", {}, ("unlabelled.cutmix=0",)),
    ("neither calibrated nor matched", {"calibration": "none"}, ()),
    ("no variation of unlabelled crops", {"look": "plain"}, ()),
    ("matched to the prior, not calibrated", {"calibration": "prior"}, ()),
    ("soft discs at particles, unsure ones ignored", {"target": "particles"}, ()),
    ("teacher looks at one view", {"views": 1}, ()),
    ("no test-time views", {}, ("pick.views=1",)),
    ("random start", {}, ("learn.start=random",)),
    ("no averaged weights", {}, ("learn.ema_decay=0",)),
    ("copy-paste of particles", {}, ("augment.copy_paste=0.5",)),
)


def plan_ablation() -> list[Cell]:
    """Recommended, one part changed at a time, every round counting, on apoferritin k = 0.05 and three draws."""
    return [
        Cell(data, seed, line, "supervised" if "supervised" in line else "recommended",
             {} if "supervised" in line else {**options, "counts": "always"}, ("learn.steps=200", *settings))
        for line, options, settings in ABLATION
        for seed in range(3)
        for data in ("apoferritin_k0.05",)
    ]  # fmt: skip


def plan_collapse() -> list[Cell]:
    """The notes' failure, where it occurs: a random start, pseudo-labels that weigh 12 times as much as labels."""
    steps, heavy = ("learn.steps=300", "learn.start=random"), ("unlabelled.weight=12",)
    lines: list[tuple[str, str, dict[str, Any]]] = [
        ("supervised", "supervised", {}),
        ("fixmatch_naive", "fixmatch_naive", {}),
        ("recommended, always counting", "recommended", {"counts": "always"}),
        ("fixmatch, notes", "fixmatch", {"variant": "notes"}),
        ("pseudo_label, notes, one round", "pseudo_label", {"variant": "notes", "rounds": 1}),
    ]
    return [
        Cell("apoferritin_k0.05", seed, line, strategy, options, steps if line == "supervised" else steps + heavy)
        for seed in range(3)
        for line, strategy, options in lines
    ]


def plan_rule() -> list[Cell]:
    """When should a round count? On development sets, in no other comparison, every round counting."""
    return [
        Cell(f"development_{molecule}", seed, line, strategy, options)
        for seed in range(2)
        for molecule in ("globule", "barrel", "channel", "antibody")
        for line, strategy, options in (
            ("supervised", "supervised", {}),
            ("recommended, counting always", "recommended", {"counts": "always"}),
        )
    ]


PLANS = {
    "rule": plan_rule,
    "collapse": plan_collapse,
    "ablation": plan_ablation,
    "table": plan_table,
    "recommended": plan_recommended,
    "start": plan_start,
}


def main() -> None:
    """Run what is missing of a plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", choices=sorted(PLANS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker", type=int, default=0, help="which share of the cells, from 0")
    parser.add_argument("--lines", default="", help="only lines that begin so, separated by commas")
    parser.add_argument("--skip", default="-", help="no lines that begin so")
    arguments = parser.parse_args()
    results = RESULTS / f"strategies_{arguments.plan}.jsonl"
    done = {row["key"] for row in read_json_lines(results)}
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in PLANS[arguments.plan]():
        groups.setdefault((cell.data, cell.seed), []).append(cell)  # one worker a draw: its first round is shared
    for place, cells in enumerate(groups.values()):
        if place % arguments.workers != arguments.worker:
            continue
        for cell in cells:
            wanted = not arguments.lines or any(cell.line.startswith(text) for text in arguments.lines.split(","))
            if cell.key in done or not wanted or cell.line.startswith(arguments.skip):
                continue
            with tempfile.TemporaryDirectory() as folder:
                row = run_cell(cell, Path(folder))
            names = {"set": cell.data, "seed": cell.seed, "line": cell.line, "labelled": cell.labelled}
            append_json_line(results, {"key": cell.key, **names, **row})
            print({**names, **{key: row[key] for key in ("f1", "average_precision", "train_cpu_seconds")}}, flush=True)


if __name__ == "__main__":
    main()
