"""What a teacher says about a micrograph or a batch of crops, and what is known besides."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """A map, or a batch of them, all of shape (n, 1, y, x).

    Args:
        probability: of a particle's core, in [0, 1]; the mean over networks and views.
        spread: standard deviation over networks and views; 0 with one of each.
        votes: share of networks and views that say 0.5 or more.
        valid: 1 where a pixel may be learned from, else 0.
    """

    probability: Tensor
    spread: Tensor
    votes: Tensor
    valid: Tensor

    @classmethod
    def from_views(cls, views: Tensor, valid: Tensor) -> Guess:
        """The mean, spread and votes of (k, n, 1, y, x) probabilities; valid is (n, 1, y, x)."""
        votes = (views >= 0.5).to(views.dtype).mean(0)
        spread = views.std(0, correction=0) if len(views) > 1 else torch.zeros_like(views[0])
        return cls(views.mean(0), spread, votes, valid.to(views.dtype))

    def with_probability(self, probability: Tensor) -> Guess:
        """The same with other probabilities."""
        return replace(self, probability=probability)

    def sample(self) -> Tensor:
        """The probabilities of all valid pixels: (k,)."""
        return self.probability[self.valid > 0]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a labeller may use besides the maps.

    Args:
        density: particles expected on a pixel of the map, from the labelled micrographs or the user.
        particle_pixels: diameter in pixels of the map.
        core_diameters: radius of a target's core, in diameters.
        ring_diameters: outer radius of its ignored ring, in diameters.
        is_gaussian: whether targets are Gaussians, of sigma core / 2.4, without a ring.
        positive_weight: of the loss that the teacher was trained with.
        focal_gamma: of that loss if it was focal, else 0.
        labelled: how many micrographs are labelled.
        known: (k, 2) what the teacher says and what is true, of pixels it has not learned from; None without any.
    """

    density: float
    particle_pixels: float
    core_diameters: float = 0.3
    ring_diameters: float = 0.5
    is_gaussian: bool = False
    positive_weight: float = 1.0
    focal_gamma: float = 0.0
    labelled: int = 1
    known: Tensor | None = None

    @property
    def core_share(self) -> float:
        """The share of pixels inside cores: the pixel prior of the targets."""
        return self._share(self.core_diameters)

    @property
    def soft_share(self) -> float:
        """The share of particle in a soft map: a core and a quarter of its ring, in which a map falls from 1 to 0.

        Measured: the maps of networks, calibrated on held-out labels, hold 1.2 to 1.3 times the cores (docs/log.md).
        """
        return self._share(self.core_diameters + (self.ring_diameters - self.core_diameters) / 4)

    def _share(self, radius_diameters: float) -> float:
        if self.is_gaussian:  # 2 pi sigma^2, as much as a disc of sqrt(2) sigma
            radius_diameters = math.sqrt(2) * self.core_diameters / 2.4
        return min(self.density * math.pi * (radius_diameters * self.particle_pixels) ** 2, 0.9)
