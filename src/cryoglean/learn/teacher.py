"""The averaged weights that are evaluated, and that teach (Tarvainen 2017, arXiv 1703.01780)."""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedNetwork:
    """An exponential moving average of a network's weights and float buffers; others are copied.

    The decay of step t is min(1 - 1 / (t + 1), decay): the plain mean until that many steps are seen.

    Args:
        network: what is averaged; a copy in evaluation mode is made at once.
        decay: in [0, 1); 0 follows the network.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after `step` (from 0)."""
        decay = min(1 - 1 / (step + 1), self.decay)
        averages, new = _tensors(self.network), _tensors(network)
        floats = [place for place, average in enumerate(averages) if average.is_floating_point()]
        torch._foreach_lerp_([averages[place] for place in floats], [new[place] for place in floats], 1 - decay)
        for average, value in zip(averages, new, strict=True):
            if not average.is_floating_point():
                average.copy_(value)


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    """Weights and buffers, always in the same order."""
    return [*(parameter.detach() for parameter in network.parameters()), *network.buffers()]
