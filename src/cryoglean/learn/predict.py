"""A network and a micrograph make a map: whole or in overlapping tiles, averaged over turned and mirrored views."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cryoglean.learn.hardware import Hardware


@torch.no_grad()
def predict_map(
    network: nn.Module, image: Tensor, hardware: Hardware, *, stride: int, views: int = 1, tile_pixels: int = 2048
) -> Tensor:
    """The probability of a particle's core at every `stride`-th pixel.

    Args:
        network: from (n, 1, y, x) to logits (n, 1, y / stride, x / stride).
        image: (y, x) float32.
        hardware: where it runs.
        stride: of the network.
        views: 1, 2, 4 or 8 of the eight rotations and mirrorings; their probabilities are averaged.
        tile_pixels: larger pictures are cut into tiles of this side, overlapping by a quarter.

    Returns:
        (ceil(y / stride), ceil(x / stride)) float32 in [0, 1], on the CPU.
    """
    rows, columns = (-(-length // stride) for length in image.shape)
    padded = _pad_to_symmetric(image, stride)
    total = torch.zeros([-(-length // stride) for length in padded.shape])
    for view in range(views):
        turned = _turn(padded, view)
        total += _turn_back(_predict_tiles(network, turned, hardware, stride, tile_pixels), view)
    return (total / views)[:rows, :columns]


def _pad_to_symmetric(image: Tensor, stride: int) -> Tensor:
    """Mirror the edge so that length - 1 is a multiple of the stride: then mirrored grids fall on each other."""
    below, right = (-(length - 1) % stride for length in image.shape)
    return torch.nn.functional.pad(image[None, None], (0, right, 0, below), mode="replicate")[0, 0]


def _turn(image: Tensor, view: int) -> Tensor:
    """The view-th of the eight: mirrored for odd views, turned by 0, 180, 90, 270 degrees."""
    turned = torch.rot90(image, (0, 2, 1, 3)[view // 2], (0, 1))
    return turned.flip(1) if view % 2 else turned


def _turn_back(image: Tensor, view: int) -> Tensor:
    turned = image.flip(1) if view % 2 else image
    return torch.rot90(turned, -(0, 2, 1, 3)[view // 2], (0, 1))


def _predict_tiles(network: nn.Module, image: Tensor, hardware: Hardware, stride: int, tile_pixels: int) -> Tensor:
    if max(image.shape) <= tile_pixels:
        return _predict(network, image, hardware)
    overlap = tile_pixels // 4 // (2 * stride) * 2 * stride
    step = (tile_pixels // stride * stride) - overlap
    out = torch.zeros([-(-length // stride) for length in image.shape])
    for top in range(0, max(image.shape[0] - overlap, 1), step):
        for left in range(0, max(image.shape[1] - overlap, 1), step):
            tile = _predict(network, image[top : top + step + overlap, left : left + step + overlap], hardware)
            skip_rows, skip_columns = (overlap // 2 // stride if start else 0 for start in (top, left))
            row, column = top // stride + skip_rows, left // stride + skip_columns
            inner = tile[skip_rows:, skip_columns:]
            out[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
    return out


def _predict(network: nn.Module, image: Tensor, hardware: Hardware) -> Tensor:
    with hardware.precision():
        logits = network(hardware.send(image[None, None].contiguous()))
    return torch.sigmoid(logits.float())[0, 0].cpu()
