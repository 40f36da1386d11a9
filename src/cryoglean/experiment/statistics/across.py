"""Is a line better over several data sets: signed ranks of the mean differences, corrected for asking of many lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cryoglean.experiment.statistics.differences import paired_differences, rivals
from cryoglean.experiment.statistics.grid import LEVEL, MEASURES, SUPERVISED, Grid, to_plain

FEWEST_PAIRS = 6
"""With 5 pairs the smallest two-sided p is 2 / 2^5 = .0625: below 6 the test can't say anything at 5 %."""

_ENUMERATED = 14  # pairs up to which all 2^n signs are tried where ties forbid the table


@dataclass(frozen=True, slots=True)
class Across:
    """A line against its reference over all data sets and ratios.

    Args:
        line: what is judged.
        reference: what it is judged against.
        measure: that was compared.
        pairs: data sets x ratios with a difference.
        data_sets: how many data sets they are of.
        dropped: data sets x ratios without a pair.
        wins: pairs above 0.
        losses: pairs below 0.
        median: of the differences; None without a pair.
        p: two-sided, of Wilcoxon's signed ranks; None with fewer than 6 differences other than 0.
        p_holm: p corrected for the number of lines asked about; None likewise.
    """

    line: str
    reference: str
    measure: str
    pairs: int
    data_sets: int
    dropped: int
    wins: int
    losses: int
    median: float | None
    p: float | None
    p_holm: float | None = None

    @property
    def verdict(self) -> str:
        """`gain`, `loss`, `no detectable gain`, or `too few pairs`."""
        if self.p_holm is None:
            return "too few pairs"
        if self.p_holm > 1 - LEVEL or not self.median:
            return "no detectable gain"
        return "gain" if self.median > 0 else "loss"

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        sets = f"{self.data_sets} data set{'' if self.data_sets == 1 else 's'}"
        where = f"{self.line} against {self.reference} over {self.pairs} pairs of data set and ratio ({sets})"
        dropped = f"; {self.dropped} dropped, no pair of results" if self.dropped else ""
        better = f"better in {self.wins}, worse in {self.losses}"
        if self.p is None or self.p_holm is None:
            return f"{where}: {better}; fewer than {FEWEST_PAIRS} that differ can't be tested at 5 %{dropped}."
        median = f"median {self.median:+.3f} {MEASURES[self.measure]}"
        tested = f"Wilcoxon p = {self.p:.2g}, {self.p_holm:.2g} by Holm"
        return f"{where}: {self.verdict}, {median}, {better}, {tested}{dropped}."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**to_plain(self), "verdict": self.verdict}


def across_data_sets(
    grid: Grid, reference: str = SUPERVISED, measure: str = "f1", lines: Iterable[str] | None = None
) -> tuple[Across, ...]:
    """Wilcoxon's signed-rank test of each line, as Demsar 2006 (JMLR 7:1-30) advises, with Holm's correction.

    One pair is the mean difference over seeds in one data set at one ratio. Ratios of one data set share test
    micrographs and labels, so they are less than independent, and p is too small where there are few data sets.

    Args:
        grid: the results.
        reference: what lines are judged against.
        measure: one of `MEASURES`.
        lines: which; all but the reference and the oracle if None.
    """
    every = [_judge(grid, line, reference, measure) for line in lines or rivals(grid, reference)]
    tested = [one for one in every if one.p is not None]
    corrected = iter(holm([one.p for one in tested if one.p is not None]))
    return tuple(one if one.p is None else replace(one, p_holm=next(corrected)) for one in every)


def _judge(grid: Grid, line: str, reference: str, measure: str) -> Across:
    found = paired_differences(grid, reference, measure, [line])
    pairs = [one for one in found if one.difference is not None]
    each = np.array([one.difference for one in pairs], dtype=np.float64)
    return Across(
        line=line,
        reference=reference,
        measure=measure,
        pairs=len(pairs),
        data_sets=len({one.data for one in pairs}),
        dropped=len(found) - len(pairs),
        wins=int((each > 0).sum()),
        losses=int((each < 0).sum()),
        median=float(np.median(each)) if len(each) else None,
        p=signed_rank_p(each),
    )


def signed_rank_p(differences: NDArray[np.float64]) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test (1945, doi:10.2307/3001968); differences of 0 are left out.

    Exact without ties, and with ties up to 14 pairs; else by the normal approximation. None below 6 pairs.
    """
    some = differences[differences != 0]
    if len(some) < FEWEST_PAIRS:
        return None
    is_tied = len(np.unique(np.abs(some))) < len(some)
    if not is_tied:
        return float(stats.wilcoxon(some, method="exact").pvalue)
    if len(some) <= _ENUMERATED:
        every = stats.PermutationMethod(n_resamples=2**_ENUMERATED)
        return float(stats.wilcoxon(some, method=every).pvalue)
    return float(stats.wilcoxon(some, method="approx").pvalue)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values corrected for their number, step by step (Holm 1979, Scandinavian Journal of Statistics 6:65-70)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = highest
    return tuple(corrected)
