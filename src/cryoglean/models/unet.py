"""A small U-Net that speaks at every second pixel (Ronneberger 2015, arXiv 1505.04597)."""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

STRIDE = 2


class Settings(BaseModel):
    """What the U-Net is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    widths: tuple[int, ...] = Field(default=(16, 32, 64, 96), min_length=2)
    """Channels from the finest to the coarsest level."""
    prior: float = Field(default=0.04, gt=0, lt=1)
    """Share of particle pixels that an untrained network says."""


def build(settings: Settings) -> nn.Module:
    """A network from (n, 1, y, x) pictures to (n, 1, ceil(y / 2), ceil(x / 2)) logits.

    Logit (j, i) belongs to the pixel (2 j, 2 i) of the picture.
    """
    return UNet(settings)


class UNet(nn.Module):
    """See `build`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = settings.widths
        self.stem = nn.Conv2d(1, widths[0], kernel_size=5, stride=STRIDE, padding=2, bias=False)
        self.down = nn.ModuleList([_block(widths[max(level - 1, 0)], width) for level, width in enumerate(widths)])
        self.up = nn.ModuleList(
            [_block(widths[level] + widths[level + 1], widths[level]) for level in reversed(range(len(widths) - 1))]
        )
        self.head = nn.Conv2d(widths[0], 1, kernel_size=1)
        nn.init.constant_(_bias(self.head), -math.log((1 - settings.prior) / settings.prior))

    def forward(self, image: Tensor) -> Tensor:
        """(n, 1, y, x) float -> (n, 1, ceil(y / 2), ceil(x / 2)) logits; any size."""
        rows, columns = (math.ceil(length / STRIDE) for length in image.shape[-2:])
        multiple = STRIDE * 2 ** (len(self.down) - 1)
        below, right = (-length % multiple for length in image.shape[-2:])
        features = self.stem(nn.functional.pad(image, (0, right, 0, below), mode="replicate"))
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            if level:
                features = nn.functional.max_pool2d(features, 2)
            features = block(features)
            skipped.append(features)
        features = skipped.pop()
        for block in self.up:
            features = nn.functional.interpolate(features, scale_factor=2, mode="nearest")
            features = block(torch.cat([features, skipped.pop()], dim=1))
        logits: Tensor = self.head(features)[..., :rows, :columns]
        return logits


def _block(inside: int, outside: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each normalised."""
    layers: list[nn.Module] = []
    for channels in (inside, outside):
        layers += [
            nn.Conv2d(channels, outside, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.SiLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        raise ValueError("the last layer needs a bias")
    return layer.bias
