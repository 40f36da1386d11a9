"""Make a trained network faster to use: fold each normalisation into the convolution before it."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_normalisation(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode in which every convolution does the work of the batch normalisation that follows it.

    In evaluation a batch normalisation is a fixed scale and shift of each channel, which the convolution's weights can
    hold (arXiv 1712.05877, section 3.2). The results agree to rounding.

    Args:
        network: built of sequences in which a normalisation directly follows its convolution.
    """
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return folded.requires_grad_(requires_grad=False)


def _fold_sequence(sequence: nn.Sequential) -> None:
    for place in range(len(sequence) - 1):
        first, second = sequence[place], sequence[place + 1]
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(first, second)
            fused.weight.data = fused.weight.data.contiguous(memory_format=torch.channels_last)
            sequence[place] = fused
            sequence[place + 1] = nn.Identity()
