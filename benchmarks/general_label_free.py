"""Pick with the general start and no label: simulated molecules it has never seen, and real micrographs.

Beside it a blob filter (Laplacian of a Gaussian) that was tuned on the truth itself: its size and its threshold are the
best of all, so that it is an upper bound of what such a filter can do.

    CRYOGLEAN_THREADS=1 python benchmarks/general_label_free.py

Writes benchmarks/results/general_label_free.json: F1 at the start's own threshold with its 95 % interval over
micrographs, best F1 and average precision; and `write_strategies.py` the table.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_laplace

from cryoglean.durable import write_json_atomically
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.start import general_picker
from cryoglean.pick import find_peaks
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation
from cryoglean.settings import PickSettings
from real_data import Bench, apoferritin, beta_galactosidase, simulated

RESULTS = Path(__file__).parent / "results" / "general_label_free.json"
MOLECULES = ("globule", "tetramer", "ferritin", "channel", "barrel", "antibody")


def main() -> None:
    """All sets, one row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, default=10, help="of each set, in order of name")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    benches = [*(simulated(molecule) for molecule in MOLECULES), beta_galactosidase(), apoferritin(0.1)]
    rows = []
    for bench in benches:
        rows.append(score(bench, arguments.micrographs))
        print(rows[-1], flush=True)
        write_json_atomically(arguments.out, rows)


def score(bench: Bench, count: int) -> dict[str, Any]:
    """Pick the first micrographs of a set and compare with its truth.

    Args:
        bench: a labelled set; only its diameter and pixel size are told to the picker.
        count: how many micrographs.
    """
    started = time.process_time()
    picker, threshold = general_picker(bench.diameter_angstrom, find_hardware())
    names = sorted(bench.paths)[:count]
    parts = [picker.pick_micrograph(read_micrograph(bench.paths[name], bench.pixel_size_angstrom)) for name in names]
    picks = Picks.concatenate(parts)
    blob_f1, blob_size = tune_blobs(bench, names, picker.preparation)
    ignore = None if bench.ignore is None else bench.ignore.of(names)
    found = evaluate_picks(picks, bench.truth.of(names), bench.rules(), threshold=threshold, ignore=ignore)
    strictly = evaluate_picks(picks, bench.truth.of(names), bench.rules(), threshold=threshold)
    precision = None if found.curve is None else found.curve.average_precision
    best_f1, best_threshold = found.best
    values = {
        "f1": found.total.f1, "precision": found.total.precision, "recall": found.total.recall, "best_f1": best_f1,
        "best_f1_threshold": best_threshold, "average_precision": precision, "threshold": threshold,
        "f1_without_ignore": strictly.total.f1, "blob_best_f1": blob_f1, "blob_size": blob_size,
    }  # fmt: skip
    low, high = found.intervals["f1"] or (None, None)
    values |= {"f1_low": low, "f1_high": high}
    rounded = {name: None if value is None else round(value, 4) for name, value in values.items()}
    seconds = round(time.process_time() - started, 1)
    return {"set": bench.name, "micrographs": len(names), "labels": 0, **rounded, "cpu_seconds": seconds}


def tune_blobs(bench: Bench, names: list[str], preparation: Preparation) -> tuple[float, float]:
    """The best F1 of a blob filter over sizes and thresholds, and that size in diameters."""
    best = (0.0, 0.0)
    for size in (0.5, 0.7, 0.85, 1.0, 1.2):
        parts = []
        for name in names:
            prepared = preparation.apply(read_micrograph(bench.paths[name], bench.pixel_size_angstrom))
            sigma = size * preparation.particle_pixels / (2 * math.sqrt(2))
            answer = -gaussian_laplace(prepared.image.numpy(), sigma, mode="nearest")
            likely = np.clip(answer / 4 * sigma**2, 0, None) * prepared.valid.numpy()
            settings = PickSettings(smooth_diameters=0.0, floor=0.0)
            xy, score = find_peaks(likely.astype(np.float32), preparation.particle_pixels, settings)
            parts.append(Picks.of_one(name, prepared.scale.to_original(xy), score))
        ignore = None if bench.ignore is None else bench.ignore.of(names)
        found = evaluate_picks(Picks.concatenate(parts), bench.truth.of(names), bench.rules(), ignore=ignore)
        best = max(best, (found.best[0] or 0.0, size))
    return best


if __name__ == "__main__":
    main()
