"""A network and a micrograph make a map: whole or in overlapping tiles, averaged over turned and mirrored views."""

from __future__ import annotations

from collections.abc import Iterator

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
    total: Tensor | None = None
    for each in predict_views(network, image, hardware, stride=stride, views=views, tile_pixels=tile_pixels):
        total = each.clone() if total is None else total.add_(each)
    if total is None:
        raise ValueError("at least one view is needed")
    return total / views


@torch.no_grad()
def predict_views(
    network: nn.Module, image: Tensor, hardware: Hardware, *, stride: int, views: int = 1, tile_pixels: int = 2048
) -> Iterator[Tensor]:
    """The map of each view, turned back; see `predict_map`, which is their mean."""
    rows, columns = (-(-length // stride) for length in image.shape)
    padded = _pad_to_symmetric(image, stride)
    for view in range(views):
        turned = _turn(padded, view)
        yield _turn_back(_predict_tiles(network, turned, hardware, stride, tile_pixels), view)[:rows, :columns]


@torch.no_grad()
def predict_crops(network: nn.Module, images: Tensor, hardware: Hardware, *, stride: int, views: int = 1) -> Tensor:
    """The probabilities that each view gives for a batch of crops.

    Args:
        network: see `predict_map`.
        images: (n, 1, y, x) float32, square.
        hardware: where it runs.
        stride: of the network.
        views: 1 to 8 of the eight rotations and mirrorings.

    Returns:
        (views, n, 1, ceil(y / stride), ceil(x / stride)) float32 on the CPU.
    """
    rows, columns = (-(-length // stride) for length in images.shape[-2:])
    padded = images if views == 1 else _pad_to_symmetric(images, stride)
    said = []
    for view in range(views):
        with hardware.precision():
            logits = network(hardware.send(_turn(padded, view).contiguous()))
        said.append(_turn_back(torch.sigmoid(logits.float()).cpu(), view)[..., :rows, :columns])
    return torch.stack(said)


def _pad_to_symmetric(image: Tensor, stride: int) -> Tensor:
    """Mirror the edge so that length - 1 is a multiple of the stride: then mirrored grids fall on each other."""
    below, right = (-(length - 1) % stride for length in image.shape[-2:])
    batch = image if image.ndim == 4 else image[None, None]
    padded = torch.nn.functional.pad(batch, (0, right, 0, below), mode="replicate")
    return padded if image.ndim == 4 else padded[0, 0]


def _turn(image: Tensor, view: int) -> Tensor:
    """The view-th of the eight: mirrored for odd views, turned by 0, 180, 90, 270 degrees."""
    turned = torch.rot90(image, (0, 2, 1, 3)[view // 2], (-2, -1))
    return turned.flip(-1) if view % 2 else turned


def _turn_back(image: Tensor, view: int) -> Tensor:
    turned = image.flip(-1) if view % 2 else image
    return torch.rot90(turned, -(0, 2, 1, 3)[view // 2], (-2, -1))


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
