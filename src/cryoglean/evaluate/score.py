"""Compare picks with the truth: one call, one result, everything in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cryoglean.errors import SettingsError
from cryoglean.evaluate.bootstrap import Interval, bootstrap_intervals
from cryoglean.evaluate.curves import Curve, Tally, all_steps, match_scene, pool_steps, tally
from cryoglean.evaluate.orientation import Orientation, check_orientation
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.zones import Scene, Scenes, set_scenes
from cryoglean.picks import Picks

_HALF = 0.5  # recall

__all__ = ["Evaluation", "MicrographScore", "Rules", "evaluate_picks", "macro_mean"]


@dataclass(frozen=True, slots=True)
class MicrographScore:
    """The counts of one annotated micrograph.

    Args:
        name: of the micrograph.
        tally: what was found, missed and false at the threshold.
    """

    name: str
    tally: Tally

    @property
    def count_error(self) -> float | None:
        """|picks - truth| / truth; None without truth."""
        return abs(self.tally.picks - self.tally.truth) / self.tally.truth if self.tally.truth else None

    def to_json(self) -> dict[str, Any]:
        """One row of the table per micrograph; null where a score is not defined."""
        return {
            "micrograph": self.name,
            "truth": self.tally.truth,
            "picks": self.tally.picks,
            "true_positives": self.tally.true_positives,
            "precision": self.tally.precision,
            "recall": self.tally.recall,
            "f1": self.tally.f1,
            "count_error": self.count_error,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How well picks agree with the truth.

    A score that is not defined is None: precision without a pick, recall without a particle, F1 without either
    (nothing was to be found and nothing was picked, which is right, but not a number).

    Args:
        total: counts over all annotated micrographs, at `threshold`.
        per_micrograph: counts of each annotated micrograph.
        threshold: the cut that was applied; None when none was, or when the picks have no scores.
        tolerance_pixels: largest distance of a pick to its particle; the median when it differs by particle.
        curve: counts at every threshold; None when the picks have no scores.
        intervals: 95 % intervals over micrographs of f1, precision, recall and average_precision.
        at_quarter_diameter: counts at a tolerance of 0.25 diameters, and that tolerance; None without a diameter.
        orientation: whether the picks look flipped or swapped.
        left_out: picks and particles that neither helped nor hurt, by reason.
        definition: the rules in words.
    """

    total: Tally
    per_micrograph: tuple[MicrographScore, ...]
    threshold: float | None
    tolerance_pixels: float | None
    curve: Curve | None
    intervals: Mapping[str, Interval | None]
    at_quarter_diameter: tuple[Tally, float] | None
    orientation: Orientation
    left_out: Mapping[str, int]
    definition: str

    @property
    def best(self) -> tuple[float | None, float | None]:
        """The best F1 over all thresholds, and its threshold; F1 itself and None when there is no curve."""
        best = None if self.curve is None else self.curve.best
        return best or (self.total.f1, None)

    @property
    def surest_half(self) -> tuple[int, int] | None:
        """Of the surest picks that find half of the particles: how many are particles, and how many are not.

        Many without a label among the surest mean that labels are missing, or that something else looks like them.
        None when there is no curve or half is never found.
        """
        curve = self.curve
        if curve is None or not curve.truth or not (curve.recall >= _HALF).any():
            return None
        place = int(np.argmax(curve.recall >= _HALF))
        return int(curve.true_positives[place]), int(curve.false_positives[place])

    @property
    def count_error(self) -> float | None:
        """Mean of |picks - truth| / truth over the micrographs with truth; None when there is none."""
        errors = [one.count_error for one in self.per_micrograph if one.count_error is not None]
        return math.fsum(errors) / len(errors) if errors else None

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values without nan; what is not defined is null."""
        best_f1, best_threshold = self.best
        return {
            "f1": self.total.f1,
            "precision": self.total.precision,
            "recall": self.total.recall,
            "best_f1": best_f1,
            "best_f1_threshold": best_threshold,
            "average_precision": None if self.curve is None else self.curve.average_precision,
            "true_positives": self.total.true_positives,
            "picks": self.total.picks,
            "truth": self.total.truth,
            "threshold": self.threshold,
            "tolerance_pixels": self.tolerance_pixels,
            "macro": macro_mean([one.tally for one in self.per_micrograph]),
            "surest_half": self.surest_half and list(self.surest_half),
            "count_error": self.count_error,
            "at_quarter_diameter": self._quarter(),
            "intervals": {name: None if one is None else list(one) for name, one in self.intervals.items()},
            "picks_without_truth": self.left_out["picks_without_truth"],
            "left_out": dict(self.left_out),
            "orientation": self.orientation.to_json(),
            "definition": self.definition,
            "per_micrograph": [one.to_json() for one in self.per_micrograph],
        }

    def _quarter(self) -> dict[str, float | None] | None:
        if self.at_quarter_diameter is None:
            return None
        counts, tolerance = self.at_quarter_diameter
        return {
            "f1": counts.f1,
            "precision": counts.precision,
            "recall": counts.recall,
            "tolerance_pixels": tolerance,
        }


def evaluate_picks(
    picks: Picks, truth: Picks, rules: Rules, *, threshold: float | None = None, ignore: Picks | None = None
) -> Evaluation:
    """Compare picks with the truth on every micrograph that the truth lists.

    Args:
        picks: what a picker found; scores are optional.
        truth: the particles; its `micrographs` are those that somebody annotated, the empty ones among them.
        rules: tolerance, border, shapes and match rule.
        threshold: picks with a lower score are not taken for the counts; None takes all. The curve uses all.
        ignore: points where an unmatched pick neither helps nor hurts.

    Raises:
        PicksError: see `set_scenes`.
        SettingsError: the tolerance is not known, or the threshold is not a number.
    """
    if threshold is not None and not math.isfinite(threshold):
        raise SettingsError(f"the threshold is {threshold}", where="evaluation", fix="Give a number.")
    scenes = set_scenes(picks, truth, rules, ignore)
    threshold = None if picks.score is None else threshold
    tallies = [tally(scene, threshold) for scene in scenes.each]
    steps = None if picks.score is None else all_steps(scenes.each)
    kept = picks if threshold is None else picks.above(threshold)
    return Evaluation(
        total=sum(tallies, Tally(0, 0, 0)),
        per_micrograph=tuple(MicrographScore(scene.name, one) for scene, one in zip(scenes.each, tallies, strict=True)),
        threshold=threshold,
        tolerance_pixels=rules.typical_tolerance(truth),
        curve=None if steps is None else pool_steps(steps, scenes.truth),
        intervals=bootstrap_intervals(tallies, steps, draws=rules.bootstrap_draws, seed=rules.seed),
        at_quarter_diameter=_at_quarter_diameter(kept, truth, rules, ignore),
        orientation=check_orientation(kept, truth, rules, ignore),
        left_out=_left_out(scenes, threshold),
        definition=_in_words(rules),
    )


def macro_mean(tallies: Sequence[Tally]) -> dict[str, float]:
    """Mean over micrographs of f1, precision and recall, every annotated micrograph in the denominator.

    Where a score is not defined, a micrograph counts 1 if it was rightly left empty, else 0: precision without a
    pick though there are particles, recall with picks though there are none.

    Args:
        tallies: one for each annotated micrograph, at least one.
    """

    def mean(values: Sequence[float | None]) -> float:
        pairs = zip(values, tallies, strict=True)
        return math.fsum(float(not one.picks and not one.truth) if v is None else v for v, one in pairs) / len(tallies)

    return {
        "f1": mean([one.f1 for one in tallies]),
        "precision": mean([one.precision for one in tallies]),
        "recall": mean([one.recall for one in tallies]),
    }


def _at_quarter_diameter(picks: Picks, truth: Picks, rules: Rules, ignore: Picks | None) -> tuple[Tally, float] | None:
    diameter = rules.typical_diameter(truth)
    if diameter is None:
        return None
    near = replace(rules, tolerance_pixels=None, tolerance_diameters=0.25)
    scenes = set_scenes(picks, truth, near, ignore)
    return sum((tally(scene) for scene in scenes.each), Tally(0, 0, 0)), 0.25 * diameter


def _left_out(scenes: Scenes, threshold: float | None) -> dict[str, int]:
    return {
        "picks_without_truth": scenes.picks_without_truth,
        "picks_in_border": scenes.picks_in_border,
        "truth_in_border": scenes.truth_in_border,
        "picks_ignored": sum(_ignored(scene, threshold) for scene in scenes.each),
    }


def _ignored(scene: Scene, threshold: float | None) -> int:
    spared = scene.excused.copy()
    if threshold is not None and scene.score is not None:
        spared &= scene.score >= threshold
    spared[match_scene(scene, threshold).pick_indices] = False
    return int(spared.sum())


def _in_words(rules: Rules) -> str:
    how = "nearest pairs first" if rules.rule == "greedy_distance" else "least-cost assignment"
    if rules.tolerance_pixels is not None:
        reach = f"{rules.tolerance_pixels:g} pixels"
    else:
        reach = f"{rules.tolerance_diameters:g} diameters"
    border = f", border of {rules.border_pixels:g} pixels left out" if rules.border_pixels else ""
    sign = "<" if rules.strict else "<="
    return f"one-to-one, {how}, distance {sign} {reach}, pooled over all annotated micrographs{border}"
