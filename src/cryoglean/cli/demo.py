"""`cryoglean demo`: the whole line on data that it makes itself."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryoglean.errors import RunError

if TYPE_CHECKING:
    from cryoglean.dataset import Dataset
    from cryoglean.evaluate.score import Evaluation
    from cryoglean.run import Run
    from cryoglean.settings import Settings

_LABELLED = 2
_MICROGRAPHS = 8
_MARK = "cryoglean-demo.txt"


def demo_command(*, out: Path = Path("demo"), seed: int = 0, quiet: bool = False) -> int:
    """Simulate micrographs, learn from two of them, pick the others, and show how well it went.

    Args:
        out: the folder to make; a folder of an earlier demo is replaced.
        seed: decides everything.
        quiet: no progress.
    """
    from cryoglean.cli.progress import counting
    from cryoglean.settings import choose_settings
    from cryoglean.simulate.settings import SimulationSettings
    from cryoglean.simulation import diameter_angstrom, simulate_folder

    started = time.monotonic()
    choice, settings = choose_settings("quick", fixed={"seed": seed}), SimulationSettings()
    _clear(out)
    with counting(quiet=quiet) as make_counter:
        tell = make_counter("simulate", _MICROGRAPHS).advance
        truth = simulate_folder(out / "micrographs", _MICROGRAPHS, seed, settings, tell)
    diameter = diameter_angstrom(truth, settings)
    labelled, rest = truth.micrographs[:_LABELLED], truth.micrographs[_LABELLED:]

    run = _train(_load(out, labelled, diameter), choice, out / "run", quiet=quiet)
    found, report = _pick_and_report(run, out, rest, quiet=quiet)

    minutes = (time.monotonic() - started) / 60
    total = found.total
    print(f"learned from {_LABELLED} labelled micrographs, picked {len(rest)} it had never seen:")
    print(f"F1 {total.f1:.3f} (precision {total.precision:.3f}, recall {total.recall:.3f}), {minutes:.1f} minutes")
    print(f"report: {report}")
    return 0


def _clear(out: Path) -> None:
    """Make the folder; replace one that an earlier demo made, and no other."""
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise RunError("it holds something that no demo made", where=out, fix="Give another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).write_text("Made by `cryoglean demo`, which replaces this folder.\n", encoding="utf-8")


def _load(out: Path, labelled: tuple[str, ...], diameter: float) -> Dataset:
    from cryoglean.dataset import LabelFiles, ParticleSize
    from cryoglean.gather import gather_dataset
    from cryoglean.io.picks import read_picks, write_picks

    truth = read_picks(out / "micrographs" / "coordinates.csv")
    write_picks(truth.of(labelled), out / "labels.csv")
    write_picks(truth.of([name for name in truth.micrographs if name not in labelled]), out / "truth.csv")
    labels = LabelFiles(out / "labels.csv", test=out / "truth.csv")
    return gather_dataset([out / "micrographs"], ParticleSize(diameter), labels)[0]


def _train(dataset: Dataset, settings: Settings, folder: Path, *, quiet: bool) -> Run:
    from cryoglean.cli.progress import watching_training
    from cryoglean.doctor.diagnosis import diagnose_training
    from cryoglean.pipeline import train
    from cryoglean.run import Run

    with watching_training(quiet=quiet) as tell:
        run = train(dataset, settings, Run(folder), tell=tell)
    diagnose_training(run)
    return run


def _pick_and_report(run: Run, out: Path, names: tuple[str, ...], *, quiet: bool) -> tuple[Evaluation, Path]:
    from cryoglean.cli.progress import counting
    from cryoglean.evaluate.score import Rules, evaluate_picks
    from cryoglean.io.micrographs import read_micrograph_shape
    from cryoglean.io.picks import read_picks
    from cryoglean.picking import load_picker, pick_files
    from cryoglean.report.page import TestPicks, make_report

    paths = {name: out / "micrographs" / f"{name}.mrc" for name in names}
    picker, threshold = load_picker(run)
    with counting(quiet=quiet) as make_counter:
        counter = make_counter("pick", len(paths))
        pick_files(
            picker, list(paths.values()), out / "picks.star", picker.settings.floor, tell=lambda *_: counter.advance()
        )
    picks, truth = read_picks(out / "picks.star"), read_picks(out / "truth.csv")
    rules = Rules(shapes={name: read_micrograph_shape(path) for name, path in paths.items()})
    found = evaluate_picks(picks, truth, rules, threshold=threshold)
    return found, make_report(run, TestPicks(picks, truth, paths, rules, threshold))
