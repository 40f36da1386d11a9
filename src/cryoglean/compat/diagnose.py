"""The diagnosis of the source notes: have pseudo-masks too few or too many particles?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from cryoglean.compat.teacher import Pictures
from cryoglean.errors import LabelsError

_ADVICE = {
    "too few": "\n⚠️  PROBLEM DETECTED: Pseudo-labels have too few particles!\n"
    "   → Try Strategy 1 (Class-Balanced Selection)",
    "too many": "\n⚠️  PROBLEM DETECTED: Pseudo-labels have too many particles!\n   → Increase confidence threshold",
    "reasonable": "\n✓ Pseudo-label class balance looks reasonable",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether pseudo-masks hold about as much particle as real masks; its text is what the notes print.

    Args:
        real_particle_ratio: share of particle pixels in the real masks.
        pseudo_particle_ratio: the same in the pseudo-masks.
    """

    real_particle_ratio: float
    pseudo_particle_ratio: float

    @property
    def difference(self) -> float:
        """Pseudo minus real."""
        return self.pseudo_particle_ratio - self.real_particle_ratio

    @property
    def verdict(self) -> Literal["too few", "too many", "reasonable"]:
        """Too few under half, too many over double the real share."""
        if self.pseudo_particle_ratio < self.real_particle_ratio * 0.5:
            return "too few"
        return "too many" if self.pseudo_particle_ratio > self.real_particle_ratio * 2.0 else "reasonable"

    def __str__(self) -> str:
        line = "=" * 60
        return "\n".join(
            (
                f"\n{line}\nPSEUDO-LABEL DIAGNOSIS\n{line}",
                f"Real labels particle ratio:   {self.real_particle_ratio * 100:.2f}%",
                f"Pseudo-labels particle ratio: {self.pseudo_particle_ratio * 100:.2f}%",
                f"Difference: {self.difference * 100:+.2f}%",
                _ADVICE[self.verdict],
                f"{line}\n",
            )
        )


def diagnose_pseudo_labels(pseudo_masks: Pictures, real_masks: Pictures) -> Diagnosis:
    """Compare the particle shares of pseudo-masks and real masks; `print` what is returned.

    Args:
        pseudo_masks: arrays or tensors of any shape, values in [0, 1].
        real_masks: the same.

    Returns:
        The mean over masks of each mask's share, and what follows from it.

    Raises:
        LabelsError: there is no mask, or one has other values.
    """
    return Diagnosis(_mean_share("real_masks", real_masks), _mean_share("pseudo_masks", pseudo_masks))


def _mean_share(name: str, masks: Pictures) -> float:
    if not len(masks):
        raise LabelsError("there is no mask", where=name, fix="Give at least one; were pseudo-labels kept?")
    shares = []
    for place, mask in enumerate(masks):
        values = torch.as_tensor(mask).to(torch.float64)
        if not values.numel() or not ((values >= 0) & (values <= 1)).all():
            raise LabelsError(
                "it has values beyond 0 and 1, or none", where=f"{name}[{place}]", fix="Give masks of 0 and 1."
            )
        shares.append(float(values.mean()))
    return float(np.mean(shares))
