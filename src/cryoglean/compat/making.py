"""Pictures through a labeller: masks, weights and what to say about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoglean.compat.teacher import Picture, Pictures, Teacher, check_pictures
from cryoglean.errors import SettingsError
from cryoglean.labelling import enlarge
from cryoglean.pseudo.budget import Candidate, describe
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Variant
from cryoglean.targets import Targets

_SAMPLE = 400_000  # pixels that a selector is fitted to


class PseudoLabelStats(TypedDict):
    """What became of the pictures; shares are of the pictures that were kept, 0 without one.

    Args:
        variant: `notes` or `corrected`.
        offered: pictures that were looked at.
        kept: pictures that were kept.
        indices: their places among those offered.
        particle_ratio: share of 1 in the masks; what `diagnose_pseudo_labels` compares.
        trusted_particle_ratio: share of particle among trusted pixels.
        target_particle_ratio: the share that was expected; None where no rule needs it.
        usage: share of trusted pixels.
        particle_usage: share of pixels that are trusted particle.
        background_usage: share of pixels that are trusted background.
        thresholds: those that were used, by name.
        weights: for each mask a (y, x) float32 array: 1 is trusted, 0 is to be ignored.
    """

    variant: Variant
    offered: int
    kept: int
    indices: list[int]
    particle_ratio: float
    trusted_particle_ratio: float
    target_particle_ratio: float | None
    usage: float
    particle_usage: float
    background_usage: float
    thresholds: dict[str, float]
    weights: list[NDArray[np.float32]]


PseudoLabels = tuple[list[Picture], list[NDArray[np.float32]], PseudoLabelStats]
"""Pictures, masks, stats."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one function asks of the engine.

    Args:
        variant: told in the stats.
        labeller: see `Labeller`.
        thresholds: told in the stats.
        target: expected share of particle pixels; None: no rule needs it.
        labelled: how many pictures are labelled.
        is_fitted: whether the selector is fitted to all pictures, which are then looked at twice.
    """

    variant: Variant
    labeller: Labeller
    thresholds: dict[str, float]
    target: float | None = None
    labelled: int = 1
    is_fitted: bool = False

    def knowledge(self) -> Knowledge:
        """With a density that makes the expected share of particle pixels the target."""
        if self.target is None:
            return Knowledge(0.0, 1.0, labelled=self.labelled)
        if not 0 < self.target <= 0.9:
            raise SettingsError(
                f"it is {self.target}", where="target_particle_ratio", fix="Give a share above 0, at most 0.9."
            )
        one = Knowledge(0.0, 1.0)
        return replace(one, density=self.target / (math.pi * one.core_diameters**2), labelled=self.labelled)


def make_pseudo_labels(teacher: Teacher, images: Pictures, wish: Wish) -> PseudoLabels:
    """Fit, label, keep, and say what came of it.

    Args:
        teacher: the user's model.
        images: the user's pictures.
        wish: what is to be done.

    Raises:
        SettingsError: the target is out of range, or the model's answer can't be used.
        MicrographError: there is no picture, or one can't be used.
    """
    shape, knowledge, labeller = check_pictures(images), wish.knowledge(), wish.labeller
    stride = teacher.find_stride(images[:1], labeller.views)
    states = labeller.fit(
        _sample(teacher.look(images, labeller.views, stride), len(images)) if wish.is_fitted else torch.zeros(0),
        knowledge,
    )
    candidates: list[Candidate] = []
    made: list[tuple[Tensor, Tensor]] = []
    for place, guess in enumerate(teacher.look(images, labeller.views, stride)):
        calibrated, targets = labeller.label(guess, states, knowledge)
        particle_pixels = int((targets.y * targets.w).sum())
        candidates.append(describe(str(place), particle_pixels, calibrated, targets))
        made.append((targets.y.to(torch.uint8), targets.w.to(torch.uint8)))
    kept = labeller.budget(candidates, knowledge)
    large = [enlarge(Targets(made[place][0].float(), made[place][1].float()), shape, stride) for place in kept]
    masks = [(y >= 0.5).to(torch.float32).numpy() for y, _ in large]
    weights = [w.numpy() for _, w in large]
    pixels, called, trusted, particle = _count(masks, weights)
    fitted = {"particle": states[-1][0], "background": 1 - states[-1][1]} if wish.is_fitted else {}
    stats = PseudoLabelStats(
        variant=wish.variant,
        offered=len(candidates),
        kept=len(kept),
        indices=kept,
        particle_ratio=called / max(pixels, 1),
        trusted_particle_ratio=particle / max(trusted, 1),
        target_particle_ratio=wish.target,
        usage=trusted / max(pixels, 1),
        particle_usage=particle / max(pixels, 1),
        background_usage=(trusted - particle) / max(pixels, 1),
        thresholds={**wish.thresholds, **fitted},
        weights=weights,
    )
    return [images[place] for place in kept], masks, stats


def _sample(guesses: Iterator[Guess], offered: int) -> Tensor:
    """Pixels of all pictures, so many that a selector can be fitted."""
    parts = []
    for guess in guesses:
        step = guess.valid.numel() * offered // _SAMPLE | 1  # odd, so that it doesn't follow one column
        parts.append(guess.sample()[::step])
    return torch.cat(parts)


def _count(masks: Sequence[NDArray[np.float32]], weights: Sequence[NDArray[np.float32]]) -> tuple[int, int, int, int]:
    """All pixels, those called particle, those trusted, those both."""
    pairs = list(zip(masks, weights, strict=True))
    return (
        sum(mask.size for mask in masks),
        sum(int(np.count_nonzero(mask)) for mask in masks),
        sum(int(np.count_nonzero(weight)) for weight in weights),
        sum(int(np.count_nonzero(mask * weight)) for mask, weight in pairs),
    )
