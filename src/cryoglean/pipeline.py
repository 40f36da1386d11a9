"""The straight line: load -> prepare -> train -> choose the threshold -> keep. Read this first."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cryoglean.counting import Expected, choose_by_count, expect_particles, pick_unjudged, summarise_clicks
from cryoglean.dataset import Dataset
from cryoglean.doctor.diagnosis import Watcher
from cryoglean.errors import LabelsError
from cryoglean.estimating import drop_halves, estimate_particles
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.keeping import Clock, describe_outcome, is_done, keep, keep_pseudo_labels, set_free, set_up, tell_all
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.loop import Tell
from cryoglean.picks import Picks
from cryoglean.prepare.split import Region
from cryoglean.preparing import (
    check_folds,
    check_labels,
    choose_strategy,
    prepare_labelled,
    prepare_unlabelled,
    split_labelled,
)
from cryoglean.recipe import Trained, read_recipe, run_recipe
from cryoglean.run import Run
from cryoglean.settings import Settings
from cryoglean.task import Task, region_labels, validation_rules


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
    if is_done(dataset, settings, run, resumes=resumes):
        return run
    clock = Clock(run)
    hardware = find_hardware(settings.learn.precision)
    listener = Watcher(settings, dataset, tell_all(run, tell, clock))

    recipe = read_recipe(choose_strategy(dataset, settings), settings.options)
    check_labels(recipe.name, recipe.labels, settings)
    preparation, prepared = prepare_labelled(dataset, settings)
    split = split_labelled(dataset, settings)
    check_folds(split, prepared, dataset)
    task = Task(
        settings, hardware, preparation, prepared, dataset.labels, split, tell=listener,
        checkpoint_folder=run.checkpoint_folder, resumes=resumes, keep_examples=partial(keep_pseudo_labels, run),
    )  # fmt: skip
    if _is_judged(task):
        _check_validation(task)
    expected = expect_particles(task)
    set_up(dataset, settings, run, hardware)  # not before: a mistake in the data leaves the folder free
    unlabelled = prepare_unlabelled(dataset, settings, preparation, task.tell, is_used=recipe.is_semi)
    task = replace(task, unlabelled=unlabelled)
    if expected is None:
        expected = _estimate(task, run)
    task = replace(task, density=expected.density if task.is_sparse else None)
    trained = run_recipe(recipe, task)

    facts = {"strategy": recipe.name, "unlabelled": len(unlabelled), "expected": expected.to_json()}
    summary = {**facts, **(_summarise(task, trained) if _is_judged(task) else _count(task, trained, expected))}
    keep(run, trained, {**summary, **clock.seconds()})
    return run


def _estimate(task: Task, run: Run) -> Expected:
    """From the clicks, or as it was estimated before an interruption; kept, so that the training is the same."""
    if task.resumes and run.prior_file.exists():
        return Expected.from_kept(run.read_json(run.prior_file))
    try:
        expected = estimate_particles(task)
    except LabelsError:
        set_free(run)  # the same command with the number must find the folder free
        raise
    run.write_json(run.prior_file, expected.to_kept())
    drop_halves(task)
    return expected


def _is_judged(task: Task) -> bool:
    """Whether some micrographs are labelled completely and held out, by folds or altogether."""
    return bool(task.split.validation or task.split.folds)


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
    """What held-out labels say; the threshold is chosen on them."""
    names, truth = _validation_labels(task)
    rules = validation_rules(task, draws=1000)
    chosen = choose_threshold(trained.validation_picks, truth, rules, rule=task.settings.pick.cut)
    found = evaluate_picks(trained.validation_picks, truth, rules, threshold=chosen.threshold)
    judged = {"validation_on": list(names), "is_cross_validated": bool(task.split.folds), "validation": found.to_json()}
    return {**describe_outcome(task, trained, chosen), **judged}


def _count(task: Task, trained: Trained, expected: Expected) -> dict[str, object]:
    """What can be said where nothing is labelled completely; the threshold keeps as many picks as are expected."""
    picks = pick_unjudged(trained.picker, task)
    pictures = {**task.prepared, **task.unlabelled}
    pixels = sum(pictures[name].image.numel() for name in picks.micrographs)
    chosen = choose_by_count(picks, expected.density * pixels)
    judged = {"validation_on": [], "is_cross_validated": False, "validation": None}
    return {
        **describe_outcome(task, trained, chosen), **judged, "clicks": summarise_clicks(task, picks, chosen.threshold)
    }  # fmt: skip
