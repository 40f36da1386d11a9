"""Give damaged files to every reader: each must be read, or refused in one line, soon and in little memory.

python benchmarks/fuzz_formats.py [--inputs 100000] [--seed 1] [--readers star,mrc] [--out FILE]

All formats of picks, MRC, TIFF, PNG and JPEG, and STAR lists of micrographs. Reading happens in a process of its own,
so that a crash inside a library is a finding; what was done is saved every thousand inputs and gone on from there. What
is read is sometimes written in another format, too. To have input 1234 of a reader as a file:

python benchmarks/fuzz_formats.py --show star 1234 broken.star
"""

from __future__ import annotations

import argparse
import json
import logging
import mmap
import os
import random
import re
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from cryoglean.durable import write_json_atomically
from cryoglean.errors import CryogleanError
from cryoglean.io.micrographs import find_micrographs, read_micrograph, read_micrograph_shape
from cryoglean.io.picks import read_picks
from cryoglean.picks import Picks
from fuzz_inputs import PICTURES, READERS, damaged, file_name, good_files, write_card

RESULTS = Path(__file__).parent / "results" / "fuzz_formats.json"
LIMIT_SECONDS, LIMIT_MB, HANGS_SECONDS = 1.0, 512, 60
BATCH = 1000
WRITTEN_SHARE = 0.1
LONGEST_MESSAGE = 900
Row = dict[str, Any]


def main() -> None:
    """Go on where it stopped, until every reader has had its inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", default=",".join(READERS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", nargs=3, metavar=("READER", "NUMBER", "FILE"))
    parser.add_argument("--worker", nargs=2, metavar=("SEED", "FOLDER"), help="for itself")
    words = parser.parse_args()
    if words.worker:
        work(int(words.worker[0]), Path(words.worker[1]))
    elif words.show:
        reader, number, file = words.show
        Path(file).write_bytes(damaged(reader, good_files(reader), words.seed, int(number)))
    else:
        fuzz(words.readers.split(","), words.inputs, words.seed, words.out)


def fuzz(readers: list[str], inputs: int, seed: int, out: Path) -> None:
    """All readers one after the other, in one process at a time."""
    found: Row = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {"seed": seed, "readers": {}}
    if found["seed"] != seed:
        raise SystemExit(f"{out} has the seed {found['seed']}; give that, or another --out")
    found |= {"limit_seconds": LIMIT_SECONDS, "limit_mb": LIMIT_MB}
    worker = Worker(seed)
    try:
        for reader in readers:
            row = found["readers"].setdefault(reader, empty_row())
            while row["inputs"] < inputs:
                worker.batch(reader, row, min(BATCH, inputs - row["inputs"]))
                found["base_mb"] = worker.base_mb
                write_json_atomically(out, found)
                if row["inputs"] % 10_000 and row["inputs"] < inputs:
                    continue
                print(
                    f"{time.strftime('%H:%M:%S')} {reader} {row['inputs']:,} of {inputs:,}: {line_of(row)}", flush=True
                )
    finally:
        worker.close()


def empty_row() -> Row:
    """A reader that has had no input."""
    return {"inputs": 0, "read": 0, "refused": 0, "written": 0, "slowest_ms": 0.0, "largest_mb": 0.0, "findings": []}


def line_of(row: Row) -> str:
    """A row in words."""
    return (
        f"{row['read']:,} read, {row['refused']:,} refused, slowest {row['slowest_ms']:.0f} ms, "
        f"{row['largest_mb']:.0f} MB, {len(row['findings'])} findings"
    )


class Worker:
    """The process that reads; started again when it has died."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        (self.folder / "number").write_bytes(bytes(8))
        (self.folder / "mics").mkdir()
        for place in range(5):  # what a STAR list may name
            (self.folder / "mics" / f"{place}.mrc").touch()
        self.base_mb = 0.0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """The running process."""
        if self.process is None or self.process.poll() is not None:
            words = [sys.executable, __file__, "--worker", str(self.seed), str(self.folder)]
            errors = (self.folder / "stderr").open("w")
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                preexec_fn=lambda: os.nice(10), env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        return self.process

    def batch(self, reader: str, row: Row, count: int) -> None:
        """Some more inputs; one that kills or stops the process is a finding, and the others are done without it."""
        start = row["inputs"]
        result, fault = self.ask(reader, start, count)
        if result is None:
            number = struct.unpack("<q", (self.folder / "number").read_bytes())[0]
            if number < start:
                raise SystemExit(f"the process did not begin: {fault}")
            if number > start:
                self.batch(reader, row, number - start)
            row["findings"].append({"number": number, "what": fault, "times": 1})
            row["inputs"] = number + 1
            return
        self.base_mb = result.pop("base_mb")
        for finding in result.pop("findings"):
            add_finding(row["findings"], finding)
        for key, value in result.items():
            row[key] = max(row[key], value) if key in ("slowest_ms", "largest_mb") else row[key] + value

    def ask(self, reader: str, start: int, count: int) -> tuple[Row | None, str]:
        """The result of a batch, or what happened to the process."""
        with (self.folder / "number").open("r+b") as file:
            file.write(struct.pack("<q", -1))
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{reader} {start} {count}\n")
        process.stdin.flush()
        last, since = b"", time.monotonic()
        while not select.select([process.stdout], [], [], 1.0)[0]:
            now = (self.folder / "number").read_bytes()
            last, since = (now, time.monotonic()) if now != last else (last, since)
            if time.monotonic() - since > HANGS_SECONDS:
                process.kill()
                process.wait()
                return None, f"no answer in {HANGS_SECONDS} s"
        line = process.stdout.readline()
        if line:
            return json.loads(line), ""
        code = process.wait()
        said = (self.folder / "stderr").read_text(errors="replace").strip().splitlines()
        return None, f"the process died with {code}: {said[-1][:200] if said else ''}"

    def close(self) -> None:
        """End the process and clean up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)


def work(seed: int, folder: Path) -> None:
    """Do the batches that come in, and answer each with a line of JSON."""
    logging.disable()
    warnings.simplefilter("ignore")
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2 * LIMIT_MB * 2**20, resource.RLIM_INFINITY))
    with (folder / "number").open("r+b") as file:
        number = mmap.mmap(file.fileno(), 8)
    for line in sys.stdin:
        reader, start, count = line.split()
        row = empty_row()
        good = good_files(reader)
        for place in range(int(start), int(start) + int(count)):
            number[:] = struct.pack("<q", place)
            one(reader, damaged(reader, good, seed, place), place, row, folder)
        row["largest_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**row, "base_mb": base}), flush=True)


def one(reader: str, content: bytes, number: int, row: Row, folder: Path) -> None:
    """Read one input, and count what came of it."""
    path = folder / file_name(reader)
    path.write_bytes(content)
    row["inputs"] += 1
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    fault = ""
    try:
        result = read(reader, path)
        row["read"] += 1
        if isinstance(result, Picks) and random.Random(number).random() < WRITTEN_SHARE:
            row["written"] += 1
            write_anywhere(result, number, folder)
    except CryogleanError as error:
        row["refused"] += 1
        fault = fault_of_message(error)
    except Exception as error:  # noqa: BLE001 (that is what is looked for)
        place = traceback.extract_tb(error.__traceback__)
        ours = next((frame for frame in reversed(place) if "cryoglean" in frame.filename), place[-1])
        fault = f"{type(error).__name__} in {Path(ours.filename).name}:{ours.name}: {str(error)[:100]}"
    seconds = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row["slowest_ms"] = max(row["slowest_ms"], 1000 * seconds)
    if seconds > LIMIT_SECONDS:
        fault = fault or f"it took more than {LIMIT_SECONDS:g} s"
    if grown > before and grown / 1024 > LIMIT_MB:
        fault = fault or f"it took more than {LIMIT_MB} MB"
    if fault:
        add_finding(row["findings"], {"number": number, "what": fault, "times": 1})


def read(reader: str, path: Path) -> object:
    """What a user's command does with the file."""
    if reader == "star_list":
        return find_micrographs([path])
    if reader in PICTURES:
        shape = read_micrograph_shape(path)
        micrograph = read_micrograph(path)
        if micrograph.shape != shape:
            raise AssertionError("the header has another shape than the picture")
        return micrograph
    return read_picks(path, reader, flip_y=False)


def write_anywhere(picks: Picks, number: int, folder: Path) -> None:
    """Write what was read in some other format; a refusal is fine."""
    card = random.Random(number + 1).choice([name for name in READERS if name not in PICTURES and name != "star_list"])
    target = folder / "written"
    target.mkdir(exist_ok=True)
    try:
        write_card(card, picks, target / "folder" if len(picks.micrographs) != 1 else target / file_name(card))
    except CryogleanError:
        pass
    finally:
        shutil.rmtree(target)


def fault_of_message(error: CryogleanError) -> str:
    """What is wrong with a refusal: more than a line, too long, or for want of memory."""
    said = str(error)
    if "\n" in said or len(said) > LONGEST_MESSAGE:
        return f"a message of {len(said)} letters: {said[:100]!r}"
    if isinstance(error.__cause__, MemoryError):
        return f"memory ran out: {said[:100]}"
    return ""


def add_finding(findings: list[Row], finding: Row) -> None:
    """Note it once, and count it."""

    def kind(what: str) -> str:
        return re.sub(r"\d+", "0", what.split(": ")[0])

    known = next((other for other in findings if kind(other["what"]) == kind(finding["what"])), None)
    if known is None:
        findings.append(finding)
    else:
        known["times"] += finding["times"]


if __name__ == "__main__":
    main()
