"""Border and ignore: what is left out of an evaluation, so that it neither helps nor hurts.

One rule, decided before anything is matched wherever it can be, so that it can't be gamed:

* A particle in the border is no truth. A pick in the border is no pick, whatever it would have matched: otherwise
  picks strewn along the edge would be free tries at the particles just inside.
* A pick that stays unmatched within the tolerance of an ignore point, or of a particle in the border, is left out.
* An unmatched pick anywhere else is false.
* Micrographs that the truth does not list were not annotated: picks there are counted, and otherwise left out.
  Micrographs that the truth lists as empty are annotated: every pick there is false.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoglean.errors import PicksError, SettingsError
from cryoglean.evaluate.match import Pairs, find_pairs
from cryoglean.evaluate.rules import MatchRule, Rules
from cryoglean.picks import Picks


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One annotated micrograph, ready to be matched at any threshold.

    Args:
        name: of the micrograph.
        xy: (n, 2) the picks that may count, pixels.
        score: (n,) their scores; None when they have none.
        excused: (n,) whether the pick is left out should it stay unmatched.
        truth: number of particles that count.
        pairs: every pick with every particle near enough; indices are rows of `xy`.
        rule: how pairs are chosen.
    """

    name: str
    xy: NDArray[np.float64]
    score: NDArray[np.float64] | None
    excused: NDArray[np.bool_]
    truth: int
    pairs: Pairs
    rule: MatchRule


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """All annotated micrographs, and what was left out of them.

    Args:
        each: one `Scene` for every micrograph that the truth lists.
        picks_without_truth: picks on micrographs that the truth does not list.
        picks_in_border: picks that are left out for lying in the border.
        truth_in_border: particles that are left out for lying in the border.
    """

    each: tuple[Scene, ...]
    picks_without_truth: int
    picks_in_border: int
    truth_in_border: int

    @property
    def truth(self) -> int:
        """The number of particles that count."""
        return sum(scene.truth for scene in self.each)

    @property
    def has_scores(self) -> bool:
        """Whether the picks have scores (true as well when there is no pick at all)."""
        return all(scene.score is not None for scene in self.each)


def set_scenes(picks: Picks, truth: Picks, rules: Rules, ignore: Picks | None = None) -> Scenes:
    """Sort picks and truth by micrograph, take the border off, and find all pairs.

    Args:
        picks: what a picker found.
        truth: the particles; its `micrographs` are those that somebody annotated, the empty ones among them.
        rules: tolerance, border and match rule.
        ignore: points where an unmatched pick is left out; None for none.

    Raises:
        PicksError: the truth lists no micrograph, a score is not a number, or a shape needed for the border is missing.
        SettingsError: the tolerance is not known.
    """
    _check(picks, truth, rules)
    tolerance = rules.tolerances(truth)
    typical = rules.typical_tolerance(truth)
    pick_rows, truth_rows = rows_by_micrograph(picks), rows_by_micrograph(truth)
    ignore_rows = {} if ignore is None else rows_by_micrograph(ignore)
    none = np.empty(0, dtype=np.intp)
    scenes, lost_picks, lost_truth = [], 0, 0
    for name in truth.micrographs:
        found, real = pick_rows.get(name, none), truth_rows.get(name, none)
        keeps_pick = inside_border(picks.xy[found], name, rules)
        keeps_truth = inside_border(truth.xy[real], name, rules)
        xy = picks.xy[found[keeps_pick]]
        out, kept = real[~keeps_truth], real[keeps_truth]
        excused = _is_near(xy, truth.xy[out], tolerance[out])
        if ignore is not None and len(points := ignore.xy[ignore_rows.get(name, none)]):
            excused |= _is_near(xy, points, np.full(len(points), _known(typical)))
        score = None if picks.score is None else picks.score[found[keeps_pick]]
        pairs = find_pairs(xy, truth.xy[kept], tolerance[kept], strict=rules.strict)
        scenes.append(Scene(name, xy, score, excused, len(kept), pairs, rules.rule))
        lost_picks += int((~keeps_pick).sum())
        lost_truth += len(out)
    annotated = set(truth.micrographs)
    unknown = sum(len(rows) for name, rows in pick_rows.items() if name not in annotated)
    return Scenes(tuple(scenes), unknown, lost_picks, lost_truth)


def rows_by_micrograph(picks: Picks) -> dict[str, NDArray[np.intp]]:
    """The rows of each micrograph that has any, in the order of the table."""
    names, inverse = np.unique(picks.micrograph, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    cuts = np.searchsorted(inverse[order], np.arange(1, len(names)))
    return dict(zip(names.tolist(), np.split(order, cuts), strict=True)) if len(names) else {}


def inside_border(xy: NDArray[np.float64], name: str, rules: Rules) -> NDArray[np.bool_]:
    """Whether each point is at least `rules.border_pixels` from the edge: (n,).

    The edge is the centre of the outermost pixels: a micrograph of x columns reaches from 0 to x - 1.

    Args:
        xy: (n, 2) pixels.
        name: of the micrograph.
        rules: the border and the shapes.

    Raises:
        PicksError: there is a border and the shape of the micrograph is not known.
    """
    if rules.border_pixels == 0:
        return np.ones(len(xy), dtype=np.bool_)
    y, x = shape_of(name, rules)
    distance = np.minimum(xy, np.array([x, y]) - 1.0 - xy).min(axis=1)
    return np.asarray(distance >= rules.border_pixels, dtype=np.bool_)


def shape_of(name: str, rules: Rules) -> tuple[int, int]:
    """The (y, x) of a micrograph.

    Raises:
        PicksError: it is not among `rules.shapes`.
    """
    if name not in rules.shapes:
        raise PicksError(
            "the size of the micrograph is not known", where=name, fix="Give the micrographs too, or no border."
        )
    return rules.shapes[name]


def _check(picks: Picks, truth: Picks, rules: Rules) -> None:
    if not truth.micrographs:
        raise PicksError("the truth lists no micrograph", fix="Give labels with at least one micrograph.")
    if picks.score is not None and not np.isfinite(picks.score).all():
        row = int(np.flatnonzero(~np.isfinite(picks.score))[0])
        raise PicksError(
            f"the score in row {row + 1} is not a number", where=picks.micrograph[row], fix="Mend or drop the row."
        )
    if rules.border_pixels > 0:
        for name in truth.micrographs:
            shape_of(name, rules)


def _known(tolerance: float | None) -> float:
    if tolerance is None:
        raise SettingsError("how near an ignore point reaches is not known", fix="Give the particle's diameter.")
    return tolerance


def _is_near(xy: NDArray[np.float64], points: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of xy (n, 2) lies within its reach (m,) of any of the points (m, 2): (n,)."""
    near = np.zeros(len(xy), dtype=np.bool_)
    if len(xy) and len(points):
        for rows in cKDTree(xy).query_ball_point(points, reach):
            near[rows] = True
    return near
