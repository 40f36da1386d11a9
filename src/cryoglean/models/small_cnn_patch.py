"""Four convolutions that judge a patch by what lies within one particle diameter of its centre.

Speaks at every fourth pixel. 60 721 weights and, with the default widths, 62 000 multiply-adds for each logit: 0.9 of
the arithmetic of `lean` on a micrograph.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

STRIDE = 4
IS_OF_PATCHES = True


class Settings(BaseModel):
    """What the network is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    widths: tuple[int, ...] = Field(default=(16, 32, 64, 64), min_length=4, max_length=4)
    """Channels of the four convolutions: the first works at every 2nd pixel, the others at every 4th."""
    prior: float = Field(default=0.04, gt=0, lt=1)
    """Share of particles that an untrained network says."""


def build(settings: Settings) -> nn.Module:
    """A network from (n, 1, y, x) pictures to (n, 1, ceil(y / 4), ceil(x / 4)) logits.

    Logit (j, i) belongs to the pixel (4 j, 4 i) of the picture, and sees the 41 x 41 pixels around it and no other:
    a patch of 41 pixels or more has at its centre the logit that the whole micrograph has there.
    """
    return SmallPatchNetwork(settings)


class SmallPatchNetwork(nn.Module):
    """See `build`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        first, second, third, last = settings.widths
        self.features = nn.Sequential(
            *_convolve(1, first, 5, stride=2),
            *_convolve(first, second, 3, stride=2),
            *_convolve(second, third, 3),
            *_convolve(third, last, 3, dilation=2),
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),  # 12 pixels: about half a particle
        )
        self.head = nn.Conv2d(last, 1, kernel_size=1)
        nn.init.normal_(self.head.weight, std=0.05)
        self.head.bias = nn.Parameter(torch.full((1,), -math.log((1 - settings.prior) / settings.prior)))

    def forward(self, image: Tensor) -> Tensor:
        """(n, 1, y, x) float -> (n, 1, ceil(y / 4), ceil(x / 4)) logits; any size."""
        logits: Tensor = self.head(self.features(image))
        return logits


def _convolve(inside: int, outside: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Module, ...]:
    reach = dilation * (kernel // 2)
    return (
        nn.Conv2d(inside, outside, kernel, stride=stride, padding=reach, dilation=dilation, bias=False),
        nn.BatchNorm2d(outside),
        nn.SiLU(inplace=True),
    )
