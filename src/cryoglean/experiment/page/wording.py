"""How numbers of the report are said; – where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cryoglean.experiment.page.outcome import Entry
from cryoglean.experiment.statistics.differences import PairedDifference
from cryoglean.experiment.statistics.gap import GapClosed
from cryoglean.experiment.statistics.grid import ORACLE, SUPERVISED, say_interval

NONE = "–"


def say_mean(by_seed: Mapping[int, float]) -> str:
    """The mean over seeds: `0.812`."""
    return f"{np.mean(list(by_seed.values())):.3f}" if by_seed else NONE


def say_difference(found: PairedDifference | None) -> str:
    """The mean difference: `+0.012`."""
    return NONE if found is None or found.difference is None else f"{found.difference:+.3f}"


def say_interval_of(found: PairedDifference | None) -> str:
    """Its interval: `[+0.002, +0.022]`."""
    return NONE if found is None or found.interval is None else say_interval(found.interval)


def say_verdict(entry: Entry) -> str:
    """Gain, loss, no detectable gain, or why nothing can be said; who the reference is, and the bound."""
    if entry.line == SUPERVISED:
        return "reference"
    verdict = NONE if entry.difference is None else entry.difference.verdict
    return f"{verdict} (all labels)" if entry.line == ORACLE else verdict


def say_gap(found: GapClosed | None) -> str:
    """The share of the gap to the oracle, with its interval: `45 % [20, 70]`; without one a share misleads."""
    if found is None or found.share is None or found.interval is None:
        return NONE
    return f"{100 * found.share:.0f} % [{100 * found.interval[0]:.0f}, {100 * found.interval[1]:.0f}]"


def say_cpu(seconds: float | None) -> str:
    """CPU-seconds; one digit behind the point below 10."""
    if seconds is None:
        return NONE
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
