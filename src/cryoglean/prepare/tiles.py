"""Cut varied crops from prepared micrographs: the same geometric operation for the picture and its targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryoglean.settings import AugmentSettings, LearnSettings
from cryoglean.targets import Targets

_LEAST_INSIDE = 0.4  # of a crop's side: how near to an edge of the micrograph its centre may come


@dataclass(frozen=True, slots=True, eq=False)
class LearnedMicrograph:
    """A prepared micrograph with its targets, ready to be cut.

    Args:
        name: the micrograph's name.
        image: (y, x) float32.
        y: (y, x) float32 in [0, 1], see `Targets`.
        w: (y, x) float32 in [0, 1], see `Targets`.
        xy: (n, 2) rescaled pixels of the particles that crops may be centred on.
    """

    name: str
    image: Tensor
    y: Tensor
    w: Tensor
    xy: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """A batch.

    Args:
        images: (n, 1, y, x) float32.
        targets: at every `stride`-th pixel.
        background: (n, 1, y, x) float32, other places of the same micrographs, for added noise.
    """

    images: Tensor
    targets: Targets
    background: Tensor


def cut_crops(
    micrographs: Sequence[LearnedMicrograph],
    learn: LearnSettings,
    augment: AugmentSettings,
    stride: int,
    generator: torch.Generator,
    reach_pixels: float | None = None,
) -> Crops:
    """Draw a batch: which micrograph, where, how turned, mirrored and scaled.

    Args:
        micrographs: at least one.
        learn: batch, size and share of crops near particles.
        augment: the geometric part.
        stride: targets are given at every `stride`-th pixel of the crop, starting with the first.
        generator: decides everything.
        reach_pixels: how far, in x and in y, the centre of a crop near a particle may lie from it; by default a third
            of its side.
    """
    draw = _Draw(generator)
    reach = learn.crop_pixels / 3 if reach_pixels is None else reach_pixels
    weights = torch.tensor([math.sqrt(micrograph.image.numel()) for micrograph in micrographs])
    chosen = torch.multinomial(weights, learn.batch, replacement=True, generator=generator).tolist()
    images, ys, ws, backgrounds = [], [], [], []
    for place in chosen:
        micrograph = micrographs[place]
        matrix = _random_matrix(draw, augment)
        grid = _grid(matrix, _random_centre(draw, micrograph, learn, reach), learn.crop_pixels)
        images.append(_read(micrograph.image[None], grid, smooth=True)[0])
        coarse = grid[::stride, ::stride]
        ys.append(_read(micrograph.y[None], coarse, smooth=False)[0])
        ws.append(_read(micrograph.w[None], coarse, smooth=False)[0])
        backgrounds.append(_cut_anywhere(draw, micrograph.image, learn.crop_pixels))
    return Crops(
        torch.stack(images)[:, None],
        Targets(torch.stack(ys)[:, None], torch.stack(ws)[:, None]),
        torch.stack(backgrounds)[:, None],
    )


class _Draw:
    """Random numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def number(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def whole(self, below: int) -> int:
        return int(torch.randint(max(below, 1), (), generator=self.generator))


def _random_matrix(draw: _Draw, augment: AugmentSettings) -> Tensor:
    """(2, 2): from crop offsets (x, y) to offsets on the micrograph."""
    angle = draw.number(0, 2 * math.pi) if augment.rotate else draw.whole(4) * math.pi / 2
    zoom = 1 + draw.number(-augment.scale, augment.scale) if augment.scale else 1.0
    mirror = -1.0 if draw.whole(2) else 1.0
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    return torch.tensor([[cos * mirror, -sin], [sin * mirror, cos]])


def _random_centre(draw: _Draw, micrograph: LearnedMicrograph, learn: LearnSettings, reach: float) -> Tensor:
    """(x, y) of a crop's centre: near a particle, or anywhere."""
    height, width = micrograph.image.shape
    x, y = draw.number(0, width - 1), draw.number(0, height - 1)
    if len(micrograph.xy) and draw.number(0, 1) < learn.near_particles:
        x, y = micrograph.xy[draw.whole(len(micrograph.xy))]
        x, y = x + draw.number(-reach, reach), y + draw.number(-reach, reach)
    margin = _LEAST_INSIDE * learn.crop_pixels
    return torch.tensor([_pull_inside(x, width, margin), _pull_inside(y, height, margin)])


def _pull_inside(place: float, length: int, margin: float) -> float:
    """The place, moved so that it is the margin away from both ends, or to the middle if that is not possible."""
    margin = min(margin, (length - 1) / 2)
    return min(max(place, margin), length - 1 - margin)


def _grid(matrix: Tensor, centre: Tensor, side: int) -> Tensor:
    """(side, side, 2) positions (x, y) on the micrograph of the crop's pixels.

    Crops turned by a multiple of 90 degrees fall on whole pixels, so that they are read without interpolation.
    """
    steps = torch.arange(side, dtype=torch.float32) - (side - 1) // 2
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    x, y = offsets.unbind(-1)  # not a matrix product: autocast would make it bfloat16, a third of a pixel wrong
    turned = [row[0] * x + row[1] * y for row in matrix.to(torch.float32)]
    return torch.stack(turned, dim=-1) + centre.round().to(torch.float32)


def _cut_anywhere(draw: _Draw, picture: Tensor, side: int) -> Tensor:
    """A piece of the picture as it is, repeated if the picture is smaller."""
    top, left = (draw.whole(length - side + 1) for length in picture.shape)
    piece = picture[top : top + side, left : left + side]
    times = [-(-side // length) for length in piece.shape]
    return piece.repeat(times)[:side, :side]


def _read(pictures: Tensor, grid: Tensor, *, smooth: bool) -> Tensor:
    """Values of (c, y, x) pictures at (x, y) positions; mirrored beyond the edge if smooth, 0 there if not."""
    height, width = pictures.shape[-2:]
    size = torch.tensor([max(width - 1, 1), max(height - 1, 1)], dtype=torch.float32)
    out = torch.nn.functional.grid_sample(
        pictures[None],
        (grid * 2 / size - 1)[None],
        mode="bicubic" if smooth else "bilinear",
        padding_mode="reflection" if smooth else "zeros",
        align_corners=True,
    )
    return out[0]
