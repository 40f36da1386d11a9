"""The same as the command line, for Python and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from cryoglean.dataset import LabelFiles, ParticleSize
from cryoglean.doctor.diagnosis import check_turned_labels, diagnose_training
from cryoglean.engine.tasks import EngineChoice
from cryoglean.errors import SettingsError
from cryoglean.evaluate.score import Evaluation, Rules, evaluate_picks
from cryoglean.gather import find_patches_file, gather_dataset, gather_patches
from cryoglean.io.micrographs import find_micrographs, read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.launched import train_together
from cryoglean.logbook import Wishes, choose_logs, logged
from cryoglean.patch_pipeline import train_from_patches
from cryoglean.picking import check_threshold, choose_pixel_size, load_picker, pick_files
from cryoglean.picks import Picks
from cryoglean.pipeline import train as train_dataset
from cryoglean.registry import check_cards
from cryoglean.report.page import make_report
from cryoglean.run import Run
from cryoglean.settings import choose_settings
from cryoglean.shards import Picking, load_run_picker, pick_files_with_workers
from cryoglean.simulate.settings import simulation_settings
from cryoglean.simulation import simulate_folder

PathLike = str | Path


def train(
    micrographs: PathLike | Sequence[PathLike],
    labels: PathLike | LabelFiles | None,
    size: float | ParticleSize | None,
    out: PathLike,
    *,
    effort: str = "standard",
    settings: Sequence[str] = (),
    **log: Unpack[Wishes],
) -> Run:
    """Learn to pick from a few labelled micrographs.

    Args:
        micrographs: files, folders, globs or a STAR file; or, without labels, the folder of a data set, or one file of
            positive and unlabelled patches (.npz, .pt).
        labels: a file of labels, or files for training, validation and test; None where a data set's folder or patches
            are given.
        size: the particle's diameter in angstrom, or that and the pixel size; patches need both. None takes the
            diameter from the labels in a data set's folder.
        out: the run folder to make; a run of the same data and settings in it is continued.
        effort: `quick`, `standard` or `thorough`; or another preset, such as `fixmatch_pu`, which patches need.
        settings: single settings, such as `["seed=1", "learn.steps=200"]`; patches need `loss.prior`.
        log: as in `log=("tensorboard", "mlflow:http://host:5000")`: loggers, each may say a place after a colon.

    Returns:
        The finished run; a notebook shows it as a picture.

    Raises:
        CryogleanError: what is wrong, where, and what to do.
    """
    chosen = choose_settings(effort, assignments=settings)
    check_cards(chosen)
    given, run = _listed(micrographs), Run(Path(out))
    logs = choose_logs(run.folder, **log)
    particle = size if isinstance(size, ParticleSize) else ParticleSize(None if size is None else float(size))
    if (file := find_patches_file(given)) is not None:
        if labels is not None:
            raise SettingsError("they are for micrographs", where="labels", fix=f"{file} needs none; give None.")
        dataset, patches = gather_patches(file, particle)
        with train_together(run, chosen) as own, logged(own, logs) as tell:
            train_from_patches(dataset, patches, chosen, own, tell=tell, resumes=True)
        return run
    files = labels if isinstance(labels, LabelFiles) or labels is None else LabelFiles(Path(labels))
    dataset, _ = gather_dataset(given, particle, files)
    check_turned_labels(dataset, chosen)
    with train_together(run, chosen) as own:
        with logged(own, logs) as tell:
            train_dataset(dataset, chosen, own, tell=tell, resumes=True)
        diagnose_training(own)
    return run


def pick(
    run: Run | PathLike,
    micrographs: PathLike | Sequence[PathLike],
    out: PathLike | None = None,
    *,
    threshold: float | None = None,
    pixel_size_angstrom: float | None = None,
    workers: int = 1,
) -> Picks:
    """Pick micrographs with a trained run.

    Args:
        run: a finished run or its folder.
        micrographs: files, folders, globs or a STAR file.
        out: a picks file to write, whose suffix says the format; None writes nothing.
        threshold: lowest score; by default that chosen on validation.
        pixel_size_angstrom: overrides the headers; by default that used in training.
        workers: processes that share the work; more than one need `out`, and a script that calls this under
            `if __name__ == "__main__":`.

    Returns:
        The picks.

    Raises:
        CryogleanError: what is wrong, where, and what to do.
    """
    folder = run if isinstance(run, Run) else Run(Path(run))
    picker, chosen = load_picker(folder)
    size = choose_pixel_size(folder, pixel_size_angstrom)
    cut = chosen if threshold is None else check_threshold(threshold)
    paths = find_micrographs(_listed(micrographs))
    choice = EngineChoice(workers).check()
    if out is None and workers > 1:
        raise SettingsError("several workers write to a file", where="workers", fix="Give out, such as picks.star.")
    if out is not None and workers > 1:
        picking = Picking(partial(load_run_picker, folder.folder.absolute()), cut, size)
        pick_files_with_workers(picking, paths, Path(out), choice)
        return read_picks(Path(out))
    if out is not None:
        pick_files(picker, paths, Path(out), cut, pixel_size_angstrom=size)
        return read_picks(Path(out))
    return Picks.concatenate(picker.pick_micrograph(read_micrograph(path, size)).above(cut) for path in paths)


def evaluate(
    picks: Picks | PathLike, truth: Picks | PathLike, rules: Rules | float, *, threshold: float | None = None
) -> Evaluation:
    """Compare picks with the truth.

    Args:
        picks: picks, or a file of them.
        truth: the particles of every micrograph it names, or a file of them.
        rules: how to compare, or just the particle's diameter in pixels.
        threshold: picks with a lower score are left out.

    Raises:
        CryogleanError: what is wrong, where, and what to do.
    """
    chosen = rules if isinstance(rules, Rules) else Rules(diameter_pixels=float(rules))
    return evaluate_picks(_table(picks), _table(truth), chosen, threshold=threshold)


def simulate(out: PathLike, micrographs: int, seed: int = 0, **settings: Any) -> Picks:
    """Make micrographs whose particles are known: MRC files and coordinates.csv.

    Args:
        out: the folder to make.
        micrographs: how many.
        seed: decides everything.
        settings: of the simulation, such as `molecule="ferritin"`; unknown names are refused.

    Returns:
        The true particles.

    Raises:
        SettingsError: names all unknown or impossible settings.
    """
    return simulate_folder(Path(out), micrographs, seed, simulation_settings(settings))


def report(run: Run | PathLike) -> Path:
    """Make the report page of a run, and say where it is.

    Raises:
        RunError: the run is not finished.
    """
    return make_report(run if isinstance(run, Run) else Run(Path(run)))


def _listed(micrographs: PathLike | Sequence[PathLike]) -> list[PathLike]:
    return [micrographs] if isinstance(micrographs, str | Path) else list(micrographs)


def _table(picks: Picks | PathLike) -> Picks:
    return picks if isinstance(picks, Picks) else read_picks(Path(picks))
