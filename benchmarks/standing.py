"""The standing comparison: an experiment on a simulated set of 100 micrographs, and on quarters of β-galactosidase's.

    python benchmarks/standing.py short --workers 2     # make bench: minutes
    python benchmarks/standing.py full --workers 2      # make bench-full: hours; resumable

5 % and 10 % labelled, 3 seeds, the strategies of the source notes, corrected, and `recommended`, beside supervised and
oracle; 400 steps a training (`short`: one ratio, two lines, 60 steps, simulated only). Lines that go on from the
supervised network for as many steps have their control in `supervised_twice`. β-galactosidase has ten micrographs, of
which 5 % is less than one: they are cut into quarters, and quarters of one micrograph are never on both sides of test,
validation and training. The experiment's folder is beside the data in the temporary directory, or --out; the rows go to
`results/standing_PLAN.jsonl`, the statistics to `results/standing_PLAN.json`. Topaz on the same labels:
`against_topaz.py`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_json_atomically, write_text_atomically
from cryoglean.engine.tasks import EngineChoice
from cryoglean.experiment.cell import Cell
from cryoglean.experiment.grid import make_grid
from cryoglean.experiment.running import Listeners, run_experiment
from cryoglean.experiment.statistics.account import account_for
from cryoglean.experiment.store import Store
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.io.picks import write_picks
from cryoglean.picks import Picks
from real_data import SHARED, Bench, beta_galactosidase, simulated

RESULTS = Path(__file__).parent / "results"
LINES = ("pseudo_label", "class_balanced", "mean_teacher", "fixmatch", "recommended")
PLANS: dict[str, dict[str, Any]] = {
    "short": {"ratios": [0.1], "lines": ["pseudo_label", "recommended"], "settings": ["learn.steps=60"]},
    "full": {
        "ratios": [0.05, 0.10], "settings": ["learn.steps=400"],
        "lines": {
            **dict.fromkeys(LINES), "supervised_twice": {"strategy": "supervised", "settings": ["learn.steps=800"]},
        },
    },
}  # fmt: skip
COUNTS = {"short": 30, "full": 100}


def simulated_data(count: int) -> dict[str, Any]:
    """The simulated globule as a data set of a grid."""
    bench = simulated("globule", count, 4)
    folder = next(iter(bench.paths.values())).parent
    return {
        "micrographs": str(folder / "*.mrc"), "labels": str(folder / "coordinates.csv"),
        "diameter_angstrom": bench.diameter_angstrom, "pixel_size_angstrom": bench.pixel_size_angstrom,
        "border_pixels": bench.border_pixels,
    }  # fmt: skip


def quartered_data() -> dict[str, Any]:
    """β-galactosidase, each micrograph cut into four, as a data set of a grid."""
    bench = beta_galactosidase()
    folder = Path(tempfile.gettempdir()) / "cryoglean_bgal_quarters"
    if not (folder / "labels.csv").exists():
        cut(bench, folder)
    return {
        "micrographs": str(folder / "*.mrc"),
        "labels": str(folder / "labels.csv"), "ignore": str(folder / "ignore.csv"),
        "diameter_angstrom": bench.diameter_angstrom, "pixel_size_angstrom": bench.pixel_size_angstrom,
        "border_pixels": bench.border_pixels, "group": "^(.*)_q[0-3]$",
    }  # fmt: skip


def cut(bench: Bench, folder: Path) -> None:
    """Write the quarters, their labels, and their points to ignore."""
    labels, ignored = [], []
    for name, path in sorted(bench.paths.items()):
        whole = read_micrograph(path, bench.pixel_size_angstrom)
        rows, columns = (length // 2 for length in whole.shape)
        for quarter in range(4):
            top, left = (quarter // 2) * rows, (quarter % 2) * columns
            part = f"{name}_q{quarter}"
            pixels = np.ascontiguousarray(whole.pixels[top : top + rows, left : left + columns])
            write_micrograph(replace(whole, name=part, pixels=pixels, path=None), folder / f"{part}.mrc")
            corner, shape = (left, top), (columns, rows)
            labels.append(inside(bench.truth.on(name), part, corner, shape))
            if bench.ignore is not None:
                ignored.append(inside(bench.ignore.on(name), part, corner, shape))
    write_picks(Picks.concatenate(ignored), folder / "ignore.csv")
    write_picks(Picks.concatenate(labels), folder / "labels.csv")  # last: it says that all is there


def inside(picks: Picks, part: str, corner: tuple[int, int], shape: tuple[int, int]) -> Picks:
    """The picks in a part of a micrograph, in its own pixels."""
    xy = picks.xy - corner
    return Picks.of_one(part, xy[((xy >= 0) & (xy < shape)).all(axis=1)])


def main() -> None:
    """Run what is missing, and write the results files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", choices=sorted(PLANS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = {"globule": simulated_data(COUNTS[arguments.plan])}
    if arguments.plan == "full" and SHARED.exists():
        data["bgal"] = quartered_data()
    elif arguments.plan == "full":
        print(f"β-galactosidase is left out: {SHARED} is not there")
    grid = make_grid({"data": data, "seeds": 3, **PLANS[arguments.plan]})
    store = Store(arguments.out or Path(tempfile.gettempdir()) / f"cryoglean_standing_{arguments.plan}")

    def said(cell: Cell, result: dict[str, Any] | str) -> None:
        told = result if isinstance(result, str) else f"F1 {result['f1']:.3f}, {result['train_cpu_seconds']:.0f} CPU-s"
        print(f"{cell.data} {100 * cell.ratio:g} % seed {cell.seed} {cell.line}: {told}", flush=True)

    progress = run_experiment(grid, store, EngineChoice(arguments.workers), Listeners(said, print))
    rows = store.rows()
    write_text_atomically(RESULTS / f"standing_{arguments.plan}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    accounts = {measure: account_for(rows, measure=measure).to_json() for measure in ("f1", "average_precision")}
    write_json_atomically(RESULTS / f"standing_{arguments.plan}.json", accounts)
    print(f"{len(rows)} of {progress.cells} cells; the page: cryoglean report {store.folder}")
    for sentence in accounts["f1"]["sentences"]:
        print(f"- {sentence}")


if __name__ == "__main__":
    main()
