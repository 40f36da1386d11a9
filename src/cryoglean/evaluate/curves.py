"""Precision and recall at every threshold, matched anew at each; average precision; the best F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import PicksError
from cryoglean.evaluate.match import Matches, Pairs, assign, components
from cryoglean.evaluate.zones import Scene

LIMIT = 256  # thresholds of a curve under the rule `hungarian`, which must be solved anew at each


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found, what was missed, what is false, at one threshold.

    Args:
        true_positives: picks that are a particle.
        false_positives: picks that are none, those left out not among them.
        truth: particles that count.
    """

    true_positives: int
    false_positives: int
    truth: int

    @property
    def picks(self) -> int:
        """Picks that count."""
        return self.true_positives + self.false_positives

    @property
    def precision(self) -> float | None:
        """Share of the picks that are particles; None without a pick."""
        return self.true_positives / self.picks if self.picks else None

    @property
    def recall(self) -> float | None:
        """Share of the particles that were found; None without a particle."""
        return self.true_positives / self.truth if self.truth else None

    @property
    def f1(self) -> float | None:
        """2 TP / (picks + truth), the harmonic mean of precision and recall; None without picks and truth."""
        both = self.picks + self.truth
        return 2 * self.true_positives / both if both else None

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.truth + other.truth,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """How the counts of one micrograph change as the threshold falls; rows of one score belong together.

    Args:
        scores: (k,) falling.
        true_positives: (k,) change of the number of true picks.
        false_positives: (k,) change of the number of false picks.
    """

    scores: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Counts over thresholds, pooled over micrographs; each row is what `tally` gives at that threshold.

    Args:
        thresholds: (k,) falling; a pick with `score >= threshold` is taken.
        true_positives: (k,) true picks.
        false_positives: (k,) false picks.
        truth: particles that count.
    """

    thresholds: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    truth: int

    @property
    def picks(self) -> NDArray[np.int64]:
        """Picks that count at each threshold: (k,)."""
        return self.true_positives + self.false_positives

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the picks that are particles: (k,) in [0, 1]; 1 where no pick counts."""
        return np.where(self.picks > 0, self.true_positives / np.maximum(self.picks, 1), 1.0)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the particles found: (k,) in [0, 1]; 0 without truth."""
        return self.true_positives / max(self.truth, 1)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 TP / (picks + truth): (k,) in [0, 1]."""
        return 2 * self.true_positives / np.maximum(self.picks + self.truth, 1)

    @property
    def average_precision(self) -> float | None:
        """Sum of precision times change of recall, step by step, without interpolation; None without truth.

        Picks of one score are one step, as in Topaz's `particle_prc` (doi:10.1038/s41592-019-0575-8).
        """
        if not self.truth:
            return None
        return float((self.precision * np.diff(self.recall, prepend=0.0)).sum())

    @property
    def best(self) -> tuple[float, float] | None:
        """The best F1 and its threshold (the highest of those equally good); None without picks or truth."""
        if not len(self.thresholds) or not self.truth:
            return None
        place = int(np.argmax(self.f1))
        return float(self.f1[place]), float(self.thresholds[place])


def match_scene(scene: Scene, threshold: float | None = None) -> Matches:
    """Match the picks of one micrograph with `score >= threshold`; all of them when it is None."""
    return assign(scene.pairs.only(_taken(scene, threshold)), scene.rule)


def tally(scene: Scene, threshold: float | None = None) -> Tally:
    """Count true and false picks of one micrograph with `score >= threshold`; all of them when it is None."""
    taken = _taken(scene, threshold)
    matches = match_scene(scene, threshold)
    false = taken & ~scene.excused
    false[matches.pick_indices] = False
    return Tally(len(matches), int(false.sum()), scene.truth)


def precision_recall_curve(scenes: Sequence[Scene]) -> Curve:
    """The exact counts at every distinct score, pooled; under `hungarian` at `LIMIT` scores at most.

    Args:
        scenes: one for each micrograph, with scores.

    Raises:
        PicksError: the picks have no scores.
    """
    return pool_steps(all_steps(scenes), sum(scene.truth for scene in scenes))


def all_steps(scenes: Sequence[Scene]) -> list[Steps]:
    """The steps of each micrograph; under `hungarian` all at the same scores.

    Raises:
        PicksError: the picks have no scores.
    """
    if any(scene.rule == "hungarian" for scene in scenes):
        grid = _thresholds(scenes)
        return [_solve_each_threshold(scene, _scores(scene), grid) for scene in scenes]
    return [_enter_one_by_one(scene, _scores(scene)) for scene in scenes]


def pool_steps(steps: Sequence[Steps], truth: int) -> Curve:
    """Add the steps of all micrographs to one curve.

    Args:
        steps: of each micrograph.
        truth: particles that count, of all micrographs together.
    """
    if not sum(len(one.scores) for one in steps):
        none = np.empty(0, dtype=np.int64)
        return Curve(np.empty(0), none, none, truth)
    scores = np.concatenate([one.scores for one in steps])
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    true = np.concatenate([one.true_positives for one in steps])[order].cumsum()[last]
    false = np.concatenate([one.false_positives for one in steps])[order].cumsum()[last]
    return Curve(scores[order][last], true, false, truth)


def _scores(scene: Scene) -> NDArray[np.float64]:
    if scene.score is None:
        raise PicksError("the picks have no scores", where=scene.name, fix="A curve needs them; give scored picks.")
    return scene.score


def _taken(scene: Scene, threshold: float | None) -> NDArray[np.bool_]:
    if threshold is None or scene.score is None:
        return np.ones(len(scene.xy), dtype=np.bool_)
    return np.asarray(scene.score >= threshold, dtype=np.bool_)


def _enter_one_by_one(scene: Scene, score: NDArray[np.float64]) -> Steps:
    """Let the picks enter the greedy matching, the surest first: one pass gives every threshold.

    Picks and particles rank each other by the same distances, so the greedy matching is the one stable matching, and
    a new pick enters it by proposing (Gale & Shapley 1962, doi:10.1080/00029890.1962.11989827): it takes the nearest
    particle whose pick is farther, and the pick put out seeks the next. Each pair is tried once for the whole curve.
    """
    wishes: list[list[tuple[int, int]]] = [[] for _ in score]
    for rank, (pick, truth) in enumerate(zip(scene.pairs.picks.tolist(), scene.pairs.truths.tolist(), strict=True)):
        wishes[pick].append((rank, truth))
    held: dict[int, tuple[int, int]] = {}  # particle -> (rank of the pair, pick)
    tried = [0] * len(score)
    order = np.argsort(-score, kind="stable")
    true = np.zeros(len(score), dtype=np.int64)
    false = np.zeros(len(score), dtype=np.int64)
    for step, newcomer in enumerate(order.tolist()):
        left = _propose(newcomer, wishes, held, tried)
        true[step] = left is None
        false[step] = left is not None and not scene.excused[left]
    return Steps(score[order], true, false)


def _propose(
    pick: int, wishes: list[list[tuple[int, int]]], held: dict[int, tuple[int, int]], tried: list[int]
) -> int | None:
    """Let a pick enter the matching; gives the pick that is left without a particle, None if every one has one."""
    while tried[pick] < len(wishes[pick]):
        rank, truth = wishes[pick][tried[pick]]
        tried[pick] += 1
        holder = held.get(truth)
        if holder is not None and holder[0] < rank:
            continue
        held[truth] = (rank, pick)
        if holder is None:
            return None
        pick = holder[1]
    return pick


def _thresholds(scenes: Sequence[Scene]) -> NDArray[np.float64]:
    """All distinct scores, falling; at most `LIMIT` of them, evenly spaced in rank, the lowest among them."""
    scores = [scene.score for scene in scenes if scene.score is not None]
    distinct = np.unique(np.concatenate(scores))[::-1] if scores else np.empty(0)
    if len(distinct) <= LIMIT:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, LIMIT).round().astype(np.intp)]


def _solve_each_threshold(scene: Scene, score: NDArray[np.float64], thresholds: NDArray[np.float64]) -> Steps:
    """Match anew at each threshold, cluster by cluster, and only where a cluster got a new pick.

    `thresholds` falls and ends at or below the lowest score, so that every pick is taken somewhere.
    """
    enters = np.searchsorted(-thresholds, -score)
    alone, clusters = _clusters(scene.pairs)
    # a pair that is alone in its cluster is matched as soon as its pick is taken
    matched = np.bincount(enters[alone], minlength=len(thresholds))
    excused = np.bincount(enters[alone[scene.excused[alone]]], minlength=len(thresholds))
    for pairs in clusters:
        found, spared = 0, 0
        for at in np.unique(enters[pairs.picks]):
            matches = assign(pairs.only(enters <= at), scene.rule)
            now = int(scene.excused[matches.pick_indices].sum())
            matched[at] += len(matches) - found
            excused[at] += now - spared
            found, spared = len(matches), now
    taken = np.bincount(enters, minlength=len(thresholds))
    free = np.bincount(enters[scene.excused], minlength=len(thresholds))
    # false = taken and not excused, less those of them that are matched
    return Steps(thresholds, matched, (taken - free) - (matched - excused))


def _clusters(pairs: Pairs) -> tuple[NDArray[np.intp], list[Pairs]]:
    """The picks of the pairs that touch no other pair, and the other pairs, cluster by cluster."""
    cluster = components(pairs)
    order = np.argsort(cluster, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1)
    alone = np.array([group[0] for group in groups if len(group) == 1], dtype=np.intp)
    return pairs.picks[alone], [pairs.at(np.sort(group)) for group in groups if len(group) > 1]
