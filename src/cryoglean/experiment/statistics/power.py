"""How many seeds a difference takes, and what difference the seeds at hand could have shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from cryoglean.experiment.statistics.differences import PairedDifference
from cryoglean.experiment.statistics.grid import LEVEL, MEASURES, Interval, to_plain
from cryoglean.experiment.statistics.intervals import FEWEST, SAME

TARGET = 0.01
POWER = 0.8
MOST_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class Noise:
    """What hides a difference.

    Args:
        seed_deviation: standard deviation of paired differences from seed to seed.
        micrograph_error: standard error from the test micrographs, which seeds don't lessen; 0 if it isn't known.
        micrographs: test micrographs that it was found from.
    """

    seed_deviation: float
    micrograph_error: float = 0.0
    micrographs: int = 0

    def error(self, seeds: int) -> tuple[float, float]:
        """Standard error of the mean over so many seeds, and its degrees of freedom (Satterthwaite)."""
        own, shared = self.seed_deviation**2 / seeds, self.micrograph_error**2
        below = own**2 / (seeds - 1) + (shared**2 / (self.micrographs - 1) if shared else 0.0)
        return float(np.sqrt(own + shared)), (own + shared) ** 2 / below if below else seeds - 1.0


@dataclass(frozen=True, slots=True)
class SeedPower:
    """How many seeds a difference takes.

    Args:
        data: the data set.
        ratio: labelled share.
        line: what is judged.
        reference: what it is judged against.
        measure: that was compared.
        seeds: at hand.
        target: the difference to be seen.
        noise: as observed; None below 3 seeds.
        deviation_interval: 95 % of the standard deviation from seed to seed (chi-squared).
        seeds_needed: for 80 % power at 5 %, two-sided; None if 10,000 don't do.
        seeds_needed_safely: the same for the upper 80 % limit of the deviation (Browne 1995).
        detectable: the smallest difference that the seeds at hand show with 80 % power.
        detectable_at_best: the smallest with any number of seeds on these test micrographs.
    """

    data: str
    ratio: float
    line: str
    reference: str
    measure: str
    seeds: int
    target: float
    noise: Noise | None = None
    deviation_interval: Interval | None = None
    seeds_needed: int | None = None
    seeds_needed_safely: int | None = None
    detectable: float | None = None
    detectable_at_best: float | None = None

    @property
    def sentence(self) -> str:
        """What can be said of it, in words."""
        where = f"{self.line} against {self.reference}, {self.data} at ratio {self.ratio:g}"
        name = MEASURES[self.measure]
        if self.noise is None or self.detectable is None:
            return f"{where}: how many seeds a difference takes can't be said from {self.seeds}, {FEWEST} are needed."
        if not self.noise.seed_deviation:
            return f"{where}: no difference from seed to seed, so nothing to reckon with."
        shown = (
            f"{self.seeds} seeds could show a difference of {self.detectable:.3f} {name} (80 % power, 5 % two-sided)"
        )
        if self.seeds_needed is None:
            best = f"{self.detectable_at_best:.3f}"
            return f"{where}: {shown}; {self.target:g} takes more test micrographs, seeds alone reach {best}."
        safely = f"up to {self.seeds_needed_safely}" if self.seeds_needed_safely else "or out of reach"
        return f"{where}: {shown}; {self.target:g} takes {self.seeds_needed}, {safely} if they differ more than seen."

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return to_plain(self)


def seed_power(found: PairedDifference, target: float = TARGET) -> SeedPower:
    """The power of an experiment from what it showed.

    A deviation from 3 seeds is off by a factor of up to 6, so the number of seeds is told for its upper 80 % limit,
    too (Browne 1995, doi:10.1002/sim.4780141709).

    Args:
        found: the paired difference.
        target: the difference to be seen, above 0.
    """
    told = (found.data, found.ratio, found.line, found.reference, found.measure, len(found.seeds), target)
    if found.spread is None:
        return SeedPower(*told)
    deviation = float(np.std(found.by_seed, ddof=1))
    deviation = deviation if deviation > SAME else 0.0
    freedom = len(found.by_seed) - 1
    noise = Noise(deviation, found.spread.micrograph_error, found.micrographs)
    low, high, safe = (deviation * np.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (0.975, 0.025, 0.2))
    return SeedPower(
        *told,
        noise=noise,
        deviation_interval=(float(low), float(high)),
        seeds_needed=seeds_needed(target, noise),
        seeds_needed_safely=seeds_needed(target, Noise(float(safe), noise.micrograph_error, noise.micrographs)),
        detectable=detectable_difference(len(found.seeds), noise),
        detectable_at_best=detectable_difference(MOST_SEEDS, noise),
    )


def power(difference: float, seeds: int, noise: Noise) -> float:
    """The chance that a two-sided t test at 5 % sees a difference (noncentral t; Cohen 1988), in [0, 1]."""
    error, freedom = noise.error(seeds)
    if not error:
        return 1.0 if difference else 1 - LEVEL
    limit, shift = float(stats.t.ppf(0.5 + LEVEL / 2, freedom)), abs(difference) / error
    sides = stats.nct.sf(limit, freedom, shift), stats.nct.sf(limit, freedom, -shift)
    return float(sum(sides))


def seeds_needed(difference: float, noise: Noise, chance: float = POWER) -> int | None:
    """The fewest seeds (at least 3) that see a difference with this chance; None if 10,000 don't."""
    if power(difference, MOST_SEEDS, noise) < chance:
        return None
    low, high = FEWEST - 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(difference, middle, noise) >= chance else (middle, high)
    return high


def detectable_difference(seeds: int, noise: Noise, chance: float = POWER) -> float:
    """The smallest difference that so many seeds see with this chance; 0 without noise."""
    error, _ = noise.error(seeds)
    if not error:
        return 0.0
    return float(optimize.brentq(lambda d: power(d, seeds, noise) - chance, 0.0, 50 * error, xtol=1e-9))
