"""The straight line: load -> prepare -> train -> choose the threshold -> keep. Read this first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cryoglean.dataset import Dataset
from cryoglean.durable import append_json_line, write_text_atomically
from cryoglean.environment import describe_environment
from cryoglean.errors import LabelsError, RunError
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.learn.checkpoint import save_tensors
from cryoglean.learn.hardware import Hardware, find_hardware
from cryoglean.learn.loop import Tell
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.prepare.contrast import measure_contrast
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Region, plan_split
from cryoglean.recipe import Task, Trained, region_labels, run_recipe, validation_rules
from cryoglean.registry import load_card
from cryoglean.run import Run
from cryoglean.settings import Settings, read_settings

_STRAY_SHARE = 0.1


def train(dataset: Dataset, settings: Settings, run: Run, *, tell: Tell | None = None, resumes: bool = False) -> Run:
    """Learn to pick from the labelled micrographs of a data set.

    Args:
        dataset: micrographs, roles and labels.
        settings: everything else that decides the result.
        run: the folder to fill; it must not hold a finished run unless `resumes`.
        tell: is told what happens, beside the events file.
        resumes: continue a run that was interrupted, to the same weights as an unbroken one.

    Returns:
        The finished run.

    Raises:
        RunError: the folder holds another run; CryogleanError: see the rooms.
    """
    if _is_done(dataset, settings, run, resumes=resumes):
        return run
    started = (time.monotonic(), time.process_time())
    hardware = find_hardware(settings.learn.precision)

    preparation, prepared = prepare_labelled(dataset, settings)
    split = plan_split(dataset.names("train"), dataset.names("validation"), settings.split, settings.seed)
    task = Task(
        settings, hardware, preparation, prepared, dataset.labels, split,
        tell=_tell_all(run, tell), checkpoint_folder=run.checkpoint_folder, resumes=resumes,
    )  # fmt: skip
    _check_validation(task)
    _set_up(dataset, settings, run, hardware)  # not before: a mistake in the data leaves the folder free
    trained = run_recipe(load_card("strategies", settings.strategy).recipe(), task)

    summary = _summarise(task, trained)
    seconds = {"wall_seconds": time.monotonic() - started[0], "cpu_seconds": time.process_time() - started[1]}
    _keep(run, trained, {**summary, **seconds})
    return run


def prepare_labelled(dataset: Dataset, settings: Settings) -> tuple[Preparation, Mapping[str, Prepared]]:
    """Fit the preparation on the train micrographs, and apply it to those and the validation ones.

    Raises:
        MicrographError: one of them can't be used.
        LabelsError: the labels do not say whether particles are dark or light, or lie outside the micrographs.
    """
    choice = settings.prepare
    names = dataset.names("train", "validation")
    micrographs = {name: read_micrograph(dataset.paths[name], dataset.pixel_size_angstrom) for name in names}
    _check_inside(dataset, micrographs)
    preparation = Preparation(
        dataset.diameter_angstrom, choice.particle_pixels, choice.high_pass_diameters, choice.clip,
        particles_are_dark=choice.contrast == "dark",
    )  # fmt: skip
    if choice.contrast == "auto":
        stored = [preparation.apply(micrographs[name]) for name in dataset.names("train")]
        labels = [picture.scale.to_rescaled(dataset.labels.on(picture.name).xy) for picture in stored]
        contrast = measure_contrast(stored, labels, choice.particle_pixels)
        preparation = preparation.turned(particles_are_dark=contrast.is_dark)
    return preparation, {name: preparation.apply(micrograph) for name, micrograph in micrographs.items()}


def _check_inside(dataset: Dataset, micrographs: Mapping[str, Micrograph]) -> None:
    """A few strays are left out later on; many mean labels of another binning, or x and y swapped."""
    for name, micrograph in micrographs.items():
        xy, (rows, columns) = dataset.labels.on(name).xy, micrograph.shape
        outside = int(((xy < -0.5) | (xy > (columns - 0.5, rows - 0.5))).any(axis=1).sum())
        if outside > _STRAY_SHARE * len(xy):
            raise LabelsError(
                f"{outside} of its {len(xy)} labels lie outside its {columns} x {rows} pixels", where=name,
                fix="Check that the labels are in pixels (x, y) of these very files, not of binned ones.",
            )  # fmt: skip


def _is_done(dataset: Dataset, settings: Settings, run: Run, *, resumes: bool) -> bool:
    """Check that the folder is free or belongs to the same training; True if that is finished."""
    if not run.settings_file.exists():
        return False
    if not resumes:
        raise RunError("it already holds a run", where=run.folder, fix="Give another --out, or --resume this one.")
    same_data = Dataset.to_json(dataset) == run.read_json(run.dataset_file)
    same_labels = np.array_equal(read_picks(run.labels_file).xy, dataset.labels.xy)
    if read_settings(run.settings_file) != settings or not same_data or not same_labels:
        raise RunError(
            "it was started with other settings, micrographs or labels", where=run.folder,
            fix="Resume with the same command, or give another --out.",
        )  # fmt: skip
    return run.is_finished


def _set_up(dataset: Dataset, settings: Settings, run: Run, hardware: Hardware) -> None:
    run.write_json(run.environment_file, describe_environment(hardware.describe()))
    run.write_json(run.dataset_file, dataset.to_json())
    write_picks(dataset.labels, run.labels_file)
    write_text_atomically(run.settings_file, settings.to_yaml())


def _validation_labels(task: Task) -> tuple[tuple[str, ...], Picks]:
    names = task.split.validation or task.split.train
    return names, region_labels(task, tuple(Region(name) for name in names))


def _check_validation(task: Task) -> None:
    """Refuse now what could not be given a threshold after the training."""
    names, truth = _validation_labels(task)
    if not evaluate_picks(Picks.empty(names), truth, validation_rules(task)).total.truth:
        raise LabelsError(
            f"no labelled particle on {', '.join(names[:3])} is far enough from the edge to choose a threshold",
            where="validation", fix="Label more particles, or give other micrographs to --validation.",
        )  # fmt: skip


def _summarise(task: Task, trained: Trained) -> dict[str, object]:
    names, truth = _validation_labels(task)
    rules = validation_rules(task, draws=1000)
    chosen = choose_threshold(trained.validation_picks, truth, rules, rule=task.settings.pick.cut)
    found = evaluate_picks(trained.validation_picks, truth, rules, threshold=chosen.threshold)
    return {
        "strategy": task.settings.strategy,
        "threshold": chosen.threshold,
        "threshold_rule": chosen.rule,
        "threshold_reason": chosen.reason,
        "best_step": trained.best_step,
        "particles_are_dark": task.preparation.particles_are_dark,
        "train": list(task.split.train),
        "validation_on": list(names),
        "is_cross_validated": bool(task.split.folds),
        "validation": found.to_json(),
    }


def _keep(run: Run, trained: Trained, summary: dict[str, object]) -> None:
    """Write the model, then the summary: a run with a summary is finished."""
    write_picks(trained.validation_picks, run.validation_picks_file)
    save_tensors(run.weights_file, dict(trained.picker.network.state_dict()), {})
    run.write_json(run.model_file, {**trained.picker.to_json(), "threshold": summary["threshold"]})
    run.write_json(run.summary_file, summary)
    for file in Path(run.checkpoint_folder).glob("*.safetensors"):
        file.unlink()


def _tell_all(run: Run, tell: Tell | None) -> Tell:
    def both(event: dict[str, object]) -> None:
        append_json_line(run.events_file, event)
        if tell is not None:
            tell(event)

    return both
