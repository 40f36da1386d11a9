"""Paste labelled particles into labelled background: the same particles in other surroundings, without a new label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from cryoglean.prepare.targets import paint_discs
from cryoglean.prepare.tiles import Crops, LearnedMicrograph
from cryoglean.settings import TargetSettings
from cryoglean.targets import Targets

_WHOLE, _GONE = 0.5, 0.7  # radii, in diameters, inside which a stamp is seen fully, and from which on not at all
_CLEAR = 0.8  # radius, in diameters, of the background that a pasted particle needs
_ALONE = 1.0  # diameters to the nearest other particle
_MOST = 4  # particles pasted into one crop
_LARGEST_GAIN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Pictures of labelled particles.

    Args:
        pictures: (k, s, s) float32, particles bright and in the middle pixel; s is odd.
        particle_pixels: their diameter in rescaled pixels.
    """

    pictures: Tensor
    particle_pixels: float

    def __len__(self) -> int:
        """The number of particles."""
        return len(self.pictures)


def cut_stamps(micrographs: Sequence[LearnedMicrograph], particle_pixels: float) -> Stamps:
    """Squares around labelled particles, those only that lie whole on their micrograph and count.

    Args:
        micrographs: labelled, particles bright; `xy` are the centres.
        particle_pixels: diameter in rescaled pixels; the squares reach 0.7 diameters to each side.

    Returns:
        The particles with no other centre within one diameter; all of them where there is no such particle.
    """
    half = math.ceil(_GONE * particle_pixels)
    alone: list[Tensor] = []
    crowded: list[Tensor] = []
    for micrograph in micrographs:
        rows, columns = micrograph.image.shape
        distances = _nearest_others(micrograph.xy)
        for (x, y), distance in zip(np.rint(micrograph.xy).astype(int).tolist(), distances.tolist(), strict=True):
            is_whole = half <= y < rows - half and half <= x < columns - half
            if is_whole and micrograph.w[y, x] > 0:
                square = micrograph.image[y - half : y + half + 1, x - half : x + half + 1]
                (alone if distance > _ALONE * particle_pixels else crowded).append(square)
    chosen = alone or crowded
    side = 2 * half + 1
    return Stamps(torch.stack(chosen) if chosen else torch.zeros((0, side, side)), particle_pixels)


def paste_particles(
    crops: Crops, stamps: Stamps, *, share: float, settings: TargetSettings, stride: int, generator: torch.Generator
) -> Crops:
    """Some crops with one to four more particles, each on a disc of labelled background 0.8 diameters in radius.

    A stamp is turned by a multiple of 90 degrees, mirrored or not, and brought to the mean and deviation of the place;
    its rim fades so that the noise keeps its strength. The idea is copy-paste (Dwibedi 2017, arXiv 1708.01642;
    Ghiasi 2021, arXiv 2012.07177); they paste anywhere, we only where somebody said that there is nothing.

    Args:
        crops: a batch, particles bright.
        stamps: see `cut_stamps`; without any the crops stay as they are.
        share: probability that a crop is chosen.
        settings: of the discs that are painted; see `paint_discs`.
        stride: of the targets.
        generator: decides everything.

    Returns:
        A new batch; a crop without room gets fewer particles than drawn, or none.
    """
    if share == 0 or not len(stamps):
        return crops
    images, y, w = crops.images.clone(), crops.targets.y.clone(), crops.targets.w.clone()
    brush = _Brush(stamps, settings, stride)
    chosen = (torch.rand(len(images), generator=generator) < share).nonzero().flatten()
    free = brush.find_room(y[chosen, 0], w[chosen, 0])
    for crop, room in zip(chosen.tolist(), free, strict=True):
        for _ in range(1 + _draw(_MOST, generator)):
            places = room.nonzero()
            if not len(places):
                break
            row, column = places[_draw(len(places), generator)].tolist()
            centre = (row * stride + _draw(stride, generator), column * stride + _draw(stride, generator))
            stamp = stamps.pictures[_draw(len(stamps), generator)]
            brush.paste(images[crop, 0], centre, _turn(stamp, _draw(8, generator)))
            brush.paint(y[crop, 0], w[crop, 0], centre)
            room &= brush.is_far_from(centre, room.shape)
    return Crops(images, Targets(y, w), crops.background)


class _Brush:
    """What all pastes of a batch share: masks of the stamp, its targets, and the room that it needs.

    Args:
        stamps: all of one size.
        settings: of the targets.
        stride: of the targets.
    """

    def __init__(self, stamps: Stamps, settings: TargetSettings, stride: int) -> None:
        self.stride, self.half = stride, stamps.pictures.shape[-1] // 2
        pixels = stamps.particle_pixels
        steps = torch.arange(-self.half, self.half + 1, dtype=torch.float32)
        radius = torch.hypot(steps[:, None], steps[None, :]) / pixels
        mask = ((_GONE - radius) / (_GONE - _WHOLE)).clamp(0, 1)
        self.disc, self.rim = mask > 0, (mask > 0) & (mask < 1)
        self.kept, self.taken = (1 - mask) / torch.hypot(mask, 1 - mask), mask / torch.hypot(mask, 1 - mask)
        painted = max(_GONE, settings.core_diameters, settings.ring_diameters)
        clear = max(_CLEAR, painted) * pixels + math.sqrt(2) * (stride - 1)  # the centre lies between two targets
        self.apart = clear + painted * pixels
        self.reach = math.ceil(painted * pixels)
        y, w = paint_discs(np.full((1, 2), float(self.reach)), (2 * self.reach + 1,) * 2, pixels, settings)
        self.y, self.w = torch.from_numpy(y), torch.from_numpy(w)
        self.clear = math.ceil(max(clear, self.half + stride - 1, self.reach + stride - 1) / stride)

    def find_room(self, y: Tensor, w: Tensor) -> Tensor:
        """(n, y, x) bool: pixels of the targets around which all within reach is inside the crop and background."""
        (rows, columns), radius = y.shape[-2:], self.clear
        blocked = torch.nn.functional.pad(((y > 0) | (w <= 0)).float(), (radius,) * 4, value=1.0)
        before = torch.nn.functional.pad(blocked.cumsum(-1), (1, 0))
        count = torch.zeros_like(y)
        for step in range(-radius, radius + 1):
            width = math.isqrt(radius**2 - step**2)
            band = before[:, radius + step : radius + step + rows]
            count += band[..., radius + width + 1 :][..., :columns] - band[..., radius - width :][..., :columns]
        return count == 0

    def paste(self, image: Tensor, centre: tuple[int, int], stamp: Tensor) -> None:
        """Lay the stamp over the picture (y, x), brought to the mean and deviation of the place."""
        place = image[tuple(slice(middle - self.half, middle + self.half + 1) for middle in centre)]
        ground, rim = place[self.disc], stamp[self.rim]
        mean = ground.mean()
        gain = (ground.std() / rim.std().clamp_min(1e-6)).clamp(1 / _LARGEST_GAIN, _LARGEST_GAIN)
        mixed = mean + self.kept * (place - mean) + self.taken * gain * (stamp - rim.mean())
        place.copy_(torch.where(self.disc, mixed, place))

    def paint(self, y: Tensor, w: Tensor, centre: tuple[int, int]) -> None:
        """Paint the particle's core and ring into targets (y, x)."""
        first = [-(-(middle - self.reach) // self.stride) for middle in centre]
        skipped = [start * self.stride - middle + self.reach for start, middle in zip(first, centre, strict=True)]
        seen = tuple(slice(skip, None, self.stride) for skip in skipped)
        new_y, new_w = self.y[seen], self.w[seen]
        box = tuple(slice(start, start + length) for start, length in zip(first, new_y.shape, strict=True))
        y[box] = torch.maximum(y[box], new_y)
        w[box] = torch.where(new_w == 0, new_w, torch.where(new_y > 0.5, new_w, w[box]))

    def is_far_from(self, centre: tuple[int, int], shape: torch.Size) -> Tensor:
        """(y, x) bool: pixels of the targets where a further particle keeps off the one just pasted."""
        rows, columns = (
            torch.arange(length, dtype=torch.float32) * self.stride - middle
            for length, middle in zip(shape, centre, strict=True)
        )
        return torch.hypot(rows[:, None], columns[None, :]) > self.apart


def _nearest_others(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) distance of each point to the nearest other one; infinite for a single one."""
    if len(xy) == 0:
        return np.empty(0)
    distances, _ = cKDTree(xy).query(xy, k=2)
    return np.asarray(distances)[:, 1]


def _turn(stamp: Tensor, view: int) -> Tensor:
    turned = torch.rot90(stamp, view // 2, (0, 1))
    return turned.flip(1) if view % 2 else turned


def _draw(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (), generator=generator))
