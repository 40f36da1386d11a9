"""A labeller: a teacher's maps in, `Targets` out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from cryoglean.pseudo.budget import Budget, keep_all
from cryoglean.pseudo.calibrate import Calibrator, State
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.select import Selector, soft
from cryoglean.targets import Targets


@dataclass(frozen=True, slots=True)
class Labeller:
    """Views -> calibrators -> selector -> budget; the same offline (whole micrographs) and online (crops).

    Args:
        views: rotated and mirrored views that the teacher looks at.
        calibrate: one after the other.
        select: what becomes of the pixels.
        budget: which micrographs are kept; only offline.
    """

    views: int = 8
    calibrate: tuple[Calibrator, ...] = ()
    select: Selector = field(default_factory=soft)
    budget: Budget = field(default_factory=keep_all)

    def fit(self, sample: Tensor, knowledge: Knowledge) -> tuple[State, ...]:
        """The state of each step, from pooled pixels (k,)."""
        states: list[State] = []
        for calibrator in self.calibrate:
            state = calibrator.fit(sample, knowledge)
            sample = calibrator.apply(sample, state)
            states.append(state)
        return (*states, self.select.fit(sample, knowledge))

    def calibrated(self, guess: Guess, states: Sequence[State]) -> Guess:
        """The guess after all calibrators."""
        probability = guess.probability
        for calibrator, state in zip(self.calibrate, states, strict=False):
            probability = calibrator.apply(probability, state)
        return guess.with_probability(probability)

    def label(self, guess: Guess, states: Sequence[State], knowledge: Knowledge) -> tuple[Guess, Targets]:
        """The calibrated guess and its targets."""
        calibrated = self.calibrated(guess, states)
        return calibrated, self.select.apply(calibrated, states[-1], knowledge)
