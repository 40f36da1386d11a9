"""Binary cross entropy with a weight on particle pixels that can be undone afterwards.

With weight omega the risk is smallest at q = omega eta / (1 - eta + omega eta), eta being the true probability, or the
belief that a soft target holds; `pseudo.calibrate.undo_weight` turns q back into eta.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_LEAST_COUNTED = 0.01  # of the pixels: a crop of which less counts does not weigh more for that


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """The mean over counted pixels, for each crop.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape.
        settings: `positive_weight` is used.

    Returns:
        (n,) float.
    """
    omega = logits.new_tensor(settings.positive_weight)
    each = binary_cross_entropy_with_logits(logits, targets.y, pos_weight=omega, reduction="none")
    counted = targets.w.flatten(1).mean(1).clamp_min(_LEAST_COUNTED)
    return (targets.w * each).flatten(1).mean(1) / counted
