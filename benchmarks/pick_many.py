"""Tens of thousands of micrographs: speed by number of workers, memory, and whether anything is lost.

    python benchmarks/pick_many.py --micrographs 20000 --workers 2 --out benchmarks/results/pick_many.json

Makes its own data: a quickly trained run, and 20 distinct small micrographs hard-linked under many names, one in a
hundred cut off. Picks `--fewer` and all of them, with one process and with `--workers`, and all of them once more with
a worker killed half way. Every file must be the one of one process, byte for byte. Memory is the kernel's own peak of
each process (VmHWM), looked up until the process ends. Seconds are of the clock, so say what else runs.
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

import psutil

from cryoglean.durable import write_json_atomically
from cryoglean.environment import describe_environment
from cryoglean.io.picks import write_picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1"}
PROGRAM = [sys.executable, "-m", "cryoglean"]
SIDE = 128
DISTINCT = 20
ONE_BROKEN_IN = 100


def make_run(folder: Path) -> Path:
    """A run whose only purpose is to be used."""
    settings = SimulationSettings(molecule="tetramer", shape_pixels=(384, 384), particles_per_micrograph=25)
    picks = simulate_folder(folder / "train", 2, 0, settings)
    write_picks(picks, folder / "labels.csv")
    words = ["train", folder / "train", "--picks", folder / "labels.csv", "--diameter-angstrom", "180"]
    words += ["--set", "learn.steps=60", "--set", "learn.crop_pixels=96", "--set", "pick.views=1"]
    words += ["--strategy", "supervised", "--out", folder / "run", "--quiet"]
    subprocess.run([*PROGRAM, *map(str, words)], env=ENVIRONMENT, check=True)
    return folder / "run"


def make_micrographs(folder: Path, count: int) -> tuple[Path, set[str]]:
    """A folder of `count` files, and the names of the broken ones."""
    base = folder / "base"
    if not base.exists():
        settings = SimulationSettings(molecule="tetramer", shape_pixels=(SIDE, SIDE), particles_per_micrograph=3)
        simulate_folder(base, DISTINCT, 1, settings)
        (base / "broken").write_bytes(next(base.glob("*.mrc")).read_bytes()[:9000])
    originals = sorted(base.glob("*.mrc"))
    many = folder / f"micrographs_{count}"
    many.mkdir()
    broken = set()
    for number in range(count):
        is_broken = number % ONE_BROKEN_IN == ONE_BROKEN_IN // 2
        link = many / f"m{number:06d}.mrc"
        link.hardlink_to(base / "broken" if is_broken else originals[number % DISTINCT])
        if is_broken:
            broken.add(link.stem)
    return many, broken


def peak_megabytes(pid: int) -> float:
    """The peak of a process so far; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def worker_pids(main: psutil.Process) -> list[int]:
    """The worker processes of a picking."""
    try:
        children = main.children(recursive=True)
        return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def pick(run: Path, micrographs: Path, out: Path, workers: int, kill_after: int | None = None) -> dict[str, Any]:
    """Pick all with the command line and say what it took.

    Args:
        run: the run.
        micrographs: the folder.
        out: the file to write.
        workers: how many.
        kill_after: a worker is killed when so many micrographs are finished.
    """
    words = [*PROGRAM, "pick", run, micrographs, "--out", out, "--workers", workers, "--json"]
    journal = out.parent / f".{out.name}.partial" / "picks.jsonl"
    begun = time.monotonic()
    first = last = 0.0
    peaks: dict[int, float] = {}
    killed: list[int] = []
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(
        list(map(str, words)), env=ENVIRONMENT, stdout=said
    ) as process:  # fmt: skip
        main = psutil.Process(process.pid)
        while process.poll() is None:
            pids = worker_pids(main)
            for pid in [process.pid, *pids]:
                peaks[pid] = max(peaks.get(pid, 0.0), peak_megabytes(pid))
            if journal.exists() and not first:
                first = time.monotonic()
            if kill_after is not None and not killed and pids and _lines(journal) >= kill_after:
                killed.append(pids[0])
                psutil.Process(pids[0]).kill()
            time.sleep(0.1)
        last = time.monotonic()
        said.seek(0)
        facts = json.loads(said.read())
    count = facts["micrographs"] + len(facts["skipped"])
    return {
        "micrographs": facts["micrographs"],
        "skipped": sorted(facts["skipped"]),
        "picks": facts["picks"],
        "workers": workers,
        "workers_killed": len(killed),
        "seconds": last - begun,
        "seconds_from_the_first_micrograph": last - first,
        "micrographs_per_second": count / (last - begun),
        "micrographs_per_second_from_the_first": count / (last - first),
        "peak_megabytes_main": peaks.pop(process.pid),
        "peak_megabytes_workers": sorted(peaks.values()),
    }


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def compare(run: Path, folder: Path, count: int, workers: int, *, kills: bool) -> dict[str, Any]:
    """Pick `count` micrographs with 1 and with several workers; nothing may be lost, and the files must be equal.

    Raises:
        SystemExit: they are not.
    """
    micrographs, broken = make_micrographs(folder, count)
    result: dict[str, Any] = {}
    reference = b""
    for label, number, kill_after in (
        ("1 process", 1, None),
        (f"{workers} workers", workers, None),
        *([(f"{workers} workers, one killed", workers, count // 2)] if kills else []),
    ):
        out = folder / f"{count}_{label.replace(' ', '_')}.star"
        found = pick(run, micrographs, out, number, kill_after)
        content = out.read_bytes()
        reference = reference or content
        if content != reference or set(found.pop("skipped")) != broken or found["micrographs"] != count - len(broken):
            raise SystemExit(f"{label}: something was lost")
        if kill_after is not None and not found["workers_killed"]:
            raise SystemExit("the picking was faster than the kill")
        result[label] = {**found, "skipped": len(broken), "file_is_that_of_1_process": True}
    return result


def main() -> None:
    """Measure everything and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, default=20000)
    parser.add_argument("--fewer", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "environment": describe_environment("see the workers"),
        "load_before": os.getloadavg()[0],
        "side_pixels": SIDE,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder)
        for count in sorted({arguments.fewer, arguments.micrographs}):
            kills = count == arguments.micrographs
            result[str(count)] = compare(run, folder, count, arguments.workers, kills=kills)
            print(json.dumps(result[str(count)], indent=2), flush=True)
    write_json_atomically(arguments.out, result)


if __name__ == "__main__":
    main()
