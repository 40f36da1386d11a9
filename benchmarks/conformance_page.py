"""The text of docs/conformance.md, from the files in benchmarks/results; `conformance.py` writes it."""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FOLDERS = {
    "mrc": "MRC, real", "synthetic": "MRC, made for the set", "other_images": "TIFF", "star": "STAR", "box": "EMAN box",
    "cbox": "crYOLO cbox", "cs": "cryoSPARC", "csv_json": "CSV and JSON",
}  # fmt: skip
INTRODUCTION = """# Conformance

Written by `benchmarks/conformance.py` from the files in `benchmarks/results/`. What the formats are is in
[reference/cards.md](reference/cards.md).

## Every file of the conformance set

77 files: real ones from public repositories, made ones for what is rare. The reference is mrcfile, tifffile, starfile or numpy, as the
set's manifest has it; pyStarDB and Python's csv where it has none. "Same values" is the same sha256 of all pixels. A test
(`tests/story/test_conformance.py`) holds each file to its truth."""

MENDED = """- `.cs`: a header that claims 2 GB made numpy reserve them; coordinates with two numbers each raised `ValueError`.
- STAR indices: a file name longer than the system allows raised `OSError`.
- Writing: a micrograph name with a zero byte, box sides or tube ends that are text raised `ValueError`.
- Messages of up to 50,000 letters, where a broken file's words stood in them; they are cut at 400.
- No crash of gemmi, tifffile, pillow or numpy has been seen."""


def page(results: Path) -> str:
    """The page; parts whose results aren't there are left out."""
    parts = [INTRODUCTION]
    for name, section in (
        ("conformance", files), ("round_trips", round_trips), ("star_million", million), ("fuzz_formats", fuzz),
    ):  # fmt: skip
        path = results / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text(encoding="utf-8"))))
    return "\n\n".join(parts) + "\n"


def files(rows: list[Row]) -> str:
    """Verdicts counted, and a table for each kind of file."""
    counts = Counter(row["verdict"].split(";")[0] for row in rows)
    parts = ["\n".join(f"- {count}: {verdict}" for verdict, count in counts.most_common())]
    for folder, title in FOLDERS.items():
        chosen = [row for row in rows if row["file"].startswith(f"{folder}/")]
        table = [
            [f"`{row['file'].split('/')[1]}`", row["odd"], short(row["reference"]), row["cryoglean"], row["verdict"]]
            for row in chosen
        ]
        head = ["file", "what it is", "the reference says", "cryoglean", "verdict"]
        parts.append(f"### {title} ({len(chosen)})\n\n{markdown(head, table)}")
    return "\n\n".join(parts)


def round_trips(found: Row) -> str:
    """What is left of real labels after writing and reading."""
    table = [
        [
            f"`{row['format']}`", f"{row['largest_error_pixels']:.2g}", f"{row['stated_pixels']:.2g}",
            ", ".join(row["kept"]) or "-", ", ".join(row["lost"]) or "-", f"{row['files']}", f"{row['bytes'] / 1024:.0f}",
        ]
        for row in found["formats"]
    ]  # fmt: skip
    head = ["format", "largest error (px)", "stated (px)", "comes back", "is lost", "files", "KiB"]
    return f"""## Real labels there and back

`benchmarks/round_trips.py`: the {found["picks"]:,} labels of {found["micrographs"] - 1} micrographs of β-galactosidase (EMPIAR-10017) and
one micrograph without any, with a score, a diameter and a further column (`extra`), written in each format and read again.

{markdown(head, table)}"""


def million(found: Row) -> str:
    """Time and memory against starfile."""
    head = ["", "cryoglean", "starfile", "cryoglean / starfile"]
    table = []
    for task in ("read", "write"):
        ours, theirs = (found["medians"][f"{program} {task}"] for program in ("cryoglean", "starfile"))
        for key, unit in (("cpu_seconds", "CPU-s"), ("megabytes", "MB, peak")):
            ratio = found["cryoglean_over_starfile"][task][key]
            table.append([f"{task}, {unit}", f"{ours[key]:.4g}", f"{theirs[key]:.4g}", f"{ratio:.2f}"])
    return f"""## A million picks

`benchmarks/star_million.py`: {found["picks"]:,} picks on 200 micrographs with score, class, angle and path, {found["bytes"] / 1e6:.0f} MB as
RELION writes them. `read_picks` and `write_picks` against `starfile.read` and `starfile.write`, each in a fresh process, median of
{found["repeats"]}. Peaks have the interpreter and all imports in them, and for writing the table that is written. cryoglean
keeps class and angle as text.

{markdown(head, table)}"""


def fuzz(found: Row) -> str:
    """What broken files did."""
    table = [
        [
            f"`{name}`", f"{row['inputs']:,}", f"{row['read']:,}", f"{row['refused']:,}", f"{row['slowest_ms']:.0f}",
            f"{row['largest_mb']:.0f}", f"{len(row['findings'])}",
        ]
        for name, row in found["readers"].items()
    ]  # fmt: skip
    head = ["reader", "inputs", "read", "refused in one line", "slowest (ms)", "memory (MB)", "findings"]
    text = f"""## Broken files

`benchmarks/fuzz_formats.py`, seed {found["seed"]}: good files damaged in one to five places (bytes turned, cut out, put in, copied; words
of the format, huge numbers, lies in headers), and files cut off. Each must give picks or a micrograph, or a `CryogleanError` of
one line, within {found["limit_seconds"]:g} CPU-second and {found["limit_mb"]} MB. Readers work in a process of their own, so that a crash in a library
is a finding and not the end. Memory is the largest of that process, interpreter and imports ({found["base_mb"]:.0f} MB) included.

{markdown(head, table)}"""
    return f"{text}\n\nEarlier runs (seeds 1 and 2, 15,000 inputs a reader) found these, which were mended, each with a test:\n\n{MENDED}"


def short(reference: str) -> str:
    """Without what only the comparison needs."""
    return reference.split(" min ")[0].removeprefix("mrcfile ")


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
