"""What a strategy is, and the one outer loop that all strategies share.

A strategy is a value: a tuple of parts, each of which adds a term to what the network makes small. Every term takes
logits and `Targets(y, w)`, whoever made the targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.learn.checkpoint import load_tensors, pack_network, save_tensors, unpack_network
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.loop import Fit, LoopPlan, Objective, Tell, Validate, fit
from cryoglean.learn.picker import Picker
from cryoglean.learn.start import choose_start, start_network
from cryoglean.picks import Picks
from cryoglean.prepare.augment import vary_look
from cryoglean.prepare.junk import add_junk
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Fold, Region, Split
from cryoglean.prepare.targets import mask_border, paint_targets
from cryoglean.prepare.tiles import LearnedMicrograph, cut_crops
from cryoglean.registry import load_card
from cryoglean.settings import Settings
from cryoglean.targets import Targets

Part = Callable[["Task", tuple[LearnedMicrograph, ...]], Objective]
"""(task, labelled micrographs) -> a term of the objective."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A strategy.

    Args:
        name: the card's name.
        source: the paper (doi or arXiv) or note that it is from.
        parts: terms of the objective; their values are added.
    """

    name: str
    source: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What a recipe is applied to; it holds pictures and labels, no files but its checkpoints.

    Args:
        settings: all settings.
        hardware: where it runs.
        preparation: the fitted preparation.
        prepared: all labelled and validation micrographs by name.
        labels: their particles, in original pixels.
        split: what each is for.
        tell: is told what happens.
        checkpoint_folder: where phases are saved; None: nowhere.
        resumes: whether to continue from there.
    """

    settings: Settings
    hardware: Hardware
    preparation: Preparation
    prepared: Mapping[str, Prepared]
    labels: Picks
    split: Split
    tell: Tell
    checkpoint_folder: Path | None = None
    resumes: bool = False

    @property
    def stride(self) -> int:
        """Of the network's output."""
        return int(load_card("models", self.settings.model.name).STRIDE)

    def diameter_pixels(self, name: str) -> float:
        """Of a particle on one micrograph, in its original pixels: micrographs may differ in pixel size."""
        return self.preparation.particle_pixels / self.prepared[name].scale.x

    def picker(self, network: nn.Module) -> Picker:
        """A network as a picker."""
        return Picker(network, self.settings.model, self.preparation, self.settings.pick, self.hardware)

    def learned(self, region: Region) -> LearnedMicrograph:
        """A labelled micrograph with its targets; w = 0 outside the region and near the edge."""
        prepared, pixels = self.prepared[region.name], self.preparation.particle_pixels
        xy = prepared.scale.to_rescaled(self.labels.on(region.name).xy)
        y, w = paint_targets(prepared, xy, pixels, self.settings.targets)
        w = mask_border(w, round(self.settings.prepare.border_diameters * pixels))
        shape = (w.shape[0], w.shape[1])
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).reshape(-1, 2)
        inside = region.contains(grid.astype(np.float64), shape, margin_pixels=pixels / 2).reshape(shape)
        return LearnedMicrograph(
            region.name, prepared.image, y, w * torch.from_numpy(inside), xy[region.contains(xy, shape)]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a recipe came to.

    Args:
        picker: the final network.
        validation_picks: picks on validation micrographs by the final network; with folds, on every labelled
            micrograph by the network that had not seen it.
        best_step: how many steps the final network had seen.
    """

    picker: Picker
    validation_picks: Picks
    best_step: int


def run_recipe(recipe: Recipe, task: Task) -> Trained:
    """Train, on folds first where no validation micrographs are held out; see `Split`.

    Fold networks run to their last step, as the final one does: stopped at their best validation they are less sure
    than it, and a threshold chosen on their picks is too low for it (docs/log.md, 2026-11-21).

    Raises:
        RunError: a checkpoint is broken.
    """
    whole = tuple(Region(name) for name in task.split.train)
    if not task.split.folds:
        held = tuple(Region(name) for name in task.split.validation)
        final = _run_phase(recipe, task, "final", Fold(whole, held))
        picker = task.picker(final.network)
        return Trained(picker, _pick_regions(picker, task, held), final.best_step)
    parts: list[Picks] = []
    for number, fold in enumerate(task.split.folds):
        fitted = _run_phase(recipe, task, f"fold-{number + 1}", fold)
        parts.append(_pick_regions(task.picker(fitted.network), task, fold.validation))
    final = _run_phase(recipe, task, "final", Fold(whole, ()))
    return Trained(task.picker(final.network), Picks.concatenate(parts), final.best_step)


def labelled_loss(task: Task, micrographs: tuple[LearnedMicrograph, ...]) -> Objective:
    """The supervised term: varied crops of labelled micrographs, all losses of the settings added."""
    settings = task.settings

    def objective(student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Tensor, dict[str, float]]:
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + micro_step)
        crops = cut_crops(micrographs, settings.learn, settings.augment, task.stride, generator)
        crops = add_junk(crops, settings.augment, task.preparation.particle_pixels, task.stride, generator)
        images = vary_look(crops, settings.augment, task.preparation.particle_pixels, generator)
        with task.hardware.precision():
            logits = student(task.hardware.send(images)).float()
        return add_losses(logits, crops.targets.to(task.hardware.device), settings)

    return objective


def add_losses(logits: Tensor, targets: Targets, settings: Settings) -> tuple[Tensor, dict[str, float]]:
    """The sum over the settings' loss terms of their mean over crops, and each by name."""
    terms = {
        name: load_card("losses", name).loss(logits, targets, settings.loss).mean() for name in settings.loss.terms
    }
    return torch.stack(list(terms.values())).sum(), {name: float(value.detach()) for name, value in terms.items()}


def _run_phase(recipe: Recipe, task: Task, phase: str, fold: Fold) -> Fit:
    """One training, or its result if an earlier, interrupted run had finished it."""
    file = task.checkpoint_folder / f"{phase}.safetensors" if task.checkpoint_folder else None
    done = task.checkpoint_folder / f"{phase}.done.safetensors" if task.checkpoint_folder else None
    network = start_network(task.settings)
    if task.resumes and done is not None and done.exists():
        tensors, facts = load_tensors(done)
        unpack_network(network, tensors, "best")
        return Fit(task.hardware.place(network).eval(), facts["best_step"], facts["best_score"])
    micrographs = tuple(task.learned(region) for region in fold.train)
    objective = _add_parts([part(task, micrographs) for part in recipe.parts])
    validate = _validation(task, fold.validation) if fold.validation else None
    start = choose_start(task.settings)
    task.tell({"event": "phase", "phase": phase, "steps": task.settings.learn.steps, "start": start})
    plan = LoopPlan(task.tell, validate, phase, file, task.resumes, keeps_best=not task.split.folds)
    fitted = fit(network, objective, task.settings.learn, task.hardware, plan)
    if done is not None and file is not None:
        facts = {"best_step": fitted.best_step, "best_score": fitted.best_score}
        save_tensors(done, pack_network(fitted.network, "best"), facts)
        file.unlink(missing_ok=True)
    return fitted


def _add_parts(parts: list[Objective]) -> Objective:
    if len(parts) == 1:
        return parts[0]

    def objective(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Tensor, dict[str, float]]:
        terms = [part(student, teacher, micro_step) for part in parts]
        facts = {name: value for _, said in terms for name, value in said.items()}
        return torch.stack([term for term, _ in terms]).sum(), facts

    return objective


def _validation(task: Task, regions: tuple[Region, ...]) -> Validate:
    truth, rules = region_labels(task, regions), validation_rules(task)

    def validate(network: nn.Module) -> dict[str, float]:
        picks = _pick_regions(task.picker(network), task, regions, views=1)
        found = evaluate_picks(picks, truth, rules)
        precision = 0.0 if found.curve is None else found.curve.average_precision
        return {"average_precision": precision or 0.0, "best_f1": found.best[0] or 0.0}

    return validate


def validation_rules(task: Task, draws: int = 0) -> Rules:
    """The default definition, on the validation micrographs, without their border.

    Args:
        task: what was trained on what.
        draws: of the bootstrap for intervals; 0 leaves them out.
    """
    shapes = {name: prepared.original_shape for name, prepared in task.prepared.items()}
    widest = max(task.diameter_pixels(name) for name in task.prepared)
    border = task.settings.prepare.border_diameters * widest
    return Rules(border_pixels=border, shapes=shapes, bootstrap_draws=draws)


def region_labels(task: Task, regions: tuple[Region, ...]) -> Picks:
    """The labels inside the regions, each with its diameter; their micrographs count as annotated."""
    parts = [_inside(task, task.labels.on(region.name), region) for region in regions]
    sized = [
        replace(part, diameter_pixels=np.full(len(part), task.diameter_pixels(region.name)))
        for part, region in zip(parts, regions, strict=True)
    ]
    return Picks.concatenate(sized)


def _pick_regions(picker: Picker, task: Task, regions: tuple[Region, ...], views: int | None = None) -> Picks:
    return Picks.concatenate(
        _inside(task, picker.pick(task.prepared[region.name], views), region) for region in regions
    )


def _inside(task: Task, picks: Picks, region: Region) -> Picks:
    return picks.rows(region.contains(picks.xy, task.prepared[region.name].original_shape))
