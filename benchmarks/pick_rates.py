"""Picking time per micrograph without the start of the program: (seconds for n - seconds for 1) / (n - 1).

    python benchmarks/pick_rates.py

cryoglean with eight views, Topaz with the network it is fine-tuned with (`resnet8_u32`, its own weights: speed does not
depend on them). CPU-seconds, one thread, reading included, Topaz's preprocessing told beside it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import topaz_runner as topaz
from against_topaz import ENVIRONMENT, find_topaz, preprocess, scale_of
from cryoglean.durable import append_json_line
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import choose_settings
from pick_throughput import PROGRAM
from real_data import Bench, all_benches

RESULTS = Path(__file__).parent / "results" / "pick_rates.jsonl"


def rate_cryoglean(bench: Bench, folder: Path) -> dict[str, float]:
    """`cryoglean pick` on all micrographs against one."""
    learned, validation, _ = bench.split(1)
    train(bench.dataset(learned, validation), choose_settings(assignments=["learn.steps=40"]), Run(folder / "run"))
    files = [str(path) for path in bench.paths.values()]
    costs = []
    for count in (1, len(files)):
        words = ["pick", str(folder / "run"), *files[:count], "--out", str(folder / f"{count}.csv"), "--quiet"]
        costs.append(topaz.measure([*PROGRAM, *words], env=ENVIRONMENT).cpu_seconds)
    return {"start": costs[0], "per_micrograph": (costs[1] - costs[0]) / (len(files) - 1)}


def rate_topaz(bench: Bench, folder: Path) -> dict[str, float]:
    """`topaz extract` on all micrographs against one; `topaz preprocess` beside it."""
    program = find_topaz()
    names = list(bench.paths)
    images = preprocess(program, bench, names, folder)
    prepared = topaz.preprocess(program, list(bench.paths.values()), folder / "again", scale_of(bench))
    settings = topaz.ExtractSettings(
        radius=round(0.45 * bench.diameter_pixels / scale_of(bench)), scale=scale_of(bench)
    )
    costs = []
    for count in (1, len(names)):
        chosen = [images[name] for name in names[:count]]
        costs.append(topaz.extract(program, "resnet8_u32", chosen, folder / "out.txt", settings=settings).cpu_seconds)
    return {
        "start": costs[0],
        "per_micrograph": (costs[1] - costs[0]) / (len(names) - 1),
        "preprocess_per_micrograph": prepared.cpu_seconds / len(names),
    }


def main() -> None:
    """Measure both on every set."""
    for bench in all_benches():
        with tempfile.TemporaryDirectory() as name:
            ours, theirs = rate_cryoglean(bench, Path(name)), rate_topaz(bench, Path(name))
        ratio = theirs["per_micrograph"] / ours["per_micrograph"]
        row = {"set": bench.name, "cryoglean": ours, "topaz": theirs, "ratio": ratio}
        append_json_line(RESULTS, row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
