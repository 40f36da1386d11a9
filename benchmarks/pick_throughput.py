"""Memory and speed of picking: many small micrographs against few, and where the time of a large one goes.

    python benchmarks/pick_throughput.py --out benchmarks/results/pick_throughput.json

Makes its own data: a quickly trained run, 20 distinct simulated micrographs under 2,000 names, and one of 4096 x 4096.
Peak memory is that of the whole process, told by the kernel; seconds are CPU-seconds with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import nn

import topaz_runner
from cryoglean.durable import write_json_atomically
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.learn.predict import predict_map
from cryoglean.micrograph import Micrograph
from cryoglean.pick import find_peaks
from cryoglean.picking import load_picker
from cryoglean.prepare.rescale import rescale
from cryoglean.prepare.validity import find_valid
from cryoglean.run import Run
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1"}
PROGRAM = [sys.executable, "-m", "cryoglean"]


def make_run(folder: Path) -> Path:
    """A run whose only purpose is to be used."""
    settings = SimulationSettings(shape_pixels=(512, 512), particles_per_micrograph=40)
    simulate_folder(folder / "base", 20, 0, settings)
    labels = folder / "labels.csv"
    rows = (folder / "base" / "coordinates.csv").read_text().splitlines(keepends=True)
    labels.write_text(
        "".join(row for row in rows if row.startswith(("micrograph", "simulated_0000", "simulated_0001")))
    )
    cost = topaz_runner.measure(
        [*PROGRAM, "train", str(folder / "base"), "--picks", str(labels),
         "--diameter-angstrom", "180", "--effort", "quick",
         "--set", "learn.steps=60", "--out", str(folder / "run"), "--quiet"],
        env=ENVIRONMENT,
    )  # fmt: skip
    if cost.returncode:
        raise SystemExit(cost.stdout_tail)
    return folder / "run"


def pick_many(run: Path, folder: Path, count: int) -> dict[str, float]:
    """Pick `count` files (copies of 20 distinct ones) with the command line."""
    many = folder / f"many_{count}"
    many.mkdir()
    originals = sorted((folder / "base").glob("*.mrc"))
    for number in range(count):
        shutil.copy(originals[number % len(originals)], many / f"m{number:05d}.mrc")
    out = folder / f"picks_{count}.star"
    cost = topaz_runner.measure([*PROGRAM, "pick", str(run), str(many), "--out", str(out), "--quiet"], env=ENVIRONMENT)
    if cost.returncode:
        raise SystemExit(cost.stdout_tail)
    return {
        "micrographs": count,
        "peak_memory_mb": cost.peak_memory_mb,
        "cpu_seconds": cost.cpu_seconds,
        "wall_seconds": cost.wall_seconds,
    }


def clock(work: Callable[[], object], repeats: int = 5) -> float:
    """Least CPU-seconds of a call."""
    best = np.inf
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return float(best)


def profile_large(run: Path, folder: Path, diameter_pixels: int = 160) -> dict[str, float]:
    """Where the time of a 4096 x 4096 micrograph with particles of 160 pixels goes, in CPU-seconds."""
    file = folder / "large.mrc"
    pixels = np.random.default_rng(0).normal(size=(4096, 4096)).astype(np.float32)
    picker, _ = load_picker(Run(run))
    size = picker.preparation.diameter_angstrom / diameter_pixels
    write_micrograph(Micrograph("large", pixels, size), file)
    micrograph = read_micrograph(file)
    prepared = picker.preparation.apply(micrograph)
    image, network = prepared.image, picker.network
    probability = picker.map(prepared).numpy()
    stride = picker.stride
    return {
        "read": clock(lambda: read_micrograph(file)),
        "find_valid": clock(lambda: find_valid(micrograph.pixels, diameter_pixels // 4)),
        "rescale": clock(lambda: rescale(micrograph.pixels, picker.preparation.particle_pixels / diameter_pixels)),
        "prepare_all": clock(lambda: picker.preparation.apply(micrograph)),
        "network_8_views": clock(lambda: _predict(picker.hardware, network, image, stride)),
        "peaks": clock(lambda: find_peaks(probability, picker.preparation.particle_pixels / stride, picker.settings)),
        "total": clock(lambda: picker.pick_micrograph(read_micrograph(file)), 3),
    }


def _predict(hardware: object, network: nn.Module, image: object, stride: int) -> object:
    return predict_map(network, image, hardware, stride=stride, views=8)  # type: ignore[arg-type]


def main() -> None:
    """Measure everything and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--counts", default="20,2000")
    arguments = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder)
        result: dict[str, object] = {"large": profile_large(run, folder)}
        few, many = (pick_many(run, folder, int(count)) for count in arguments.counts.split(","))
    rate = (many["cpu_seconds"] - few["cpu_seconds"]) / (many["micrographs"] - few["micrographs"])
    result |= {
        "few": few,
        "many": many,
        "memory_ratio": many["peak_memory_mb"] / few["peak_memory_mb"],
        "cpu_seconds_per_micrograph": rate,
        "micrographs_per_core_hour": 3600 / rate,
    }
    write_json_atomically(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
