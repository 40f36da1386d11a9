"""A STAR file of a million picks: cryoglean's picks against the package starfile alone, time and memory.

python benchmarks/star_million.py [--picks 1000000] [--repeats 3]

Each reading and each writing is a process of its own. The file is as RELION writes it: six decimals. Results go to
benchmarks/results/star_million.json; `benchmarks/conformance.py` writes the table.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_json_atomically
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks

RESULTS = Path(__file__).parent / "results" / "star_million.json"
MICROGRAPHS = 200
TASKS = ("read", "write")
PROGRAMS = ("cryoglean", "starfile")


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picks", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("PROGRAM", "TASK", "FILE"), help="one measurement, for itself")
    words = parser.parse_args()
    if words.one:
        print(json.dumps(measured(*words.one, words.picks)))
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        file = Path(folder) / "particles.star"
        write_example(file, words.picks)
        size = file.stat().st_size
        runs: dict[str, list[dict[str, float]]] = {f"{p} {t}": [] for t in TASKS for p in PROGRAMS}
        for _ in range(words.repeats):
            for name, found in runs.items():
                found.append(in_a_process(*name.split(), file, words.picks))
                print(name, found[-1], flush=True)
    write_json_atomically(RESULTS, {"picks": words.picks, "bytes": size, "repeats": words.repeats, **summary(runs)})


def columns(picks: int) -> dict[str, Any]:
    """The table, by RELION's tags."""
    random = np.random.default_rng(0)
    names = [f"MotionCorr/job002/Movies/20170629_{place:05d}_frameImage.mrc" for place in range(MICROGRAPHS)]
    return {
        "rlnCoordinateX": random.uniform(0, 5760, picks).round(6),
        "rlnCoordinateY": random.uniform(0, 4092, picks).round(6),
        "rlnMicrographName": np.array(names, dtype=np.object_)[np.arange(picks) * MICROGRAPHS // picks],
        "rlnAutopickFigureOfMerit": random.uniform(0, 1, picks).round(6),
        "rlnClassNumber": np.zeros(picks, dtype=np.int64),
        "rlnAnglePsi": random.uniform(-180, 180, picks).round(6),
    }


def write_example(path: Path, picks: int) -> None:
    """The file that is read, without the help of either program."""
    table = columns(picks)
    with path.open("w", encoding="ascii") as file:
        file.write("# version 30001\n\ndata_particles\n\nloop_\n")
        file.writelines(f"_{tag} #{place}\n" for place, tag in enumerate(table, start=1))
        file.writelines(
            f"{x:.6f}\t{y:.6f}\t{name}\t{score:.6f}\t{number}\t{psi:.6f}\n"
            for x, y, name, score, number, psi in zip(*(v.tolist() for v in table.values()), strict=True)
        )
        file.write("\n\n")


def in_a_process(program: str, task: str, file: Path, picks: int) -> dict[str, float]:
    """One measurement in a fresh process."""
    words = [sys.executable, __file__, "--picks", str(picks), "--one", program, task, str(file)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def measured(program: str, task: str, file: str, picks: int) -> dict[str, float]:
    """Seconds of the step alone; the largest memory of the process, imports and the table to write included."""
    out = Path(file).with_name(f"out_{program}.star")
    if program == "starfile":
        import pandas as pd
        import starfile

        table = pd.DataFrame(columns(picks)) if task == "write" else None
        step = (lambda: starfile.read(file)) if table is None else (lambda: starfile.write(table, out))
    else:
        ours = as_picks(columns(picks)) if task == "write" else None
        step = (lambda: read_picks(file)) if ours is None else (lambda: write_picks(ours, out))
    wall, cpu = time.perf_counter(), time.process_time()
    result = step()
    times = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if result is not None and len(result) != picks:
        raise SystemExit(f"{program} read {len(result)} of {picks} rows")
    return {**times, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def as_picks(table: dict[str, Any]) -> Picks:
    """The same table as picks."""
    names = [str(path).rsplit("/", 1)[-1].removesuffix(".mrc") for path in table["rlnMicrographName"]]
    xy = np.stack([table["rlnCoordinateX"], table["rlnCoordinateY"]], axis=1)
    extra = {tag: table[tag].astype(str).astype(object) for tag in ("rlnClassNumber", "rlnAnglePsi")}
    extra["micrograph_path"] = table["rlnMicrographName"]
    return Picks(np.array(names), xy, table["rlnAutopickFigureOfMerit"], extra=extra)


def summary(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians, and cryoglean's share of starfile's."""
    medians = {
        name: {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}
        for name, found in runs.items()
    }
    ratios = {
        task: {
            key: round(medians[f"cryoglean {task}"][key] / medians[f"starfile {task}"][key], 2)
            for key in ("seconds", "cpu_seconds", "megabytes")
        }
        for task in TASKS
    }
    return {"medians": medians, "cryoglean_over_starfile": ratios}


if __name__ == "__main__":
    main()
