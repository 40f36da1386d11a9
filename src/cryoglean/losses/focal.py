"""Focal loss (Lin 2017, arXiv 1708.02002): pixels that are already right count less.

With gamma > 0 the network no longer says probabilities: at gamma 2 and weight 5 it says .36 where .04 is meant
(Charoenphakdee 2021, arXiv 2011.09172).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_LEAST_COUNTED = 0.01


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """The mean over counted pixels of omega |y - p|^gamma BCE, for each crop; gamma 0 is `bce`.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y may be soft.
        settings: `positive_weight` and `focal_gamma` are used.

    Returns:
        (n,) float.
    """
    omega = logits.new_tensor(settings.positive_weight)
    each = binary_cross_entropy_with_logits(logits, targets.y, pos_weight=omega, reduction="none")
    wrong = _distance(logits, targets.y)
    counted = targets.w.flatten(1).mean(1).clamp_min(_LEAST_COUNTED)
    return (targets.w * wrong**settings.focal_gamma * each).flatten(1).mean(1) / counted


def _distance(logits: Tensor, y: Tensor) -> Tensor:
    """|y - p|, exact also where p rounds to 0 or 1 and with a finite gradient everywhere."""
    particle, background = torch.exp(logsigmoid(logits)), torch.exp(logsigmoid(-logits))
    return (y * background - (1 - y) * particle).abs().clamp_min(1e-12)
