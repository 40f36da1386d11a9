"""What the engine costs: tasks that do nothing and tasks of a second, in a loop and in 1 and 2 worker processes.

    python benchmarks/engine_overhead.py --out benchmarks/results/engine_overhead.json

Tasks of a second sleep, so that they need no core and the difference to the ideal is the engine's. `start` is from the
call to the first outcome, `end` from the last outcome until all processes are gone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cryoglean.durable import write_json_atomically
from cryoglean.engine.run import run_tasks
from cryoglean.engine.spread import spread
from cryoglean.engine.tasks import EngineChoice, Task
from cryoglean.engine.waiting import Waiting
from cryoglean.environment import describe_environment

CASES = (("no-op", 0.0, 1000), ("one second", 1.0, 20))


def work(seconds: float) -> None:
    """A task that needs time, but no core."""
    time.sleep(seconds)


def measure(seconds: float, count: int, workers: int) -> dict[str, float]:
    """Run `count` tasks; 0 workers is the loop in this process."""
    tasks = [Task(str(number), seconds) for number in range(count)]
    begun, cpu = time.monotonic(), time.process_time()
    if workers == 0:
        outcomes = run_tasks(tasks, work, EngineChoice())
    else:
        outcomes = spread(Waiting(tasks), work, EngineChoice(workers), None)
    next(outcomes)
    first = time.monotonic()
    done = 1
    last = first
    for outcome in outcomes:
        done += outcome.is_done
        last = time.monotonic()
    ended = time.monotonic()
    if done != count:
        raise SystemExit(f"{count - done} tasks were not done")
    ideal = seconds * (-(-count // max(workers, 1)) - 1)
    return {
        "tasks": count,
        "start_seconds": first - begun - seconds,
        "milliseconds_per_task": 1000 * (last - first) / (count - 1),
        "overhead_milliseconds_per_task": 1000 * (last - first - ideal) / (count - 1) if seconds else None,
        "end_seconds": ended - last,
        "main_process_cpu_seconds": time.process_time() - cpu,
    }


def import_cost() -> dict[str, float]:
    """Seconds and megabytes of `import distributed`, in a process of its own, beyond an empty one."""
    seconds = []
    for code in ("pass", "import distributed"):
        times = []
        for _ in range(3):
            begun = time.monotonic()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.monotonic() - begun)
        seconds.append(min(times))
    names = (
        "distributed", "dask", "tornado", "msgpack", "psutil", "cloudpickle", "fsspec", "toolz", "partd", "locket",
        "zict", "tblib", "sortedcontainers",
    )  # fmt: skip
    folders = [Path(str(importlib.import_module(name).__file__)).parent for name in names]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    return {"seconds": seconds[1] - seconds[0], "megabytes": sum(file.stat().st_size for file in files) / 1e6}


def main() -> None:
    """Measure everything and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result: dict[str, object] = {
        "environment": describe_environment("no network"),
        "load_before": os.getloadavg()[0],
        "import_distributed": import_cost(),
    }
    for name, seconds, count in CASES:
        result[name] = {
            label: measure(seconds, count, workers)
            for label, workers in (("loop", 0), ("1 worker process", 1), ("2 worker processes", 2))
        }
    write_json_atomically(arguments.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
