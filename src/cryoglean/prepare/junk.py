"""Paste things that are not particles into crops: blots with ragged rims and edges of dark areas, as background.

A few labelled micrographs seldom show all the dirt that the others have; a network that has never seen an ice crystal
or a carbon edge takes its dark corner for the surest particle of all (docs/log.md, 2026-11-21).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cryoglean.prepare.tiles import Crops
from cryoglean.settings import AugmentSettings
from cryoglean.targets import Targets

_WAVES = 5
_EDGE_SHARE = 0.3
_PARTICLE = 0.1  # a soft target is never quite 0 where there is none


def add_junk(
    crops: Crops, settings: AugmentSettings, particle_pixels: float, stride: int, generator: torch.Generator
) -> Crops:
    """Some crops with one or two pieces of junk; particles under them are ignored, the junk is background.

    Args:
        crops: a batch, particles bright.
        settings: `junk` is the share of crops that get some.
        particle_pixels: diameter in rescaled pixels.
        stride: of the targets.
        generator: decides everything.
    """
    if settings.junk == 0:
        return crops
    images, y, w = crops.images.clone(), crops.targets.y.clone(), crops.targets.w.clone()
    side = images.shape[-1]
    steps = torch.arange(side, dtype=torch.float32)
    for place in range(len(images)):
        if float(torch.rand((), generator=generator)) >= settings.junk:
            continue
        cover = _draw_cover(steps, particle_pixels, generator)
        numbers = torch.rand(3, generator=generator)
        strength = (1.5 + 7.0 * float(numbers[0])) * (1.0 if float(numbers[1]) < 0.85 else -1.0)
        grain = 1 + 0.6 * float(numbers[2]) * torch.randn((side, side), generator=generator)
        images[place, 0] = (images[place, 0] * (1 - 0.5 * cover) + strength * cover * grain).clamp(-5, 5)
        coarse = cover[::stride, ::stride] > 0.15
        hidden = coarse & (y[place, 0] > _PARTICLE)
        y[place, 0][coarse] = 0
        w[place, 0][hidden] = 0
    return Crops(images, Targets(y, w), crops.background)


def _draw_cover(steps: Tensor, particle_pixels: float, generator: torch.Generator) -> Tensor:
    """(side, side) in [0, 1]: the edge of a large dark area, a ragged blot, or a crystal with straight sides."""
    side = len(steps)
    kind, *numbers = torch.rand(6, generator=generator).tolist()
    softness = particle_pixels * (0.03 + 0.2 * numbers[4])
    if kind < _EDGE_SHARE:
        radius = side * (1 + 4 * numbers[0])
        angle = 2 * math.pi * numbers[1]
        reach = radius + side * (numbers[2] - 0.3)
        x = steps[None, :] - side / 2 - reach * math.cos(angle)
        y = steps[:, None] - side / 2 - reach * math.sin(angle)
        return torch.sigmoid((radius - torch.hypot(x, y)) / softness)
    radius = particle_pixels * (0.5 + 2.0 * numbers[0] ** 2)
    x, y = steps[None, :] - side * numbers[1], steps[:, None] - side * numbers[2]
    inside = _crystal(x, y, radius, generator) if numbers[3] < 0.5 else _blot(x, y, radius, generator)
    return torch.sigmoid(inside / softness)


def _blot(x: Tensor, y: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """Pixels inside (above 0) a round thing whose radius varies by up to a half around it."""
    waves = 0.25 * torch.rand(_WAVES, generator=generator)
    phases = 2 * math.pi * torch.rand(_WAVES, generator=generator)
    turn = torch.atan2(y, x)
    rim = torch.ones_like(turn)
    for wave in range(_WAVES):
        rim = rim + waves[wave] * torch.cos((wave + 2) * turn + phases[wave])
    return radius * rim - torch.hypot(x, y)


def _crystal(x: Tensor, y: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """Pixels inside (above 0) a polygon of four to seven sides."""
    sides = int(torch.randint(4, 8, (), generator=generator))
    start, *stretch = torch.rand(sides + 1, generator=generator).tolist()
    inside = torch.full((y.shape[0], x.shape[1]), math.inf)
    for number, extra in enumerate(stretch):
        angle = 2 * math.pi * (start + number / sides)
        inside = torch.minimum(inside, radius * (0.7 + 0.6 * extra) - x * math.cos(angle) - y * math.sin(angle))
    return inside
