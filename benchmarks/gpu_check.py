"""The GPU path against the CPU path: same data, same settings, one machine, one run.

    python benchmarks/gpu_check.py --out benchmarks/results/gpu_check.json

Trains (`supervised` and `recommended`, standard effort) and picks on both, compares F1 on micrographs never seen,
wall time, and the maps that one network makes on both in float32 and bfloat16. Needs a CUDA device.
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
import torch

from cryoglean.durable import write_json_atomically
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.predict import predict_map
from cryoglean.micrograph import Micrograph
from cryoglean.picking import load_picker
from cryoglean.run import Run

PROGRAM = [sys.executable, "-m", "cryoglean"]
THREADS = {"cpu": str(min(8, os.cpu_count() or 1)), "cuda": "1"}


def call(device: str, *words: str) -> float:
    """Run a command on a device; wall seconds."""
    environment = {**os.environ, "CRYOGLEAN_DEVICE": device, "CRYOGLEAN_THREADS": THREADS[device]}
    began = time.perf_counter()
    done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def prepare(folder: Path) -> None:
    """Twelve simulated micrographs, two of them labelled, and twenty names of one of 4096 x 4096."""
    call("cpu", "simulate", str(folder / "data"), "--micrographs", "12", "--seed", "3")
    truth = read_picks(folder / "data" / "coordinates.csv")
    names = truth.micrographs
    write_picks(truth.of(names[:2]), folder / "labels.csv")
    write_picks(truth.of(names[6:]), folder / "truth.csv")
    small = read_micrograph(folder / "data" / f"{names[0]}.mrc")
    repeats = [-(-4096 // side) for side in small.shape]
    large = np.tile(small.pixels, repeats)[:4096, :4096]
    (folder / "large").mkdir()
    write_micrograph(Micrograph("large", large, small.pixel_size_angstrom), folder / "large" / "large_00.mrc")
    for place in range(1, 20):
        (folder / "large" / f"large_{place:02d}.mrc").symlink_to("large_00.mrc")


def train_and_pick(folder: Path, device: str, strategy: str) -> dict[str, Any]:
    """Wall seconds and F1 of one strategy on one device."""
    run = folder / f"{strategy}_{device}"
    tests = sorted(str(path) for path in (folder / "data").glob("*.mrc"))
    train = call(
        device, "train", *tests[:6], "--picks", str(folder / "labels.csv"), "--diameter-angstrom", "180",
        "--strategy", strategy, "--effort", "standard", "--out", str(run), "--quiet",
    )  # fmt: skip
    pick = call(device, "pick", str(run), *tests[6:], "--out", str(run / "picks.csv"), "--quiet")
    large = call(device, "pick", str(run), str(folder / "large"), "--out", str(run / "large.csv"), "--quiet")
    call(
        "cpu", "evaluate", str(run / "picks.csv"), "--truth", str(folder / "truth.csv"), "--diameter-pixels", "45",
        "--json", str(run / "scores.json"), "--quiet",
    )  # fmt: skip
    scores = json.loads((run / "scores.json").read_text())
    return {
        "train_wall_s": train, "pick_six_wall_s": pick, "pick_twenty_4096_wall_s": large,
        "f1": scores["f1"], "average_precision": scores["average_precision"],
    }  # fmt: skip


def compare_maps(folder: Path) -> dict[str, float]:
    """Largest and mean difference of the probabilities that one network gives on both devices."""
    picker, _ = load_picker(Run(folder / "supervised_cpu"), "float32")
    name = next(iter(sorted((folder / "data").glob("*.mrc"))))
    image = picker.preparation.apply(read_micrograph(name)).image
    maps = {}
    for device in ("cpu", "cuda"):
        for half in (False, True):
            hardware = Hardware(torch.device(device), half)
            maps[device, half] = predict_map(hardware.place(picker.network), image, hardware, stride=picker.stride)
    found = {}
    for (device, half), value in maps.items():
        difference = (value - maps["cpu", False]).abs()
        found[f"{device}_{'bfloat16' if half else 'float32'}_max"] = float(difference.max())
        found[f"{device}_{'bfloat16' if half else 'float32'}_mean"] = float(difference.mean())
    return found


def main() -> None:
    """Run everything and write the results file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device here")
    result: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "threads": THREADS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for strategy in ("supervised", "recommended"):
            for device in ("cuda", "cpu"):
                result[f"{strategy}_{device}"] = train_and_pick(folder, device, strategy)
                print(strategy, device, result[f"{strategy}_{device}"], flush=True)
                write_json_atomically(out, result)
        result["maps"] = compare_maps(folder)
        print(result["maps"])
    write_json_atomically(out, result)


if __name__ == "__main__":
    main()
