"""What watching a training costs: the same training with and without looks, in turns in one run, as a ratio.

The default (a look every 50 steps) costs less than CPU-seconds scatter; so every 5 steps are measured, too, from which
the cost of one look follows.

python benchmarks/doctor_overhead.py [--pairs 5]
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_json_atomically
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import choose_settings
from doctor_data import sound

OUT = Path(__file__).parent / "results" / "doctor_overhead.json"
STEPS = 100
LINES = ("supervised", "recommended", "mean_teacher")
EVERY = (0, 50, 5)


def measure(strategy: str, every: int) -> float:
    """CPU-seconds of one training."""
    data, _ = sound("tetramer")
    fixed = {
        "strategy": strategy, "learn": {"steps": STEPS, "crop_pixels": 128, "validate_every": STEPS, "start": "random"},
        "monitor": {"every": every}, "pick": {"views": 1},
    }  # fmt: skip
    gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        train(data, choose_settings(fixed=fixed), Run(Path(folder) / "run"))
        return time.process_time() - started


def main() -> None:
    """Measure in turns, and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    rows: list[dict[str, Any]] = []
    measure("supervised", 0)  # warm up
    for strategy in LINES:
        seconds: dict[int, list[float]] = {every: [] for every in EVERY}
        for turn in range(pairs):
            for every in EVERY[:: 1 if turn % 2 else -1]:
                seconds[every].append(measure(strategy, every))
        for every in EVERY[1:]:
            ratios = [one / plain for one, plain in zip(seconds[every], seconds[0], strict=True)]
            row = {"strategy": strategy, "steps": STEPS, "every": every, "pairs": pairs,
                   "median": float(np.median(ratios)), "low": min(ratios), "high": max(ratios)}  # fmt: skip
            rows.append(row)
            print(row, flush=True)
        write_json_atomically(OUT, rows)


if __name__ == "__main__":
    main()
