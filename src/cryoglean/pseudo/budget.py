"""Which micrographs' pseudo-labels are learned from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.targets import Targets


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known about one micrograph's pseudo-labels.

    Args:
        name: of the micrograph.
        count: particles on it, by its targets.
        share: of particle among its trusted pixels.
        confidence: mean of max(p, 1 - p) over its pixels.
        particle_confidence: mean p of its trusted particle pixels; 0 without one.
        background_confidence: mean 1 - p of its trusted background pixels; 0 without one.
        stability: 1 - 2 x mean spread on its particle pixels, in [0, 1]; with two views of 0 and 1 the overlap
            (intersection over union) of what they call particle; nan without one.
    """

    name: str
    count: int
    share: float
    confidence: float
    particle_confidence: float
    background_confidence: float
    stability: float


Score = Callable[[Candidate, Knowledge], float]
Budget = Callable[[Sequence[Candidate], Knowledge], list[int]]
"""(candidates, knowledge) -> the places of those that are kept, in order."""


def describe(name: str, count: int, guess: Guess, targets: Targets) -> Candidate:
    """The numbers that budgets and obituaries use."""
    trusted = targets.w > 0
    particle, p = trusted & (targets.y >= 0.5), guess.probability
    background = trusted & ~particle
    stability = 1 - 2 * float(guess.spread[particle].mean()) if particle.any() else float("nan")
    valid = guess.valid > 0
    return Candidate(
        name=name,
        count=count,
        share=float((targets.y * targets.w).sum() / targets.w.sum().clamp_min(1e-6)),
        confidence=float(torch.maximum(p, 1 - p)[valid].mean()) if valid.any() else 0.0,
        particle_confidence=float(p[particle].mean()) if particle.any() else 0.0,
        background_confidence=float((1 - p[background]).mean()) if background.any() else 0.0,
        stability=stability,
    )


def keep_all() -> Budget:
    """Every micrograph."""
    return lambda candidates, _knowledge: list(range(len(candidates)))


def above(threshold: float, score: Score) -> Budget:
    """Those whose score is at least the threshold."""
    return lambda candidates, knowledge: [
        place for place, candidate in enumerate(candidates) if score(candidate, knowledge) >= threshold
    ]


def top_k(ratio: float, score: Score, at_least: float = -math.inf) -> Budget:
    """The best ones whose score is at least `at_least`, `ratio` times as many as are labelled, or one."""

    def keep(candidates: Sequence[Candidate], knowledge: Knowledge) -> list[int]:
        values = [score(candidate, knowledge) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda place: -values[place])
        best = order[: max(round(ratio * knowledge.labelled), 1)]
        return sorted(place for place in best if values[place] >= at_least)

    return keep


def stratified(ratio: float, score: Score, strata: int = 4) -> Budget:
    """The best ones of each group of micrographs with about as many particles, `ratio` times as many as are labelled.

    So that neither crowded nor empty micrographs are left out.
    """

    def keep(candidates: Sequence[Candidate], knowledge: Knowledge) -> list[int]:
        most = min(max(round(ratio * knowledge.labelled), 1), len(candidates))
        by_count = sorted(range(len(candidates)), key=lambda place: candidates[place].count)
        groups = [group.tolist() for group in np.array_split(by_count, max(min(strata, most), 1)) if len(group)]
        for group in groups:
            group.sort(key=lambda place: -score(candidates[place], knowledge))
        deepest = max((len(group) for group in groups), default=0)
        in_turn = [group[depth] for depth in range(deepest) for group in groups if depth < len(group)]
        return sorted(in_turn[:most])

    return keep


def by_confidence(candidate: Candidate, _knowledge: Knowledge) -> float:
    """The notes' score: highest for micrographs without a particle."""
    return candidate.confidence


def by_balance(candidate: Candidate, knowledge: Knowledge, target: float | None = None) -> float:
    """The notes' quality: 0.3 particle and 0.2 background confidence, 0.5 nearness of its share to the target's.

    Args:
        candidate: see `Candidate`.
        knowledge: says the share of core pixels among the labels, which is the target where none is given.
        target: share of core pixels, above 0.
    """
    share, prior = candidate.share, knowledge.core_share if target is None else target
    balance = min(share / prior, prior / share) if share > 0 and prior > 0 else 0.0
    return 0.3 * candidate.particle_confidence + 0.2 * candidate.background_confidence + 0.5 * balance


def by_stability(candidate: Candidate, _knowledge: Knowledge) -> float:
    """How far the views agree on its particles; a micrograph without one is neither good nor bad."""
    return 0.5 if np.isnan(candidate.stability) else candidate.stability
