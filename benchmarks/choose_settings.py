"""Compare settings on validation micrographs only; test micrographs are never opened here.

    python benchmarks/choose_settings.py learn.batch=4 "learn.steps=300 learn.batch=8" --seeds 2

Each argument is a set of assignments over the defaults; results are appended to benchmarks/results/settings.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from cryoglean.durable import append_json_line
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import read_preset, resolve_settings
from real_data import apoferritin, beta_galactosidase, simulated

RESULTS = Path(__file__).parent / "results" / "settings.jsonl"


def main() -> None:
    """Train on the first micrograph, score on the next two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assignments", nargs="+")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", default="apoferritin,bgal")
    parser.add_argument("--effort", default="standard")
    arguments = parser.parse_args()
    known = {
        "apoferritin": lambda: apoferritin(0.05),
        "globule": lambda: simulated("globule"),
        "tetramer": lambda: simulated("tetramer"),
        "bgal": beta_galactosidase,
    }
    for seed, name, assignments in itertools.product(
        range(arguments.seeds), arguments.sets.split(","), arguments.assignments
    ):
        bench = known[name]()
        learned, validation, _ = bench.split(1)
        settings = resolve_settings([read_preset(arguments.effort), {"seed": seed}], assignments.split())
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            summary = train(bench.dataset(learned, validation), settings, Run(Path(folder) / "run")).summary()
        found = summary["validation"]
        row = {
            "set": bench.name, "settings": assignments, "effort": arguments.effort, "seed": seed,
            "average_precision": round(found["average_precision"], 4), "f1": round(found["f1"], 4),
            "best_step": summary["best_step"], "cpu_seconds": round(time.process_time() - started, 1),
        }  # fmt: skip
        append_json_line(RESULTS, row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
