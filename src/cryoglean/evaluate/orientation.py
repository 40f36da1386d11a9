"""Whether the picks would fit far better upside down, or with x and y swapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cryoglean.evaluate.curves import Tally, tally
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.zones import set_scenes
from cryoglean.picks import Picks

_FAR = 0.1  # F1 by which a turned reading must be better, and at least double, to be called far better

_MEANING = {
    "flipped_y": "upside down (y counted from the other edge)",
    "swapped": "with x and y swapped",
    "swapped_flipped_y": "with x and y swapped and upside down",
}


@dataclass(frozen=True, slots=True)
class Orientation:
    """F1 of the picks as given, and read in other ways.

    Args:
        f1: F1 by reading: `as_given`, `swapped` and, where the shapes are known, `flipped_y`, `swapped_flipped_y`.
        best: the reading that is far better than the picks as given, else `as_given`.
    """

    f1: dict[str, float]
    best: str

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        if self.best == "as_given":
            return "The picks fit the truth best as they are."
        return (
            f"The picks fit far better {_MEANING[self.best]}: F1 {self.f1[self.best]:.2f} instead of "
            f"{self.f1['as_given']:.2f}. Check the orientation of the picks or of the truth."
        )

    def to_json(self) -> dict[str, Any]:
        """Whether something looks turned, the F1 of each reading, and a sentence."""
        return {
            "looks_flipped": "flipped" in self.best,
            "looks_swapped": "swapped" in self.best,
            "f1": dict(self.f1),
            "sentence": self.sentence,
        }


def check_orientation(picks: Picks, truth: Picks, rules: Rules, ignore: Picks | None = None) -> Orientation:
    """Match the picks also turned, as arXiv:2608.28838 does for y.

    Another reading is called better only if its F1 is at least twice that of the picks as given, and 0.1 more:
    dense picks match by chance in any orientation.

    Args:
        picks: what is reported, the threshold applied.
        truth: the particles.
        rules: tolerance, border, shapes and match rule.
        ignore: see `set_scenes`.
    """
    picks = picks.of(truth.micrographs)
    readings = {"as_given": picks, "swapped": replace(picks, xy=picks.xy[:, ::-1])}
    if all(name in rules.shapes for name in truth.micrographs):
        readings["flipped_y"] = flip_y(picks, rules)
        readings["swapped_flipped_y"] = flip_y(readings["swapped"], rules)
    f1 = {name: _f1(reading, truth, rules, ignore) for name, reading in readings.items()}
    best = max(f1, key=lambda name: f1[name])
    far = f1[best] >= max(2 * f1["as_given"], f1["as_given"] + _FAR)
    return Orientation(f1, best if far else "as_given")


def flip_y(picks: Picks, rules: Rules) -> Picks:
    """The picks with y counted from the last row: y becomes (rows - 1) - y.

    Args:
        picks: on micrographs that `rules.shapes` all knows.
        rules: the shapes.
    """
    names, inverse = np.unique(picks.micrograph, return_inverse=True)
    heights = np.array([rules.shapes[str(name)][0] for name in names], dtype=np.float64)
    y = heights[inverse] - 1 - picks.xy[:, 1] if len(picks) else picks.xy[:, 1]
    return replace(picks, xy=np.stack([picks.xy[:, 0], y], axis=1))


def _f1(picks: Picks, truth: Picks, rules: Rules, ignore: Picks | None) -> float:
    total = sum((tally(scene) for scene in set_scenes(picks, truth, rules, ignore).each), Tally(0, 0, 0))
    return total.f1 or 0.0
