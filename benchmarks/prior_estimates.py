"""How many particles clicks alone say there are, against the truth, on six sets.

    python benchmarks/prior_estimates.py --out benchmarks/results/prior_estimates.json [--sets bgal] [--clicks 100 20]
    python benchmarks/prior_estimates.py --write benchmarks/results/prior_estimates.json

Cells that the file already holds are not measured again. The clicks are those of `click_data.py`; no number and no
validation micrographs are given. β-galactosidase has points of which its annotators were not sure: the truth lies
between the numbers without and with them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from click_data import Clicks, draw_clicks
from cryoglean.counting import micrograph_pixels, unjudged_names
from cryoglean.durable import write_json_atomically
from cryoglean.errors import LabelsError
from cryoglean.estimating import estimate_density
from cryoglean.labelling import count_density
from cryoglean.learn.hardware import find_hardware
from cryoglean.picks import Picks
from cryoglean.prepare.split import Region
from cryoglean.preparing import prepare_labelled, prepare_unlabelled, split_labelled
from cryoglean.settings import choose_settings
from cryoglean.task import Task

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explain" / "priors.md"
SETS = (
    "bgal", "apoferritin_k0.05", "apoferritin_k0.1", "simulated_globule", "simulated_tetramer", "simulated_channel"
)  # fmt: skip
Row = dict[str, Any]


def make_task(draw: Clicks, seed: int) -> Task:
    """What a training from these clicks begins with."""
    settings = choose_settings(fixed={"labels": {"kind": "sparse"}, "seed": seed})
    dataset = draw.dataset(has_validation=False)
    preparation, prepared = prepare_labelled(dataset, settings)
    task = Task(
        settings, find_hardware(settings.learn.precision), preparation, prepared, dataset.labels,
        split_labelled(dataset, settings), tell=lambda _event: None,
    )  # fmt: skip
    return replace(task, unlabelled=prepare_unlabelled(dataset, settings, preparation, task.tell))


def count_truth(labels: Picks, task: Task) -> float:
    """Particles a micrograph by all labels of the micrographs that are looked at, the edges filled up as densely."""
    every = replace(task, prepared={**task.prepared, **task.unlabelled}, labels=labels)
    density = count_density(every, tuple(Region(name) for name in unjudged_names(task)))
    return round(density * micrograph_pixels(task), 1)


def measure(name: str, clicks: int, seed: int) -> Row:
    """One cell."""
    draw = draw_clicks(name, clicks, seed)
    task = make_task(draw, seed)
    pixels, truth, doubtful = micrograph_pixels(task), draw.bench.truth, draw.bench.ignore
    row: Row = {
        "set": name, "clicks": clicks, "draw": seed, "micrographs": len(unjudged_names(task)),
        "truth": count_truth(truth, task),
        "truth_and_doubtful": count_truth(Picks.concatenate([truth, *([doubtful] if doubtful else [])]), task),
        "labels_on_a_micrograph": round(len(truth.of(draw.clicked)) / len(draw.clicked), 1),
    }  # fmt: skip
    started = time.process_time()
    try:
        found = estimate_density(task)
    except LabelsError as error:
        return {**row, "best_bin": None, "why": str(error), "cpu_seconds": round(time.process_time() - started, 1)}
    return {
        **row,
        "best_bin": None if found.value is None else round(found.value * pixels, 1),
        "ratio": round(found.ratio * pixels, 1), "low": round(found.low * pixels, 1),
        "high": round(found.high * pixels, 1), "separation": round(found.evidence.separation, 3),
        "separation_low": round(found.evidence.separation_low, 3), "held_out": found.evidence.positives,
        "why": found.reason, "cpu_seconds": round(time.process_time() - started, 1),
    }  # fmt: skip


def write_page(rows: list[Row]) -> None:
    """Put the table between the marks in docs/explain/priors.md."""
    head = ["set", "clicks", "draw", "truth", "best bin", "95 % interval", "holds the truth", "formula"]
    head += ["separation (2.5 %)", "CPU s"]
    lines = [head, ["---"] * len(head), *(_line(row) for row in rows)]
    made = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split("<!-- estimates -->\n", maxsplit=1)
    after = rest.split("<!-- end -->", maxsplit=1)[1]
    PAGE.write_text(f"{before}<!-- estimates -->\n{made}\n<!-- end -->{after}", encoding="utf-8")


def _line(row: Row) -> list[str]:
    least, most = row["truth"], row["truth_and_doubtful"]
    truth = f"{least:.0f}" + (f" (to {most:.0f})" if most > least else "")
    about = [row["set"], str(row["clicks"]), str(row["draw"]), truth]
    seconds = f"{row['cpu_seconds']:.0f}"
    if "ratio" not in row:
        return [*about, "not possible", "–", "–", "–", "–", seconds]
    parted = f"{row['separation']:.2f} ({row['separation_low']:.2f})"
    if row["best_bin"] is None:
        holds = "yes" if least <= row["high"] else "no"
        return [*about, "not identifiable", f"at most {row['high']:.0f}", holds, f"{row['ratio']:.0f}", parted, seconds]
    holds = "yes" if row["low"] <= most and least <= row["high"] else "no"
    interval = f"{row['low']:.0f}–{row['high']:.0f}"
    return [*about, f"{row['best_bin']:.0f}", interval, holds, f"{row['ratio']:.0f}", parted, seconds]


def main() -> None:
    """Measure the cells that are missing, or write what was measured into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--clicks", nargs="+", type=int, default=[100])
    parser.add_argument("--draws", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.out is not None:
        rows: list[Row] = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else []
        done = {(row["set"], row["clicks"], row["draw"]) for row in rows}
        cells = [(one, many, draw) for many in arguments.clicks for draw in arguments.draws for one in arguments.sets]
        for cell in cells:
            if cell not in done:
                rows.append(measure(*cell))
                print(json.dumps(rows[-1]), flush=True)
                write_json_atomically(arguments.out, rows)
    if arguments.write:
        write_page(json.loads(arguments.write.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
