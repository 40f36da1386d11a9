"""How sure a mean difference is, over a few seeds and the test micrographs that all of them share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from cryoglean.experiment.statistics.grid import LEVEL, Interval

FEWEST = 3
"""Seeds below which no interval is given: of two, t has 1 degree of freedom and reaches 13 standard errors each way."""

SAME = 1e-12
"""Values that differ by less are the same."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean, and how far it may be off.

    Args:
        mean: of the values.
        standard_error: of the mean.
        freedom: degrees of freedom of the standard error.
        micrograph_error: the part of the standard error that more seeds won't take away; 0 where it isn't known.
    """

    mean: float
    standard_error: float
    freedom: float
    micrograph_error: float = 0.0

    def interval(self, level: float = LEVEL) -> Interval:
        """Mean -+ t standard errors."""
        half = float(stats.t.ppf(0.5 + level / 2, self.freedom)) * self.standard_error
        return self.mean - half, self.mean + half


def seed_spread(values: Values) -> Spread:
    """Of values of n >= 2 seeds: Student's t with n - 1 degrees of freedom."""
    return Spread(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1.0)


def pooled_f1(hits: Values, both: Values, weights: Values) -> Values:
    """F1 from pooled counts, each micrograph counted by its weight.

    Args:
        hits: true positives, (..., micrographs).
        both: picks + truth, same shape.
        weights: (draws, micrographs).

    Returns:
        (draws, ...): 2 TP / (picks + truth); 0 where there are neither.
    """
    above = 2 * np.tensordot(weights, hits, axes=(1, -1))
    below = np.tensordot(weights, both, axes=(1, -1))
    return np.asarray(above / np.maximum(below, 1.0))


def two_way_spread(hits: Values, both: Values) -> Spread:
    """Of the mean difference in F1 of two lines, over seeds and test micrographs, both taken as drawn.

    All seeds share the test micrographs, so a lucky draw of those doesn't average out over seeds. As in studies of
    several readers and the same cases (Dorfman, Berbaum & Metz 1992, doi:10.1097/00004424-199209000-00015), jackknife
    pseudovalues of each seed and micrograph are split into seeds, micrographs and the rest; the variance of the mean
    is (MS_seeds + MS_micrographs - MS_rest) / (seeds x micrographs). It is never taken below one way alone, and
    its degrees of freedom are Satterthwaite's (1946, doi:10.2307/3002019): a choice made for its coverage
    (docs/explain/statistics.md), on the safe side of Hillis 2007 (doi:10.1002/sim.2532).

    Args:
        hits: true positives, (2, seeds, micrographs), the line first; at least 2 seeds and 2 micrographs.
        both: picks + truth, same shape.
    """
    _, seeds, micrographs = hits.shape
    whole = _difference(pooled_f1(hits, both, np.ones((1, micrographs))))[0]
    without = _difference(pooled_f1(hits, both, 1.0 - np.eye(micrographs)))
    pseudovalues = micrographs * whole[:, None] - (micrographs - 1) * without.T
    rest = pseudovalues - pseudovalues.mean()
    rows, columns = rest.mean(axis=1), rest.mean(axis=0)
    rest = rest - rows[:, None] - columns
    by_seed = micrographs * float((whole - whole.mean()) @ (whole - whole.mean())) / (seeds - 1)
    by_micrograph = seeds * float(columns @ columns) / (micrographs - 1)
    left = float((rest**2).sum()) / ((seeds - 1) * (micrographs - 1))
    total = max(by_seed + by_micrograph - left, by_seed, by_micrograph)
    below = by_seed**2 / (seeds - 1) + by_micrograph**2 / (micrographs - 1)
    freedom = total**2 / below if below else seeds - 1.0
    cells = seeds * micrographs
    alone = float(np.sqrt(max(by_micrograph - left, 0.0) / cells))
    return Spread(float(whole.mean()), float(np.sqrt(total / cells)), freedom, alone)


def _difference(f1: Values) -> Values:
    """(draws, 2, seeds) to (draws, seeds)."""
    return f1[:, 0] - f1[:, 1]


def crossed_bootstrap(hits: Values, both: Values, draws: int = 2000, seed: int = 0) -> Interval:
    """The percentile interval of the mean difference in F1; seeds and micrographs drawn with replacement.

    The micrographs of a draw are the same for both lines and for all seeds, since they were so in the experiment
    (Owen 2007, doi:10.1214/07-AOAS122). With 3 to 5 seeds it covers too little where seeds differ much, and too much
    where counts are small: see docs/explain/statistics.md. It is told beside the t interval, and decides nothing.

    Args:
        hits: true positives, (2, seeds, micrographs), the line first.
        both: picks + truth, same shape.
        draws: how many.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    _, seeds, micrographs = hits.shape
    some = random.multinomial(micrographs, np.full(micrographs, 1 / micrographs), size=draws).astype(np.float64)
    which = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    means = (_difference(pooled_f1(hits, both, some)) * which).sum(axis=1)
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


def effect_size(values: Values) -> float | None:
    """Cohen's d_z, the mean over the standard deviation of paired differences, less its bias in few pairs.

    Hedges 1981 (doi:10.3102/10769986006002107), with the exact gamma function. None with fewer than 3 values, or where
    all are the same.
    """
    if len(values) < FEWEST:
        return None
    deviation = float(values.std(ddof=1))
    if deviation < SAME:
        return None
    freedom = len(values) - 1.0
    log = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2) - np.log(freedom / 2) / 2
    return float(values.mean() / deviation * np.exp(log))


def win_rate(values: Values) -> float | None:
    """The share of differences above 0, ties counted half, in [0, 1]; None of none."""
    return float(((values > 0) + 0.5 * (values == 0)).mean()) if len(values) else None
