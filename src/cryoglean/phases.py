"""One training of a recipe: from its start over its streams to a network, kept so that it can be gone on with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from cryoglean.judging import validate_on
from cryoglean.labelling import Harvest, know
from cryoglean.learn.checkpoint import load_tensors, pack_network, save_tensors, unpack_network
from cryoglean.learn.inspection import UNLABELLED_WEIGHT
from cryoglean.learn.loop import Fit, LoopPlan, fit
from cryoglean.learn.start import choose_start, start_network, take_weights
from cryoglean.prepare.split import Fold
from cryoglean.streams import Phase, Stream, join_streams
from cryoglean.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """The trainings on one part of the labelled micrographs, one after the other.

    Args:
        name: of its phases.
        fold: what it learns from and is judged by.
    """

    name: str
    fold: Fold


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One training.

    Args:
        streams: of the student.
        start: its first weights; None: those of the settings.
        is_whole: whether the last layer is taken from `start`, too.
        made: pseudo-labels.
        salt: makes the batches other ones.
        tells_auc: whether validations tell the area under the ROC curve, too.
        unlabelled_weight: what unlabelled terms weigh from the start, relative to the settings.
    """

    streams: tuple[Stream, ...]
    start: nn.Module | None = None
    is_whole: bool = False
    made: Harvest = field(default_factory=Harvest)
    salt: int = 0
    tells_auc: bool = False
    unlabelled_weight: float = 1.0


def run_phase(task: Task, branch: Branch, plan: Plan) -> Fit:
    """One training, or its result if an earlier, interrupted run had finished it."""
    file, done = _checkpoint_files(task, branch.name)
    seed = task.settings.seed + 7919 * plan.salt
    network = start_network(task.settings.model_copy(update={"seed": seed}))
    if task.resumes and done is not None and done.exists():
        tensors, facts = load_tensors(done)
        unpack_network(network, tensors, "best")
        return Fit(
            task.hardware.place(network).eval(), facts["best_step"], facts["best_score"], facts.get("weight", 1.0)
        )
    if plan.start is not None:
        take_weights(network, plan.start, but_last_layer=not plan.is_whole)
    within = Phase(
        task,
        labelled=tuple(task.learned(region) for region in branch.fold.train),
        unlabelled=lambda: tuple(task.unlearned(one) for one in task.unjudged.values()),
        pseudo=plan.made.micrographs,
        knowledge=know(task, branch.fold.train),
        seed=seed,
        memory={} if plan.unlabelled_weight == 1.0 else {UNLABELLED_WEIGHT: (plan.unlabelled_weight,)},
    )
    held = branch.fold.validation
    validate = validate_on(task, held, tells_auc=plan.tells_auc) if held else None
    learn, start = task.settings.learn, choose_start(task.settings)
    task.tell({"event": "phase", "phase": branch.name, "steps": learn.steps, "start": start})
    how = LoopPlan(
        task.tell, validate, branch.name, file, task.resumes, keeps_best=not task.split.folds, memory=within.memory,
        watch=task.settings.monitor,
    )  # fmt: skip
    fitted = fit(network, join_streams(within, plan.streams), learn, task.hardware, how)
    if done is not None and file is not None:
        facts = {
            "best_step": fitted.best_step, "best_score": fitted.best_score, "weight": fitted.unlabelled_weight
        }  # fmt: skip
        save_tensors(done, pack_network(fitted.network, "best"), facts)
        file.unlink(missing_ok=True)
    return fitted


def _checkpoint_files(task: Task, phase: str) -> tuple[Path | None, Path | None]:
    folder = task.checkpoint_folder
    return (None, None) if folder is None else (folder / f"{phase}.safetensors", folder / f"{phase}.done.safetensors")
