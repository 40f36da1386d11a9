"""Cells per hour of an experiment: a plain loop over its cells, the engine's loop, and 1 and 2 worker processes.

    python benchmarks/experiment_scaling.py --out benchmarks/results/experiment_scaling.json

The cells are supervised trainings and oracles on 28 simulated micrographs, `--seeds` of each, short ones so that what
is not training shows. Each way runs all cells in a folder and a process of its own; the round of all ways is made
`--rounds` times, the order turned round each time. Seconds are of the clock, from the start of the program to the last
cell's end, so say what else runs. A training's own CPU-seconds tell whether two beside each other hinder one another.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_json_atomically
from cryoglean.engine.spread import spread
from cryoglean.engine.tasks import EngineChoice
from cryoglean.engine.waiting import Waiting
from cryoglean.environment import describe_environment
from cryoglean.experiment import running
from cryoglean.experiment.grid import Grid, make_grid
from cryoglean.experiment.store import Store
from standing import simulated_data

WAYS = ("plain loop", "engine, this process", "engine, 1 worker", "engine, 2 workers")
MICROGRAPHS = 28


def grid(seeds: int, steps: int) -> Grid:
    """Two cells a seed."""
    content = {"data": {"globule": simulated_data(MICROGRAPHS)}, "ratios": [0.1], "seeds": seeds, "lines": []}
    return make_grid({**content, "settings": [f"learn.steps={steps}", "learn.validate_every=1000"]})


def run_way(way: str, folder: Path, seeds: int, steps: int) -> None:
    """Run all cells, in this process."""
    chosen, store = grid(seeds, steps), Store(folder)
    cells = running.plan(chosen)
    if way == "engine, this process":
        running.run_experiment(chosen, store, EngineChoice(1), cells=cells)
        return
    store.keep_grid(chosen)
    by_key = {cell.key: cell for cell in cells}
    tasks = running.cell_tasks(by_key, by_key, store, ())
    if way == "plain loop":
        for task in tasks:
            running.do_cell(task.payload)
        return
    workers = int(way.split()[1])
    lost = [
        outcome
        for outcome in spread(Waiting(tasks), running.do_cell, EngineChoice(workers), None)
        if not outcome.is_done
    ]
    if lost:
        raise SystemExit(f"not done: {lost}")


def measure(way: str, seeds: int, steps: int) -> dict[str, float]:
    """One way, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        words = [sys.executable, __file__, "--way", way, "--folder", name, "--seeds", seeds, "--steps", steps]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1"}
        begun = time.monotonic()
        subprocess.run(list(map(str, words)), env=environment, check=True)
        seconds = time.monotonic() - begun
        rows = Store(Path(name)).rows()
    if len(rows) != 2 * seeds:
        raise SystemExit(f"{way}: {len(rows)} cells")
    spent = [row["train_cpu_seconds"] + row["pick_cpu_seconds"] for row in rows]
    return {
        "cells": len(rows), "seconds": seconds, "cells_per_hour": 3600 * len(rows) / seconds,
        "cpu_seconds_in_cells": float(np.sum(spent)), "mean_f1": float(np.mean([row["f1"] for row in rows])),
    }  # fmt: skip


def main() -> None:
    """Measure all ways and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help="only this way, in this process")
    parser.add_argument("--folder", type=Path, help="where")
    arguments = parser.parse_args()
    if arguments.way:
        run_way(arguments.way, arguments.folder, arguments.seeds, arguments.steps)
        return
    if arguments.out is None:
        parser.error("--out is needed")
    grid(arguments.seeds, arguments.steps)  # the data are made before anything is timed
    load = os.getloadavg()[0]
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(arguments.rounds):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:
            runs[way].append(measure(way, arguments.seeds, arguments.steps))
            print(way, json.dumps(runs[way][-1]), flush=True)
    per_hour = {way: float(np.mean([one["cells_per_hour"] for one in runs[way]])) for way in WAYS}
    loop = per_hour["plain loop"]
    result = {
        "environment": describe_environment("1 thread a process"), "load_before": load, "runs": runs,
        "cells_per_hour": per_hour,
        "overhead_against_the_plain_loop": {way: loop / per_hour[way] - 1 for way in WAYS[1:3]},
        "speed_of_2_workers_against_1": per_hour["engine, 2 workers"] / per_hour["engine, 1 worker"],
        "speed_of_2_workers_against_the_plain_loop": per_hour["engine, 2 workers"] / loop,
    }  # fmt: skip
    write_json_atomically(arguments.out, result)
    print(json.dumps({name: value for name, value in result.items() if name not in ("environment", "runs")}, indent=2))


if __name__ == "__main__":
    main()
