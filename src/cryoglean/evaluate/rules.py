"""The rules of an evaluation: how near is found, what is left out, how pairs are chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import SettingsError
from cryoglean.picks import Picks

MatchRule = Literal["greedy_distance", "hungarian"]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """How picks are compared with the truth.

    Args:
        tolerance_pixels: largest distance of a pick to its particle, pixels; None takes `tolerance_diameters`.
        diameter_pixels: diameter of the particle, pixels; None takes the truth's own column, particle by particle.
        tolerance_diameters: largest distance in diameters, used when `tolerance_pixels` is None.
        border_pixels: truth and picks nearer than this to an edge of the micrograph are left out.
        shapes: (y, x) of each micrograph by name; needed for a border, a flip check and pixel definitions.
        rule: `greedy_distance` pairs the nearest first; `hungarian` is Topaz's assignment. See `match_picks`.
        strict: whether a pick at exactly the tolerance is too far.
        bootstrap_draws: how often the micrographs are drawn anew for the intervals; 0 gives no intervals.
        seed: of the bootstrap.

    Raises:
        SettingsError: a length that is not a positive number, an unknown rule.
    """

    tolerance_pixels: float | None = None
    diameter_pixels: float | None = None
    tolerance_diameters: float = 0.5
    border_pixels: float = 0.0
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rule: MatchRule = "greedy_distance"
    strict: bool = False
    bootstrap_draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("tolerance_pixels", "diameter_pixels", "tolerance_diameters"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise SettingsError(f"{name} is {value}", where="evaluation", fix="Give a length above 0.")
        if not (self.border_pixels >= 0 and math.isfinite(self.border_pixels)):
            raise SettingsError(f"border_pixels is {self.border_pixels}", where="evaluation", fix="Give 0 or more.")
        if self.rule not in ("greedy_distance", "hungarian"):
            raise SettingsError(
                f"there is no match rule '{self.rule}'", where="evaluation", fix="Use greedy_distance or hungarian."
            )

    def diameters(self, truth: Picks) -> NDArray[np.float64] | None:
        """The diameter of each particle of the truth: (m,) pixels, or None when nobody said.

        A particle without a usable diameter of its own takes the median of the others.
        """
        if self.diameter_pixels is not None:
            return np.full(len(truth), self.diameter_pixels)
        if truth.diameter_pixels is None:
            return None
        usable = np.isfinite(truth.diameter_pixels) & (truth.diameter_pixels > 0)
        if not usable.any():
            return None
        return np.where(usable, truth.diameter_pixels, np.median(truth.diameter_pixels[usable]))

    def typical_diameter(self, truth: Picks) -> float | None:
        """One diameter for all, pixels: the given one, else the median of the truth's; None when nobody said."""
        if self.diameter_pixels is not None:
            return self.diameter_pixels
        each = self.diameters(truth)
        return None if each is None or not len(each) else float(np.median(each))

    def tolerances(self, truth: Picks) -> NDArray[np.float64]:
        """The tolerance of each particle of the truth: (m,) pixels.

        Raises:
            SettingsError: neither a tolerance nor any diameter is known.
        """
        if self.tolerance_pixels is not None:
            return np.full(len(truth), self.tolerance_pixels)
        each = self.diameters(truth)
        if each is not None:
            return self.tolerance_diameters * each
        if not len(truth):
            return np.empty(0)
        raise SettingsError(
            "how near is near enough is not known",
            where="evaluation",
            fix="Give the particle's diameter or the tolerance in pixels.",
        )

    def typical_tolerance(self, truth: Picks) -> float | None:
        """One tolerance for all, pixels: the given one, else the median over the truth; None when unknown."""
        if self.tolerance_pixels is not None:
            return self.tolerance_pixels
        diameter = self.typical_diameter(truth)
        return None if diameter is None else self.tolerance_diameters * diameter
