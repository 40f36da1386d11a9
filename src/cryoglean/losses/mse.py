"""Squared difference of probabilities: consistency (Tarvainen 2017, arXiv 1703.01780) and denoising.

At a few per cent particle it is about 1e-3 a pixel, so that it needs a large weight beside a cross entropy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_LEAST_COUNTED = 0.01


def loss(logits: Tensor, targets: Targets, _settings: LossSettings) -> Tensor:
    """The mean over counted pixels of (sigma(logit) - y)^2, for each crop.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape.

    Returns:
        (n,) float.
    """
    each = targets.w * (torch.sigmoid(logits) - targets.y) ** 2
    return each.flatten(1).mean(1) / targets.w.flatten(1).mean(1).clamp_min(_LEAST_COUNTED)
