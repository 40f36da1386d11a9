"""Real labels there and back through every format of picks.

python benchmarks/round_trips.py [--data ../shared/data/bgal_10017]

The labels of nine β-galactosidase micrographs; the tenth stands for one without a particle. A score and a further
column are made up, so that it shows what a format loses. Results go to benchmarks/results/round_trips.json;
`benchmarks/conformance.py` writes the table.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.durable import write_json_atomically
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.picks import Picks
from cryoglean.registry import card_names, load_card

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "bgal_10017"
RESULTS = ROOT / "benchmarks" / "results" / "round_trips.json"
COLUMNS = ("score", "diameter", "extra", "empty")


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    write_json_atomically(RESULTS, results(parser.parse_args().data))


def results(data: Path) -> dict[str, Any]:
    """What every format makes of the labels."""
    micrographs = micrographs_by_name(find_micrographs([data / "micrographs"]))
    picks = labels(data / "coordinates.csv")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(card, picks, micrographs, Path(folder)) for card in card_names("formats")]
    return {"picks": len(picks), "micrographs": len(picks.micrographs), "formats": rows}


def labels(path: Path) -> Picks:
    """The labels, those of the last micrograph left out; scores with all digits of a 64-bit number."""
    everything = read_picks(path)
    picks = replace(everything.of(everything.micrographs[:-1]), micrographs=everything.micrographs)
    random = np.random.default_rng(0)
    kinds = np.array(["top", "side"])[random.integers(0, 2, len(picks))]
    return replace(picks, score=random.uniform(-5, 5, len(picks)), extra={"kind": kinds})


def measured(card: str, picks: Picks, micrographs: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Errors, losses and sizes of one format."""
    module = load_card("formats", card)
    path = folder / card if module.FACTS.ending else folder / f"{card}{module.SUFFIXES[0]}"
    flip_y = True if module.FACTS.y_axis == "unsaid_for_mrc" else None
    write_picks(picks, path, card, micrographs=micrographs, flip_y=flip_y)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    back = read_picks(path, card, micrographs=micrographs, flip_y=flip_y)
    errors = [np.abs(back.on(name).xy - part.xy).max() for name, part in picks.each() if len(part)]
    kept = [column for column in COLUMNS if has(column, back, picks)]
    return {
        "format": card,
        "largest_error_pixels": float(f"{max(errors):.2g}"),
        "stated_pixels": module.FACTS.rounding_pixels,
        "kept": kept,
        "lost": [column for column in COLUMNS if column not in kept],
        "stated_kept": [column for column in COLUMNS if column in module.FACTS.keeps],
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
    }


def has(column: str, back: Picks, picks: Picks) -> bool:
    """Whether a column came back as it was, micrograph by micrograph."""
    if column == "empty":
        return set(back.micrographs) == set(picks.micrographs)
    return all(same(column, back.on(name), part) for name, part in picks.each())


def same(column: str, back: Picks, picks: Picks) -> bool:
    """Whether one micrograph's column came back; scores to a millionth."""
    if not len(picks):
        return True
    if column == "score":
        return back.score is not None and np.allclose(back.score, picks.score, rtol=1e-6, atol=0)
    if column == "diameter":
        return back.diameter_pixels is not None and np.array_equal(back.diameter_pixels, picks.diameter_pixels)
    return "kind" in back.extra and back.extra["kind"].tolist() == picks.extra["kind"].tolist()


if __name__ == "__main__":
    main()
