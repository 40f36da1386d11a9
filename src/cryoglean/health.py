"""What is healthy: numbers that the training itself and the doctor judge by, said once."""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST_STEP, LONGEST_STEP = 3e-4, 0.1
"""Length of a step relative to the weights, the median over layers, at its longest in a training. 2e-3 to 2e-2 here."""

LEAST_REACH = 0.2
"""How far all steps together could move the weights, relative to their length. 0.6 to 4 here."""

LEAST_SCORE = 0.1
"""Average precision below this is no network to go back to."""
_SUDDEN, _LASTING = 0.5, 0.7
"""Share of the best score below which one validation, or two in a row, are a collapse."""


def has_collapsed(scores: Sequence[float]) -> bool:
    """Whether validation has fallen so far that something broke, and not just scattered.

    Args:
        scores: average precision of the validations so far, in order.
    """
    best = max(scores, default=0.0)
    if best < LEAST_SCORE:
        return False
    fell, lasted = scores[-1] < _SUDDEN * best, len(scores) > 1 and max(scores[-2:]) < _LASTING * best
    return fell or lasted
