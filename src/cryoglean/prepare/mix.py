"""Mix crops with each other: a rectangle of one is pasted into another, picture and `(y, w)` alike."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoglean.targets import Targets


def cut_mix(
    images: Tensor, targets: Targets, *, share: float, stride: int, generator: torch.Generator, seam_pixels: float = 0
) -> tuple[Tensor, Targets]:
    """CutMix (Yun 2019, arXiv 1905.04899; for segmentation French 2020, arXiv 1906.01916).

    Each chosen crop gets a rectangle (15 to 40 % of its area) of the crop before it. A particle that the rectangle's
    edge may cut is ignored.

    Args:
        images: (n, 1, y, x).
        targets: at every `stride`-th pixel.
        share: probability that a crop is chosen.
        stride: of the targets; the rectangle lies on its grid.
        generator: decides everything.
        seam_pixels: half width, in pixels of the targets, of the zone along the edge in which w becomes 0.

    Returns:
        New images and targets of the same shapes.
    """
    if share == 0 or len(images) < 2:
        return images, targets
    images, y, w = images.clone(), targets.y.clone(), targets.w.clone()
    before = (images.roll(1, 0), y.roll(1, 0), w.roll(1, 0))
    rows, columns = y.shape[-2:]
    for place in range(len(images)):
        chosen, area, aspect, *at = torch.rand(5, generator=generator).tolist()
        if chosen >= share:
            continue
        height, width = _sides(0.15 + 0.25 * area, 0.5 + aspect, rows, columns)
        top, left = int(at[0] * (rows - height + 1)), int(at[1] * (columns - width + 1))
        fine = (slice(top * stride, (top + height) * stride), slice(left * stride, (left + width) * stride))
        coarse = (slice(top, top + height), slice(left, left + width))
        for new, old, box in zip((images, y, w), before, (fine, coarse, coarse), strict=True):
            new[place, 0][box] = old[place, 0][box]
        if seam_pixels > 0:
            w[place, 0][_seam(rows, columns, (top, left, top + height, left + width), seam_pixels)] = 0
    return images, Targets(y, w)


def _sides(area: float, aspect: float, rows: int, columns: int) -> tuple[int, int]:
    height = min(max(round(rows * (area * aspect) ** 0.5), 1), rows)
    width = min(max(round(columns * (area / aspect) ** 0.5), 1), columns)
    return height, width


def _seam(rows: int, columns: int, box: tuple[int, int, int, int], half_width: float) -> Tensor:
    """Pixels nearer to the edge of the box than the half width, edges on the crop's own rim not counted."""
    top, left, bottom, right = box
    y, x = torch.arange(rows)[:, None] + 0.5, torch.arange(columns)[None, :] + 0.5
    in_rows = (y > top - half_width) & (y < bottom + half_width)
    in_columns = (x > left - half_width) & (x < right + half_width)
    near = torch.zeros((rows, columns), dtype=torch.bool)
    for edge, inner in ((top, 0), (bottom, rows)):
        if edge != inner:
            near |= ((y - edge).abs() < half_width) & in_columns
    for edge, inner in ((left, 0), (right, columns)):
        if edge != inner:
            near |= ((x - edge).abs() < half_width) & in_rows
    return near
