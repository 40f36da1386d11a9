"""A round between two trainings: the teacher labels the unlabelled micrographs, and its obituary is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from cryoglean.learn.predict import predict_views
from cryoglean.prepare.normalize import Prepared
from cryoglean.prepare.split import Region
from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.pseudo.budget import Candidate, describe
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.particles import find_particles
from cryoglean.targets import Targets
from cryoglean.task import Task

_SAMPLE = 400_000  # pixels that calibrators are fitted to


@dataclass(frozen=True, slots=True, eq=False)
class Harvest:
    """What a teacher made of the unlabelled micrographs.

    Args:
        micrographs: those kept, with targets.
        obituary: numbers of the pseudo-labels; see `docs/explain/unlabelled-micrographs.md`.
        known: see `Knowledge`.
    """

    micrographs: tuple[LearnedMicrograph, ...] = ()
    obituary: dict[str, Any] = field(default_factory=dict)
    known: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Teachers:
    """Who labels, and what is known about them.

    Args:
        networks: their maps are averaged.
        learned: regions that they learned from.
        held: regions that they have not learned from; the same labeller is judged there.
        known: stands in where no region is held out: what teachers of the same kind say and what is true.
    """

    networks: Sequence[nn.Module]
    learned: Sequence[Region]
    held: Sequence[Region]
    known: Tensor | None = None


def know(task: Task, regions: Sequence[Region], known: Tensor | None = None) -> Knowledge:
    """What labellers may use besides the maps: the density of particles, and the sizes.

    Args:
        task: see `Task`.
        regions: labelled, learned from.
        known: see `Knowledge`.
    """
    targets, loss = task.settings.targets, task.settings.loss
    density = count_density(task, regions) if task.density is None else task.density
    return Knowledge(
        density=density * task.stride**2,
        particle_pixels=task.preparation.particle_pixels / task.stride,
        core_diameters=targets.core_diameters,
        ring_diameters=targets.ring_diameters,
        is_gaussian=targets.shape == "gaussian",
        positive_weight=loss.positive_weight if {"bce", "focal"} & set(loss.terms) else 1.0,
        focal_gamma=loss.focal_gamma if "focal" in loss.terms and "bce" not in loss.terms else 0.0,
        labelled=len(regions),
        known=known,
    )


def count_density(task: Task, regions: Sequence[Region]) -> float:
    """Labelled particles a rescaled pixel, of the pixels that may be learned from.

    Args:
        task: see `Task`.
        regions: whose labels are counted.
    """
    count, pixels = 0.0, 0.0
    for region in regions:
        learnable = task.learnable(task.prepared[region.name], region)
        columns, rows = np.round(task.particles(region)).astype(int).T
        inside = (rows >= 0) & (columns >= 0) & (rows < learnable.shape[0]) & (columns < learnable.shape[1])
        count += float(learnable[rows[inside], columns[inside]].sum())
        pixels += float(learnable.sum())
    return count / max(pixels, 1.0)


def look(task: Task, networks: Sequence[nn.Module], prepared: Prepared, views: int) -> Guess:
    """The maps of some networks and views of one micrograph as one guess."""
    settings = task.settings.pick
    maps = [
        each
        for network in networks
        for each in predict_views(
            network, prepared.image, task.hardware, stride=task.stride, views=views, tile_pixels=settings.tile_pixels
        )
    ]
    valid = task.learnable(prepared)[:: task.stride, :: task.stride]
    return Guess.from_views(torch.stack(maps)[:, None, None], valid[None, None])


def harvest(task: Task, labeller: Labeller, teachers: Teachers) -> Harvest:
    """Label all unlabelled micrographs, keep those within the budget, and say how good the labels are.

    Args:
        task: see `Task`.
        labeller: see `Labeller`.
        teachers: see `Teachers`.
    """
    networks = teachers.networks
    held_guesses = [look(task, networks, task.prepared[region.name], labeller.views) for region in teachers.held]
    truths = [_truth(task, region) for region in teachers.held]
    known = _known(held_guesses, truths) if teachers.held else teachers.known
    knowledge = know(task, teachers.learned, known)
    guesses = {name: look(task, networks, one, labeller.views) for name, one in task.unjudged.items()}
    sample = torch.cat([guess.sample() for guess in guesses.values()] or [torch.zeros(0)])
    states = labeller.fit(sample[:: max(len(sample) // _SAMPLE, 1)], knowledge)
    candidates: list[Candidate] = []
    made: list[LearnedMicrograph] = []
    for name in list(guesses):
        guess = guesses.pop(name)  # a map is dropped as soon as it is labelled
        calibrated, targets = labeller.label(guess, states, knowledge)
        micrograph = _with_clicks(task, _as_learned(task, task.unjudged[name], targets, knowledge))
        candidates.append(describe(name, len(micrograph.xy), calibrated, targets))
        made.append(micrograph)
    kept = labeller.budget(candidates, knowledge)
    judged = [
        _judge(labeller.label(guess, states, knowledge)[1], truth)
        for guess, truth in zip(held_guesses, truths, strict=True)
    ]
    obituary = {
        **_describe_kept([candidates[place] for place in kept], [made[place] for place in kept], len(candidates)),
        **_pool(judged),
        "prior": knowledge.core_share,
        "soft_prior": knowledge.soft_share,
        "states": [list(state) for state in states],
    }
    return Harvest(tuple(made[place] for place in kept), obituary, known)


def _as_learned(task: Task, prepared: Prepared, targets: Targets, knowledge: Knowledge) -> LearnedMicrograph:
    """Targets of the map brought to the picture's pixels; crops may be centred on its particles."""
    heights = find_particles(targets.y * targets.w, knowledge.particle_pixels, floor=0.5)
    rows, columns = torch.nonzero(heights[0, 0], as_tuple=True)
    xy = torch.stack([columns, rows], dim=1).numpy().astype(np.float64) * task.stride
    y, w = enlarge(targets, (prepared.image.shape[0], prepared.image.shape[1]), task.stride)
    return LearnedMicrograph(prepared.name, prepared.image, y, w, xy)


def _with_clicks(task: Task, made: LearnedMicrograph) -> LearnedMicrograph:
    """The same, with what a person labelled as particles: a teacher may not say otherwise."""
    if made.name not in task.split.train:
        return made
    told = task.learned(Region(made.name))
    is_core = told.y > 0
    xy = np.concatenate([made.xy, told.xy])
    y = torch.where(is_core, told.y, made.y)
    return replace(made, y=y, w=torch.where(is_core, told.w, made.w), xy=xy)


def enlarge(targets: Targets, shape: tuple[int, int], stride: int) -> tuple[Tensor, Tensor]:
    """Targets of a map at the pixels of its picture: linear between map pixels, w = 0 where a neighbour's is.

    Args:
        targets: (1, 1, y, x); pixel (j, i) of the map lies on pixel (stride j, stride i) of the picture.
        shape: (y, x) of the picture.
        stride: of the map.
    """
    rows, columns = (torch.arange(length, dtype=torch.float32) / stride for length in shape)
    height, width = targets.y.shape[-2:]
    grid = torch.stack(torch.meshgrid(columns.clamp_max(width - 1), rows.clamp_max(height - 1), indexing="xy"), dim=-1)
    size = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float32)
    both = torch.cat([targets.y, targets.w], dim=1)
    y, w = grid_sample(both, (grid * 2 / size - 1)[None], mode="bilinear", padding_mode="border", align_corners=True)[0]
    return y.contiguous(), torch.where(w > 1 - 1e-4, w, torch.zeros_like(w))


def _truth(task: Task, region: Region) -> Targets:
    learned = task.learned(region)
    step = slice(None, None, task.stride)
    return Targets(learned.y[step, step][None, None], learned.w[step, step][None, None])


def _known(guesses: Sequence[Guess], truths: Sequence[Targets]) -> Tensor:
    """(k, 2) what teachers say and what is true on held-out pixels."""
    pairs = [
        torch.stack([guess.probability[truth.w > 0], truth.y[truth.w > 0]], dim=1)
        for guess, truth in zip(guesses, truths, strict=True)
    ]
    return torch.cat(pairs)


def _judge(targets: Targets, truth: Targets) -> NDArray[np.float64]:
    """Trusted particle pixels, the true ones of them, all true ones; trusted background pixels, the true ones."""
    said, counted = targets.y >= 0.5, truth.w > 0
    trusted = (targets.w > 0) & counted
    is_true = (truth.y > 0.5) & counted
    values = [trusted & said, trusted & said & is_true, is_true, trusted & ~said, trusted & ~said & ~is_true]
    return np.array([float(value.sum()) for value in values])


def _pool(judged: Sequence[NDArray[np.float64]]) -> dict[str, float | None]:
    if not judged:
        return {"precision": None, "recall": None, "background_precision": None}
    particle, right, true, background, right_background = np.sum(judged, axis=0)
    return {
        "precision": float(right / particle) if particle else None,
        "recall": float(right / true) if true else None,
        "background_precision": float(right_background / background) if background else None,
    }


def _describe_kept(kept: Sequence[Candidate], made: Sequence[LearnedMicrograph], offered: int) -> dict[str, Any]:
    trusted = sum(float((one.w > 0).sum()) for one in made)
    particle = sum(float(((one.y >= 0.5) & (one.w > 0)).sum()) for one in made)
    pixels = sum(one.w.numel() for one in made)
    return {
        "offered": offered,
        "kept": len(kept),
        "particle_share": particle / trusted if trusted else 0.0,
        "usage": trusted / pixels if pixels else 0.0,
        "particle_usage": particle / pixels if pixels else 0.0,
        "background_usage": (trusted - particle) / pixels if pixels else 0.0,
        "particles": {candidate.name: candidate.count for candidate in kept},
    }
