"""Cross entropy in which particle and background weigh the same, however few pixels of either are trusted.

The mean over each class, halved, as in balanced cross entropy (Xie 2015, arXiv 1504.06375); a class of which less than
1 % of the pixels count does not weigh more for that. What the network says is no probability: the prior is one half.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_LEAST_COUNTED = 0.01


def loss(logits: Tensor, targets: Targets, _settings: LossSettings) -> Tensor:
    """Half the mean over particle pixels plus half that over background pixels, for each crop.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; a soft pixel belongs to both classes, by its share.

    Returns:
        (n,) float.
    """
    each = binary_cross_entropy_with_logits(logits, targets.y, reduction="none")
    particle, background = targets.w * targets.y, targets.w * (1 - targets.y)
    halves = [
        (weight * each).flatten(1).mean(1) / weight.flatten(1).mean(1).clamp_min(_LEAST_COUNTED)
        for weight in (particle, background)
    ]
    return 0.5 * (halves[0] + halves[1])
