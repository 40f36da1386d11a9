"""Whether pictures and their targets lie alike: the student's opinion of the one is compared with the other."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoglean.targets import Targets

_FLAT = 1e-6


def measure_agreement(logits: Tensor, targets: Targets) -> dict[str, float]:
    """How well what the student says fits the targets (correlation), as they lie and turned or mirrored.

    Where a turned reading fits better, the picture and its target were not moved in the same way.

    Args:
        logits: (n, 1, y, x) of the student.
        targets: of the same crops.

    Returns:
        `agreement`, and `agreement_turned` of the best of the seven other readings; nothing where either is flat.
    """
    said, y = torch.sigmoid(logits.detach().cpu()), targets.y.cpu()
    w = (targets.w.cpu() > 0).to(y.dtype)
    found = []
    for place in range(8):
        turned = torch.rot90(said, place % 4, (-2, -1))
        turned = turned.flip(-1) if place >= 4 else turned
        found.append(_correlate(turned, y, w) if turned.shape == y.shape else None)
    if found[0] is None:
        return {}
    return {"agreement": found[0], "agreement_turned": max((one for one in found[1:] if one is not None), default=0.0)}


def _correlate(first: Tensor, second: Tensor, w: Tensor) -> float | None:
    total = w.sum().clamp_min(1)
    first, second = (one - (one * w).sum() / total for one in (first, second))
    scale = torch.sqrt((w * first.square()).sum() * (w * second.square()).sum())
    return float((w * first * second).sum() / scale) if float(scale) > _FLAT else None
