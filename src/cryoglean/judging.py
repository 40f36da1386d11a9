"""How a network is judged while it is trained: by its picks, and by whether it ranks particles above the rest at all.

The second is the gate of the source notes: no teacher may label for others before it has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cryoglean.evaluate.pu import correct_auc, positive_unlabelled_auc
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.labelling import know
from cryoglean.learn.loop import Validate
from cryoglean.learn.predict import predict_crops
from cryoglean.prepare.split import Region
from cryoglean.prepare.targets import paint_discs
from cryoglean.task import Task, pick_regions, region_labels, validation_rules

Scores = NDArray[np.float64]
_LARGEST_PRIOR = 0.9


@dataclass(frozen=True, slots=True)
class Gate:
    """What the first network must reach before a round may begin.

    Args:
        auc: area under its ROC curve; None where nothing was there to measure it on.
        least: it must be above this.
        measured_on: `validation`; `clicks`: those that it learned from, which flatters it; or `nothing`.
    """

    auc: float | None
    least: float
    measured_on: str

    @property
    def has_passed(self) -> bool:
        """Whether rounds may begin; also where nothing could be measured."""
        return self.auc is None or self.auc > self.least

    def to_json(self) -> dict[str, Any]:
        """For the events and the summary."""
        auc = None if self.auc is None else round(self.auc, 4)
        return {"auc": auc, "least": self.least, "passed": self.has_passed, "measured_on": self.measured_on}


def measure_gate(task: Task, networks: Sequence[nn.Module], held: Sequence[Sequence[Region]], least: float) -> Gate:
    """The gate of a first training.

    Args:
        task: see `Task`.
        networks: of each branch.
        held: what is held out from each of them; where that is nothing, clicks are taken.
        least: see `Gate`.
    """
    if any(held):
        found = [measure_auc(task, network, regions) for network, regions in zip(networks, held, strict=True)]
        known = [auc for auc in found if auc is not None]
        return Gate(float(np.mean(known)), least, "validation") if known else Gate(None, least, "nothing")
    auc = _measure_on_clicks(task, networks[0])
    return Gate(auc, least, "nothing" if auc is None else "clicks")


def measure_auc(task: Task, network: nn.Module, regions: Sequence[Region]) -> float | None:
    """How often a pixel in a particle's core scores above one outside all rings, of all these regions together.

    In patches that come from a file only the middle is judged, and unlabelled ones may hold a particle: what is found
    is corrected by the prior (see `evaluate.pu.correct_auc`).

    Args:
        task: see `Task`.
        network: in evaluation mode.
        regions: labelled completely, or patches.

    Returns:
        In [0, 1]; None without a particle or without anything else.
    """
    if task.patch_prior is not None:
        return _area(*_score_patches(task, network, regions), prior=task.patch_prior)
    return _area(*_score_regions(task, network, regions))


def validate_on(task: Task, regions: tuple[Region, ...], *, tells_auc: bool = False) -> Validate:
    """A validation on what is held out.

    Args:
        task: see `Task`.
        regions: held out.
        tells_auc: whether the area under the ROC curve is told, too.
    """
    truth, rules = region_labels(task, regions), validation_rules(task)

    def validate(network: nn.Module) -> dict[str, float]:
        picks = pick_regions(task.picker(network), task, regions, views=1)
        found = evaluate_picks(picks, truth, rules)
        precision = 0.0 if found.curve is None else found.curve.average_precision
        auc = measure_auc(task, network, regions) if tells_auc else None
        more = {} if auc is None else {"auc": auc}
        return {"average_precision": precision or 0.0, "best_f1": found.best[0] or 0.0, **more}

    return validate


def _measure_on_clicks(task: Task, network: nn.Module) -> float | None:
    """Clicked cores against everything that nobody judged, corrected by the share of cores among that."""
    regions = tuple(Region(name) for name in task.split.train)
    return _area(*_score_regions(task, network, regions), prior=know(task, regions).core_share)


def _area(particles: Scores, others: Scores, prior: float = 0.0) -> float | None:
    if not len(particles) or not len(others):
        return None
    return min(correct_auc(positive_unlabelled_auc(particles, others), min(prior, _LARGEST_PRIOR)), 1.0)


def _score_regions(task: Task, network: nn.Module, regions: Sequence[Region]) -> tuple[Scores, Scores]:
    """Scores of pixels in cores, and of pixels outside rings; the seam and the edge belong to neither."""
    picker, step = task.picker(network), slice(None, None, task.stride)
    targets = task.settings.targets.model_copy(update={"shape": "disc"})
    inside, outside = [np.empty(0)], [np.empty(0)]
    for region in regions:
        prepared = task.prepared[region.name]
        xy = prepared.scale.to_rescaled(task.labels.on(region.name).xy)
        shape = (prepared.image.shape[0], prepared.image.shape[1])
        y, w = paint_discs(xy, shape, task.preparation.particle_pixels, targets)
        counted = ((w > 0) & (task.learnable(prepared, region).numpy() > 0))[step, step]
        scores = picker.map(prepared, views=1).numpy().astype(np.float64)
        is_core = y[step, step] > 0
        inside.append(scores[counted & is_core])
        outside.append(scores[counted & ~is_core])
    return np.concatenate(inside), np.concatenate(outside)


def _score_patches(task: Task, network: nn.Module, regions: Sequence[Region]) -> tuple[Scores, Scores]:
    """Scores of the middles of patches with a particle there, and of unlabelled ones."""
    patches = [task.prepared[region.name] for region in regions]
    images = torch.stack([patch.image for patch in patches])[:, None]
    maps = predict_crops(network, images, task.hardware, stride=task.stride)[0, :, 0].numpy().astype(np.float64)
    column, row = np.rint(task.middle(patches[0])[0] / task.stride).astype(int)
    is_particle = np.array([len(task.labels.on(patch.name)) > 0 for patch in patches])
    return maps[is_particle, row, column], maps[~is_particle, row, column]
