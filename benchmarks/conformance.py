"""Read every file of the conformance set, compare with the reference readers, and write docs/conformance.md.

python benchmarks/conformance.py [--data ../shared/data/formats] [--page-only]

The set is 77 files with a MANIFEST.csv, which says what is odd about each and what mrcfile, tifffile, starfile or numpy
make of it. Results go to benchmarks/results/conformance.json; the page also has the tables of round_trips.json,
star_million.json and fuzz_formats.json.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from conformance_page import page
from cryoglean.durable import write_json_atomically, write_text_atomically
from cryoglean.errors import CryogleanError, MicrographError, PicksError
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.io.star_tables import read_star_tables

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "formats"
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "conformance.md"
PICTURES = ("mrc", "synthetic", "other_images")
Row = dict[str, Any]


def main() -> None:
    """Measure, save and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--page-only", action="store_true", help="from the results that are there")
    words = parser.parse_args()
    if not words.page_only:
        write_json_atomically(RESULTS / "conformance.json", results(words.data))
    write_text_atomically(PAGE, page(RESULTS))


def results(data: Path) -> list[Row]:
    """A row for each file of the manifest."""
    truth = json.loads((data / "synthetic" / "expected.json").read_text(encoding="utf-8"))
    with (data / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        return [measured(row, data, truth) for row in csv.DictReader(file)]


def measured(entry: dict[str, str], data: Path, truth: dict[str, Any]) -> Row:
    """What the reference and what cryoglean say of one file."""
    path = data / entry["file"]
    reference = entry["reference_reading"] or other_reference(path)
    row: Row = {"file": entry["file"], "bytes": int(entry["bytes"]), "odd": entry["what"], "reference": reference}
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        raise SystemExit(f"{path} is not the file of the manifest")
    if entry["file"].split("/")[0] in PICTURES:
        return {**row, **picture(path, reference, truth.get(path.name))}
    return {**row, **picks(path, reference)}


def other_reference(path: Path) -> str:
    """What another reader says where the manifest names none: pyStarDB of .cbox, Python's csv of .csv."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return f"csv {len(list(csv.DictReader(file)))} rows"
    from pyStarDB.sp_pystardb import StarFile

    try:
        table = StarFile(str(path))["cryolo"]
    except (TypeError, KeyError) as error:
        return f"pyStarDB ERROR {type(error).__name__}: {error}"
    return f"pyStarDB cryolo:({len(table)}, {len(table.columns)})"


def picture(path: Path, reference: str, truth: dict[str, Any] | None) -> Row:
    """A micrograph, or the sentence that refuses it."""
    try:
        micrograph = read_micrograph(path)
    except MicrographError as error:
        nobody = "ERROR" in reference or "data None" in reference
        return {"cryoglean": refusal(error), "verdict": "refused by both" if nobody else "refused: no micrograph"}
    pixels = micrograph.pixels
    size = micrograph.pixel_size_angstrom
    said = f"{pixels.shape} {pixels.dtype}, {'no pixel size' if size is None else f'{size:g} Å'}"
    return {"cryoglean": said, "verdict": verdict_of_picture(pixels, reference, truth)}


def verdict_of_picture(pixels: np.ndarray, reference: str, truth: dict[str, Any] | None) -> str:
    """Whether the values are mrcfile's, or else the true ones."""
    found = re.search(r"\((\d+), (\d+)\) (\S+) mode .*sha256\[:12\] (\w+)", reference)
    if found is not None:
        shape, numbers, digest = (int(found[1]), int(found[2])), found[3].replace(">", "<"), found[4]
        theirs = pixels.astype(numbers)
        is_whole = np.array_equal(theirs.astype(np.float32), pixels, equal_nan=True)
        if pixels.shape == shape and is_whole and hashlib.sha256(theirs.tobytes()).hexdigest()[:12] == digest:
            return "same values"
    if truth is None or not np.isclose(pixels.mean(dtype=np.float64), truth["mean"], rtol=1e-6):
        return "DIFFERS"
    return "the true values, which mrcfile has wrong" if found else "the true values, which mrcfile can't read"


def picks(path: Path, reference: str) -> Row:
    """Picks, or the sentence that refuses them."""
    try:
        found = read_picks(path, flip_y=False if path.suffix == ".csv" else None)
    except PicksError as error:
        nobody = "ERROR" in reference
        return {"cryoglean": refusal(error), "verdict": "refused by both" if nobody else "refused: no particles in it"}
    parts = [f"{len(found)} picks", "scores" if found.score is not None and len(found) else ""]
    rows = reference_rows(path, reference)
    verdict = "as many picks as rows" if rows == len(found) else f"DIFFERS: {rows} rows"
    if path.suffix == ".star" and "rlnCoordinateZ" in found.extra:
        verdict += "; z is kept as a column"
    return {"cryoglean": ", ".join(part for part in parts if part), "verdict": verdict}


def reference_rows(path: Path, reference: str) -> int:
    """How many rows the reference has in the tables that have coordinates."""
    counts = re.findall(r"(\w*):\((\d+), \d+\)", reference)
    if path.suffix == ".star":
        tables = {name for name, table in read_star_tables(path).items() if "rlnCoordinateX" in table}
        return sum(int(rows) for name, rows in counts if name in tables)
    numbers = counts[0][1] if counts else re.findall(r"\d+", reference)[0]
    return int(numbers)


def refusal(error: CryogleanError) -> str:
    """The sentence, without the file's name."""
    return f"refused: {error.what}. {error.fix}"


if __name__ == "__main__":
    main()
