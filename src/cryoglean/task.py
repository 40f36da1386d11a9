"""What a recipe is applied to: pictures, labels, what each is for, and how picks on them are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryoglean.evaluate.score import Rules
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.loop import Tell
from cryoglean.learn.picker import Picker
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Region, Split
from cryoglean.prepare.targets import mask_border, paint_targets
from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.registry import load_card
from cryoglean.settings import Settings


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
        unlabelled: the prepared unlabelled micrographs by name.
        density: particles expected on a rescaled pixel; None: as many as are labelled, which is right where labels
            are complete.
        checkpoint_folder: where phases are saved; None: nowhere.
        resumes: whether to continue from there.
        patch_prior: where the pictures are patches from a file, of which only the middle was judged: the share of
            particles among the unlabelled ones; None: they are micrographs.
        keep_examples: is given the number of each round and its pseudo-labelled micrographs; None: nobody is.
    """

    settings: Settings
    hardware: Hardware
    preparation: Preparation
    prepared: Mapping[str, Prepared]
    labels: Picks
    split: Split
    tell: Tell
    unlabelled: Mapping[str, Prepared] = field(default_factory=dict)
    density: float | None = None
    patch_prior: float | None = None
    checkpoint_folder: Path | None = None
    resumes: bool = False
    keep_examples: Callable[[int, tuple[LearnedMicrograph, ...]], None] | None = None

    @property
    def stride(self) -> int:
        """Of the network's output."""
        return int(load_card("models", self.settings.model.name).STRIDE)

    @property
    def is_of_patches(self) -> bool:
        """Whether the network judges patches: of each crop only the middle counts."""
        return bool(getattr(load_card("models", self.settings.model.name), "IS_OF_PATCHES", False))

    @property
    def is_sparse(self) -> bool:
        """Whether only some particles are labelled, and the others were not judged."""
        return self.settings.labels.kind == "sparse"

    @property
    def unjudged(self) -> Mapping[str, Prepared]:
        """The micrographs that a teacher may label: the unlabelled ones, and those of which only parts are labelled."""
        clicked = {name: self.prepared[name] for name in self.split.train} if self.is_sparse else {}
        return {**clicked, **self.unlabelled}

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
        w = w * self.learnable(prepared, region)
        return LearnedMicrograph(region.name, prepared.image, y, w, self.particles(region))

    def particles(self, region: Region) -> NDArray[np.float64]:
        """(n, 2) rescaled pixels (x, y) of the labelled particles inside the region."""
        prepared = self.prepared[region.name]
        xy = prepared.scale.to_rescaled(self.labels.on(region.name).xy)
        return xy[region.contains(xy, (prepared.image.shape[0], prepared.image.shape[1]))]

    def unlearned(self, prepared: Prepared) -> LearnedMicrograph:
        """A micrograph without targets; w = 1 where it may be learned from, and nothing was clicked."""
        w = self.learnable(prepared)
        if prepared.name in self.split.train:
            told = self.learned(Region(prepared.name))
            w = w * ((told.y == 0) & (told.w > 0))
        xy = np.empty((0, 2)) if self.patch_prior is None else self.middle(prepared)
        return LearnedMicrograph(prepared.name, prepared.image, torch.zeros_like(w), w, xy)

    def middle(self, prepared: Prepared) -> NDArray[np.float64]:
        """(1, 2) the rescaled pixel (x, y) that a patch is about; see `Patches`."""
        rows, columns = prepared.original_shape
        return prepared.scale.to_rescaled(np.array([[columns // 2, rows // 2]], dtype=np.float64))

    def learnable(self, prepared: Prepared, region: Region | None = None) -> Tensor:
        """(y, x): 1 where something is to be seen, not near the edge, and inside the region; else 0."""
        pixels = self.preparation.particle_pixels
        border = round(self.settings.prepare.border_diameters * pixels)
        w = mask_border(prepared.valid.to(torch.float32), border)
        if region is None:
            return w
        shape = (w.shape[0], w.shape[1])
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).reshape(-1, 2)
        inside = region.contains(grid.astype(np.float64), shape, margin_pixels=pixels / 2).reshape(shape)
        return w * torch.from_numpy(inside)


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


def pick_regions(picker: Picker, task: Task, regions: tuple[Region, ...], views: int | None = None) -> Picks:
    """All picks inside the regions."""
    return Picks.concatenate(
        _inside(task, picker.pick(task.prepared[region.name], views), region) for region in regions
    )


def _inside(task: Task, picks: Picks, region: Region) -> Picks:
    return picks.rows(region.contains(picks.xy, task.prepared[region.name].original_shape))
