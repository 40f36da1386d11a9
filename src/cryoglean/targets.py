"""The currency between labellers and losses: what a pixel should be, and how much that counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the network should say, and how much each pixel counts.

    Args:
        y: (n, 1, y, x) float in [0, 1]: 1 is particle, 0 is background, between is a belief.
        w: (n, 1, y, x) float in [0, 1]: 0 is ignored, 1 counts fully.

    Raises:
        ValueError: the shapes differ.
    """

    y: Tensor
    w: Tensor

    def __post_init__(self) -> None:
        if self.y.shape != self.w.shape:
            raise ValueError(f"y has the shape {tuple(self.y.shape)}, w {tuple(self.w.shape)}")

    def to(self, device: object) -> Targets:
        """The same targets on another device."""
        return Targets(self.y.to(device), self.w.to(device))  # type: ignore[call-overload]
