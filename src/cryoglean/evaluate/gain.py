"""Is one set of picks better than another, and by more than chance: the paired difference of average precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import SettingsError
from cryoglean.evaluate.bootstrap import average_precisions
from cryoglean.evaluate.curves import Steps, all_steps, pool_steps
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.zones import Scene, inside_border, set_scenes, shape_of
from cryoglean.picks import Picks

_BLOCKS = 3  # a side; with one or two validation micrographs, whole ones are too few to draw from
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change brought on the same micrographs.

    Args:
        before: average precision.
        after: average precision.
        standard_error: of their difference, the same pieces of micrographs drawn for both.
    """

    before: float
    after: float
    standard_error: float

    @property
    def gain(self) -> float:
        """After less before."""
        return self.after - self.before

    @property
    def is_clear(self) -> bool:
        """Whether the gain is above 0 by more than one standard error."""
        return self.gain > self.standard_error and self.gain > 0

    @property
    def is_harm(self) -> bool:
        """Whether the gain is below 0 by more than one standard error."""
        return self.gain < -self.standard_error

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "average_precision_before": self.before,
            "average_precision_after": self.after,
            "gain": self.gain,
            "gain_standard_error": self.standard_error,
        }


def compare_picks(before: Picks, after: Picks, truth: Picks, rules: Rules, seed: int = 0) -> Gain:
    """The gain in average precision, and its standard error by a paired bootstrap over ninths of micrographs.

    Particles of one ninth share ice and crowding, so they are drawn together (Efron & Tibshirani 1993, An Introduction
    to the Bootstrap, chapter 8). Defocus is shared by whole micrographs: with few of them the error is too small.

    Args:
        before: scored picks.
        after: scored picks of the same micrographs.
        truth: the particles.
        rules: tolerance, border and shapes; the match rule must be `greedy_distance`.
        seed: of the draws.

    Raises:
        PicksError: see `set_scenes`; or the shape of a micrograph is not known, or picks have no scores.
        SettingsError: another match rule, under which a pick has no step of its own in the curve.
    """
    if rules.rule != "greedy_distance":
        raise SettingsError(
            f"a gain can't be estimated under '{rules.rule}'", where="evaluation", fix="Use greedy_distance."
        )
    sides = [_in_pieces(picks, truth, rules) for picks in (before, after)]
    counts = _truth_in_pieces(truth, rules)
    whole = [pool_steps(pieces, int(counts.sum())).average_precision or 0.0 for pieces in sides]
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=_DRAWS).astype(np.float64)
    drawn = [average_precisions(pieces, weights, weights @ counts) for pieces in sides]
    differences = (drawn[1] - drawn[0])[weights @ counts > 0]
    return Gain(whole[0], whole[1], float(differences.std()) if len(differences) else 0.0)


def _in_pieces(picks: Picks, truth: Picks, rules: Rules) -> list[Steps]:
    """The steps of each ninth of each micrograph; a pick belongs to the ninth that it lies in."""
    pieces: list[Steps] = []
    for scene in set_scenes(_scored(picks), truth, rules).each:
        steps = all_steps([scene])[0]
        order = np.argsort(-_scores(scene), kind="stable")
        piece = _piece(scene.xy[order], scene.name, rules)
        pieces += [
            Steps(*(values[piece == number] for values in (steps.scores, steps.true_positives, steps.false_positives)))
            for number in range(_BLOCKS**2)
        ]
    return pieces


def _truth_in_pieces(truth: Picks, rules: Rules) -> NDArray[np.float64]:
    counts = []
    for name in truth.micrographs:
        xy = truth.on(name).xy
        piece = _piece(xy[inside_border(xy, name, rules)], name, rules)
        counts.append(np.bincount(piece, minlength=_BLOCKS**2))
    return np.concatenate(counts).astype(np.float64)


def _piece(xy: NDArray[np.float64], name: str, rules: Rules) -> NDArray[np.intp]:
    rows, columns = shape_of(name, rules)
    place = np.floor(_BLOCKS * (xy + 0.5) / (columns, rows)).clip(0, _BLOCKS - 1).astype(np.intp)
    return np.asarray(place[:, 1] * _BLOCKS + place[:, 0], dtype=np.intp)


def _scored(picks: Picks) -> Picks:
    """A table without a row has no scores, but is as good as one that has."""
    return picks if len(picks) else Picks.empty(picks.micrographs)


def _scores(scene: Scene) -> NDArray[np.float64]:
    return np.empty(0) if scene.score is None else scene.score
