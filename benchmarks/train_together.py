"""One training in one process and in two that torch's launcher starts: seconds a step, and whether it learns the same.

    python benchmarks/train_together.py --out benchmarks/results/train_together.json

Both make the same steps of `--parts` micro-steps on simulated micrographs. Seconds are of the clock, so say what else
runs. A step's seconds are the median of the gaps between steps, which leaves out validations.
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
from cryoglean.environment import describe_environment
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.run import Run
from real_data import simulated


def measure(processes: int, folder: Path, parts: int, steps: int) -> dict[str, Any]:
    """One training; its events are read while it runs, as they carry no time."""
    bench = simulated("globule")
    micrographs = next(iter(bench.paths.values())).parent
    labels = folder / "labels.csv"
    truth = read_picks(micrographs / "coordinates.csv")
    write_picks(truth.of(truth.micrographs[:4]), labels)
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes > 1 else []
    run = Run(folder / f"run{processes}")
    words = [sys.executable, *launcher, "-m", "cryoglean", "train", micrographs, "--picks", labels, "--quiet"]
    words += ["--diameter-angstrom", bench.diameter_angstrom, "--strategy", "supervised", "--out", run.folder]
    words += ["--set", f"learn.steps={steps}", "--set", f"learn.accumulate={parts}", "--set", "learn.validate_every=20"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1"}
    seen: list[float] = []
    begun = time.monotonic()
    with subprocess.Popen(list(map(str, words)), env=environment) as process:
        while process.poll() is None:
            count = len(run.events("step")) if run.events_file.exists() else 0
            seen += [time.monotonic()] * (count - len(seen))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{processes} processes: exit code {process.returncode}")
    return {
        "seconds": time.monotonic() - begun, "seconds_per_step": float(np.median(np.diff(seen))),
        "f1": run.summary()["validation"]["f1"],
    }  # fmt: skip


def main() -> None:
    """Measure both and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        runs = {
            str(number): measure(number, Path(name), arguments.parts, arguments.steps) for number in (1, 2)
        }  # fmt: skip
    result = {
        "environment": describe_environment("1 thread a process"), "load_before": load, "runs": runs,
        "micro_steps": arguments.parts, "f1": {name: one["f1"] for name, one in runs.items()},
        "step_of_2_against_1": runs["2"]["seconds_per_step"] / runs["1"]["seconds_per_step"],
    }  # fmt: skip
    write_json_atomically(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
