"""ResNet-18 for patches of one channel, without its later strides: speaks at every fourth pixel of a micrograph.

He 2015 (arXiv 1512.03385) with the strides of the last three stages left out and some of their dilation put in instead
(Yu 2017, arXiv 1705.09914). With the paper's widths it would take 11.2 million multiply-adds for each logit, 170 times
as many as `lean`; with the default ones it takes 324 000, five times as many, and has 324 945 weights.

It sees further than a patch: at the rim of a patch it sees zeros, which are the mean of a prepared micrograph.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

STRIDE = 4
IS_OF_PATCHES = True
_DILATIONS = (1, 1, 2, 2)  # with 4 in the last stage, learned on patches, logits of whole micrographs were 4 too high


class Settings(BaseModel):
    """What the network is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    widths: tuple[int, ...] = Field(default=(16, 32, 64, 64), min_length=4, max_length=4)
    """Channels of the four stages of two blocks each; those of the paper are 64, 128, 256, 512."""
    prior: float = Field(default=0.04, gt=0, lt=1)
    """Share of particles that an untrained network says."""


def build(settings: Settings) -> nn.Module:
    """A network from (n, 1, y, x) pictures to (n, 1, ceil(y / 4), ceil(x / 4)) logits.

    Logit (j, i) belongs to the pixel (4 j, 4 i) of the picture.
    """
    return PatchResNet(settings)


class PatchResNet(nn.Module):
    """See `build`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        widths = settings.widths
        self.stem = nn.Sequential(*_convolve(1, widths[0], 5, stride=2), *_convolve(widths[0], widths[0], 3, stride=2))
        inner = zip(widths[:1] + widths, widths, _DILATIONS, strict=False)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(Block(before, width, dilation), Block(width, width, dilation))
                for before, width, dilation in inner
            )
        )
        self.mean = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)  # 12 pixels: about half a particle
        self.head = nn.Conv2d(widths[-1], 1, kernel_size=1)
        nn.init.normal_(self.head.weight, std=0.02)
        self.head.bias = nn.Parameter(torch.full((1,), -math.log((1 - settings.prior) / settings.prior)))

    def forward(self, image: Tensor) -> Tensor:
        """(n, 1, y, x) float -> (n, 1, ceil(y / 4), ceil(x / 4)) logits; any size."""
        logits: Tensor = self.head(self.mean(self.stages(self.stem(image))))
        return logits


class Block(nn.Module):
    """Two 3 x 3 convolutions whose result is added to what came in (He 2015, figure 2), option B."""

    def __init__(self, inside: int, outside: int, dilation: int) -> None:
        super().__init__()
        first = _convolve(inside, outside, 3, dilation=dilation)
        second = _convolve(outside, outside, 3, dilation=dilation)[:2]
        self.change = nn.Sequential(*first, *second)
        same = inside == outside
        self.keep = nn.Identity() if same else nn.Sequential(*_convolve(inside, outside, 1)[:2])

    def forward(self, features: Tensor) -> Tensor:
        """(n, inside, y, x) -> (n, outside, y, x)."""
        return torch.relu(self.change(features) + self.keep(features))


def _convolve(inside: int, outside: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Module, ...]:
    reach = dilation * (kernel // 2)
    return (
        nn.Conv2d(inside, outside, kernel, stride=stride, padding=reach, dilation=dilation, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )
