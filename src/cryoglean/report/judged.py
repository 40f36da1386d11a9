"""Picks compared with the truth, pick by pick: what the pictures draw is what the numbers count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.evaluate.calibration import label_scores
from cryoglean.evaluate.curves import match_scene
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.score import Evaluation, MicrographScore, evaluate_picks
from cryoglean.evaluate.zones import Scene, inside_border, set_scenes
from cryoglean.picks import Picks


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What became of the picks and the particles of one micrograph, at the threshold.

    Args:
        name: of the micrograph.
        path: its file; None when it is not there any more.
        found: picks that are a particle.
        false: picks that are none.
        missed: particles without a pick.
        score: the counts; they equal the lengths of these tables.
    """

    name: str
    path: Path | None
    found: Picks
    false: Picks
    missed: Picks
    score: MicrographScore


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Picks on any number of micrographs, compared with the truth.

    Args:
        evaluation: all the numbers.
        verdicts: one for each annotated micrograph.
        scores: (n,) scores of all picks that count, also those below the threshold; empty without scores.
        is_true: (n,) whether each of them is a particle.
        diameter_pixels: diameter of the particle; None when nobody said.
    """

    evaluation: Evaluation
    verdicts: tuple[Verdict, ...]
    scores: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    diameter_pixels: float | None

    def to_show(self, limit: int = 3) -> tuple[tuple[str, Verdict], ...]:
        """The micrographs whose pictures to show, the worst F1 first, each with a word for its place.

        Args:
            limit: at least 3; with more micrographs than this, those are the worst, the median and the best.
        """
        there = [one for one in self.verdicts if one.path is not None]
        ranked = sorted(there, key=lambda one: (_f1(one), one.name))
        if len(ranked) <= limit:
            return tuple(("", one) for one in ranked)
        places = {"worst": 0, "median": len(ranked) // 2, "best": len(ranked) - 1}
        return tuple((f"{word} of {len(ranked)}", ranked[place]) for word, place in places.items())


def judge_picks(
    picks: Picks,
    truth: Picks,
    rules: Rules,
    threshold: float | None,
    paths: Mapping[str, Path],
    ignore: Picks | None = None,
) -> Judged | None:
    """Compare picks with the truth, and keep what each pick was.

    Args:
        picks: with or without scores.
        truth: the particles of the annotated micrographs.
        rules: of the comparison.
        threshold: lowest score taken; None takes all.
        paths: the file of each micrograph; those that are not there are left out of the pictures.
        ignore: points where a pick without a particle is left out; None for none.

    Returns:
        None when no micrograph is annotated.

    Raises:
        PicksError, SettingsError: see `evaluate_picks`.
    """
    if not truth.micrographs:
        return None
    evaluation = evaluate_picks(picks, truth, rules, threshold=threshold, ignore=ignore)
    scenes = set_scenes(picks, truth, rules, ignore)
    rows = zip(scenes.each, evaluation.per_micrograph, strict=True)
    cut = evaluation.threshold
    verdicts = tuple(_judge_one(scene, score, truth, rules, cut, paths) for scene, score in rows)
    scores, is_true = (np.empty(0), np.empty(0, dtype=np.bool_))
    if picks.score is not None:
        scores, is_true = label_scores(scenes.each)
    return Judged(evaluation, verdicts, scores, is_true, rules.typical_diameter(truth))


def _judge_one(
    scene: Scene,
    score: MicrographScore,
    truth: Picks,
    rules: Rules,
    threshold: float | None,
    paths: Mapping[str, Path],
) -> Verdict:
    matches = match_scene(scene, threshold)
    is_found = np.zeros(len(scene.xy), dtype=np.bool_)
    is_found[matches.pick_indices] = True
    is_taken = np.ones(len(scene.xy), dtype=np.bool_)
    if threshold is not None and scene.score is not None:
        is_taken = scene.score >= threshold
    real = truth.on(scene.name).xy
    real = real[inside_border(real, scene.name, rules)]
    every = Picks.of_one(scene.name, scene.xy, scene.score)
    path = paths.get(scene.name)
    return Verdict(
        scene.name,
        path if path is not None and path.is_file() else None,
        found=every.rows(is_found),
        false=every.rows(is_taken & ~is_found & ~scene.excused),
        missed=Picks.of_one(scene.name, np.delete(real, matches.truth_indices, axis=0)),
        score=score,
    )


def _f1(verdict: Verdict) -> float:
    f1 = verdict.score.tally.f1
    return 1.0 if f1 is None else f1
