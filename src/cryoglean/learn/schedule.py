"""Numbers that change over the steps."""

from __future__ import annotations

import math

from cryoglean.settings import LearnSettings

_WARM_UP = 0.05
_RISING = 0.3


def learning_rate(step: int, settings: LearnSettings) -> float:
    """The learning rate of a step.

    Args:
        step: from 0 to `settings.steps` - 1.
        settings: `poly` rises for 5 % of the steps and falls as (1 - t)^0.9 (arXiv 1506.04579);
            `onecycle` rises for 30 % and falls as a cosine (arXiv 1708.07120).
    """
    time = step / settings.steps
    if settings.schedule == "onecycle":
        if time < _RISING:
            return settings.learning_rate * (0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * time / _RISING)))
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (time - _RISING) / (1 - _RISING)))
    warm = min((step + 1) / max(_WARM_UP * settings.steps, 1), 1.0)
    return float(settings.learning_rate * warm * (1 - time) ** 0.9)


def ramp_up(time: float, burn_in: float = 0.2, rise: float = 0.2) -> float:
    """The weight of an unlabelled term: 0 during the burn-in, then exp(-5 (1 - u)^2) up to 1 (arXiv 1610.02242).

    Args:
        time: share of the steps that are done, in [0, 1).
        burn_in: share of the steps without the term.
        rise: share of the steps in which it grows.
    """
    if time < burn_in:
        return 0.0
    grown = 1.0 if rise <= 0 else min((time - burn_in) / rise, 1.0)
    return math.exp(-5 * (1 - grown) ** 2)
