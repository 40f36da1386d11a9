"""Soft Dice (Milletari 2016, arXiv 1606.04797): overlap of what is said and what is true, blind to their rarity."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_SMOOTH_PIXELS = 1.0


def loss(logits: Tensor, targets: Targets, _settings: LossSettings) -> Tensor:
    """1 - (2 |p y| + s) / (|p| + |y| + s) over counted pixels, for each crop; 0 where no particle is counted.

    A crop without a particle is left out: its gradient would be vanishing or arbitrary, as s decides.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape.

    Returns:
        (n,) float in [0, 1].
    """
    said = (torch.sigmoid(logits) * targets.w).flatten(1)
    true = (targets.y * targets.w).flatten(1)
    overlap = (2 * (said * targets.y.flatten(1)).sum(1) + _SMOOTH_PIXELS) / (said.sum(1) + true.sum(1) + _SMOOTH_PIXELS)
    return torch.where(true.sum(1) > 0, 1 - overlap, torch.zeros_like(overlap))
