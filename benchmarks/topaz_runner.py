"""Run Topaz, a peer, as a separate program and account for what each step costs.

Topaz (Bepler et al. 2019, doi:10.1038/s41592-019-0575-8) is GPL-3: it lives in its own environment
(`benchmarks/topaz_environment.sh`) and is only started as a process. Why the defaults are what they are, with the
numbers measured, stands in `benchmarks/topaz_notes.md`.

All positions that enter or leave this module are in pixels of the original micrograph (x = column, y = row). All
runs use the CPU and one thread, so that CPU-seconds compare with ours.
"""

import csv
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory

from cryoglean.errors import CryogleanError

GENERAL_MODEL = "resnet16_u64"
"""The general model Topaz extracts with if the user names none."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ENVIRONMENT = {**dict.fromkeys(_THREAD_VARIABLES, "1"), "CUDA_VISIBLE_DEVICES": ""}
_CPU = ("-d", "-1", "-j", "1")
_DOT = "_dot_"
_TAIL_BYTES = 4000

# Runs between us and the command: a process forked from a large one inherits the large one's peak memory (Linux
# keeps the high-water mark over exec), so only the child of a small process shows its own.
_LAUNCHER = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
wall = time.perf_counter() - begin
row = [wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]
with open(sys.argv[1], "w") as report:
    json.dump(row, report)
"""


class TopazError(CryogleanError):
    """A Topaz step failed; the message ends with the line the program said last."""


class Prior(StrEnum):
    """How the expected fraction of positive pixels reaches Topaz.

    Topaz 0.3.x counts `2 r + 1` times too many pixels per particle (a disc repeated along a third axis), in the
    expected as in the observed fraction.
    """

    AS_SHIPPED = "as shipped"
    CORRECTED = "corrected"


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of wall and of CPU (with its children), peak resident memory, how it ended."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    returncode: int
    stdout_tail: str


@dataclass(frozen=True)
class TrainSettings:
    """Settings of `train`. Lengths in pixels of the downscaled micrograph.

    Attributes:
        scale: Whole-number downscaling; take it so that the particle is 20-30 pixels across.
        radius: Radius around a label within which a pixel counts as positive.
        architecture: Network, `resnet8` or `resnet16`.
        units: Its width, 32 or 64; with these two Topaz has pretrained weights.
        pretrained: Start from Topaz's own weights instead of from chance.
        minibatch_size: Crops per iteration.
        minibatch_balance: Fraction of positive crops. Each crop is drawn on its own, and a minibatch without a
            positive makes the loss, and with it the whole model, not-a-number: keep size x balance at 16 or more.
        epoch_size: Iterations per epoch; a model is saved after each.
        epochs: Number of epochs.
    """

    scale: int = 2
    radius: int = 3
    architecture: str = "resnet8"
    units: int = 32
    pretrained: bool = True
    minibatch_size: int = 128
    minibatch_balance: float = 0.125
    epoch_size: int = 50
    epochs: int = 4


@dataclass(frozen=True)
class ExtractSettings:
    """Settings of `extract`.

    Attributes:
        radius: Picks within this distance of a better one are dropped, in pixels of the downscaled micrograph.
        scale: The downscaling of `preprocess`; positions are multiplied by it.
        threshold: Least score (log-odds); keep it low and choose on the validation micrographs later.
    """

    radius: int
    scale: int = 2
    threshold: float = -6.0


@dataclass(frozen=True)
class Trained:
    """A trained model: the file of every epoch in order, the objective that was asked for, and the cost."""

    models: tuple[Path, ...]
    objective: str
    cost: Cost

    @property
    def model(self) -> Path:
        """The model after the last epoch."""
        return self.models[-1]


def find_topaz(root: Path) -> Path | None:
    """Return Topaz's executable in `root/.venv-topaz`, or None if that environment has not been made."""
    executable = root / ".venv-topaz" / "bin" / "topaz"
    return executable.resolve() if executable.is_file() else None


def measure(command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Cost:
    """Run `command` to its end and return its cost, from the rusage the kernel keeps for it and its children.

    Args:
        command: Program and arguments.
        cwd: Directory to run in; default: the current one.
        env: Variables to add to (or replace in) our environment.

    Raises:
        TopazError: The program could not be started.
    """
    variables = {**os.environ, **(env or {})}
    with TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(report), *command]
        output = subprocess.run(launcher, cwd=cwd, env=variables, stdout=PIPE, stderr=STDOUT, check=False).stdout
        row = report.read_text() if report.is_file() else ""
    tail = output[-_TAIL_BYTES:].decode(errors="replace")
    if not row:
        fix = f"See that it is there and may be run: {_last_line(tail)}"
        raise TopazError("it could not be started", where=command[0], fix=fix)
    wall, cpu, peak_kib, returncode = json.loads(row)
    return Cost(wall, cpu, peak_kib / 1024, returncode, tail)


def topaz_name(file_name: str) -> str:
    """Return the name a micrograph bears inside Topaz: no extension, and no dot that it might take for one."""
    return Path(file_name).stem.replace(".", _DOT)


def preprocessed_file(out_dir: Path, file_name: str) -> Path:
    """Return where `preprocess` leaves the downscaled, normalised micrograph."""
    return out_dir / f"{topaz_name(file_name)}.mrc"


def preprocess(topaz: Path, micrograph_files: Sequence[Path], out_dir: Path, scale: int) -> Cost:
    """Downscale (Fourier crop) and normalise (two-component Gaussian mixture) micrographs into `out_dir`.

    Raises:
        TopazError: The program failed, or a file is missing afterwards.
    """
    originals = out_dir / "originals"
    originals.mkdir(parents=True, exist_ok=True)
    links = [originals / f"{topaz_name(file.name)}{file.suffix}" for file in micrograph_files]
    for link, file in zip(links, micrograph_files, strict=True):
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
    cost = _run(topaz, "preprocess", "-s", str(scale), *_CPU, "-o", str(out_dir), *map(str, links))
    for file in micrograph_files:
        _expect(preprocessed_file(out_dir, file.name), "preprocess", cost)
    return cost


def write_targets(file: Path, labels: Iterable[tuple[str, float, float]], scale: int) -> Path:
    """Write labels (micrograph file name, x, y in original pixels) as Topaz's table, in downscaled pixels."""
    rows = [(topaz_name(name), round(x / scale), round(y / scale)) for name, x, y in labels]
    _write_table(file, ("image_name", "x_coord", "y_coord"), rows)
    return file


def train(
    topaz: Path,
    images: Sequence[Path],
    targets_file: Path,
    out_dir: Path,
    *,
    settings: TrainSettings,
    prior_arguments: Sequence[str],
) -> Trained:
    """Train or fine-tune a detector on preprocessed micrographs.

    Topaz 0.3.x has no seed: it draws crops from the system's entropy, so repeats differ by themselves.

    Args:
        topaz: The executable.
        images: Preprocessed micrographs, the labelled ones only.
        targets_file: From `write_targets`.
        out_dir: Receives the models, the curve (`curve.txt`) and the list of images.
        settings: How to train.
        prior_arguments: From `prior_arguments`.

    Raises:
        TopazError: The program failed, left no model, or its loss became not-a-number.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    listing = out_dir / "images.txt"
    _write_table(listing, ("image_name", "path"), [(file.stem, str(file.resolve())) for file in images])
    for old in out_dir.glob("model_epoch*.sav"):
        old.unlink()
    arguments = _train_arguments(settings)
    files = ["--train-images", str(listing), "--train-targets", str(targets_file)]
    files += ["-o", str(out_dir / "curve.txt"), "--save-prefix", str(out_dir / "model")]
    cost = _run(topaz, "train", *_CPU, *files, *arguments, *prior_arguments)
    models = sorted(out_dir.glob("model_epoch*.sav"), key=lambda file: int(file.stem.removeprefix("model_epoch")))
    _expect(models[-1] if models else out_dir / "model_epoch1.sav", "train", cost)
    last = (out_dir / "curve.txt").read_text().splitlines()[-1]
    if "nan" in last.split("\t"):
        fix = "Raise minibatch_balance and run again."
        raise TopazError("the loss became not-a-number", where="topaz train", fix=fix)
    return Trained(tuple(models), " ".join(prior_arguments), cost)


def prior_arguments(
    prior: Prior, images: Sequence[Path], targets_file: Path, *, particles_per_micrograph: float, radius: int
) -> list[str]:
    """Return the arguments that give Topaz the prior.

    With `n` particles expected and `l` labelled per micrograph Topaz uses the excess over the observed fraction,
    `(n - l) k A` per micrograph area with A pixels per disc and the error k = 2 r + 1. As shipped: `-n n`;
    corrected: `-n l + (n - l) / k`, which cancels k. With `n <= l` (all particles labelled) Topaz takes the unlabelled
    for negatives (its PN objective) and weighs the positives by the observed fraction, k times too heavy;
    corrected: PN asked for by name with the true fraction.

    Args:
        prior: As shipped or corrected.
        images: The labelled, preprocessed micrographs.
        targets_file: From `write_targets`.
        particles_per_micrograph: Expected mean number of particles, labelled or not.
        radius: Label radius, downscaled pixels.
    """
    with targets_file.open() as stream:
        labels = sum(1 for _ in csv.DictReader(stream, delimiter="\t"))
    labelled_per_micrograph = labels / len(images)
    excess = particles_per_micrograph - labelled_per_micrograph
    if prior is Prior.AS_SHIPPED:
        return ["-n", f"{particles_per_micrograph:.6g}"]
    if excess > 0:
        return ["-n", f"{labelled_per_micrograph + excess / (2 * radius + 1):.6g}"]
    pixels = sum(_pixel_count(image) for image in images)
    return ["--method", "PN", "--pi", f"{labels * disc_pixels(radius) / pixels:.6g}"]


def disc_pixels(radius: int) -> int:
    """Return the number of pixels whose centre is at most `radius` pixels from a pixel centre (29 at radius 3)."""
    span = range(-radius, radius + 1)
    return sum(x * x + y * y <= radius * radius for x in span for y in span)


def extract(
    topaz: Path, model: Path | str, images: Sequence[Path], out_file: Path, *, settings: ExtractSettings
) -> Cost:
    """Score preprocessed micrographs with `model` and write its picks, in original pixels; read with `read_picks`.

    Args:
        topaz: The executable.
        model: File of a trained model, or the name of a general one (`resnet16_u64`, `resnet8_u64`, ...).
        images: Preprocessed micrographs.
        out_file: Table to write.
        settings: How picks are taken from the score map.

    Raises:
        TopazError: The program failed or left no table.
    """
    out_file.parent.mkdir(parents=True, exist_ok=True)
    options = ["-m", str(model), "-r", str(settings.radius), "-x", str(settings.scale), "-o", str(out_file)]
    options += ["-t", str(settings.threshold)]
    cost = _run(topaz, "extract", *_CPU, *options, *map(str, images))
    _expect(out_file, "extract", cost)
    return cost


def read_picks(file: Path) -> list[tuple[str, float, float, float]]:
    """Read picks: (name of the micrograph without extension, x, y in original pixels, score as log-odds)."""
    with file.open() as stream:
        return [
            (row["image_name"].replace(_DOT, "."), float(row["x_coord"]), float(row["y_coord"]), float(row["score"]))
            for row in csv.DictReader(stream, delimiter="\t")
        ]


def _train_arguments(settings: TrainSettings) -> list[str]:
    return [
        *("-m", settings.architecture, "--units", str(settings.units)),
        "--pretrained" if settings.pretrained else "--no-pretrained",
        *("-r", str(settings.radius), "--minibatch-size", str(settings.minibatch_size)),
        *("--minibatch-balance", str(settings.minibatch_balance)),
        *("--epoch-size", str(settings.epoch_size), "--num-epochs", str(settings.epochs)),
    ]


def _run(topaz: Path, *arguments: str) -> Cost:
    cost = measure([str(topaz), *arguments], env=_ENVIRONMENT)
    if cost.returncode != 0:
        fix = f"It said last: {_last_line(cost.stdout_tail)}"
        raise TopazError(f"it ended with {cost.returncode}", where=f"topaz {arguments[0]}", fix=fix)
    return cost


def _expect(file: Path, step: str, cost: Cost) -> None:
    if not file.is_file():
        fix = f"It said last: {_last_line(cost.stdout_tail)}"
        raise TopazError(f"it left no {file}", where=f"topaz {step}", fix=fix)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing"


def _pixel_count(mrc_file: Path) -> int:
    """Return columns x rows from the first two words of an MRC header."""
    with mrc_file.open("rb") as stream:
        columns, rows = struct.unpack("<2i", stream.read(8))
    return int(columns) * int(rows)


def _write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
