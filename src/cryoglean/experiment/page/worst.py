"""Which test micrographs lines fail on, and which training of a line failed most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cryoglean.experiment.statistics.grid import Row


class Counts(NamedTuple):
    """On a test micrograph.

    Args:
        hits: right picks.
        picks: all of them.
        truth: particles.
        trainings: that these are summed over.
    """

    hits: int
    picks: int
    truth: int
    trainings: int = 1

    @property
    def f1(self) -> float:
        """1 where there was nothing to be found and nothing was picked."""
        return 2 * self.hits / (self.picks + self.truth) if self.picks + self.truth else 1.0

    @property
    def particles(self) -> int:
        """Of the micrograph."""
        return round(self.truth / self.trainings)


class Training(NamedTuple):
    """A training on one of its test micrographs.

    Args:
        row: its result.
        micrograph: the name.
        counts: of the result.
    """

    row: Row
    micrograph: str
    counts: Counts


def counts_of(row: Row) -> dict[str, Counts]:
    """Of each test micrograph of a result."""
    told = row.get("per_micrograph") or ()
    return {one["micrograph"]: Counts(one["true_positives"], one["picks"], one["truth"]) for one in told}


def pool_counts(rows: Sequence[Row]) -> dict[str, Counts]:
    """Of each test micrograph, summed over trainings."""
    table: dict[str, Counts] = {}
    for row in rows:
        for name, counts in counts_of(row).items():
            before = table.get(name, Counts(0, 0, 0, 0))
            table[name] = Counts(*(a + b for a, b in zip(before, counts, strict=True)))
    return table


def worst_first(table: Mapping[str, Counts]) -> list[str]:
    """Micrographs by rising F1; those without a particle and a pick are not bad and are left out."""
    return sorted((name for name, counts in table.items() if counts.picks + counts.truth), key=lambda n: table[n].f1)


def find_worst_training(rows: Sequence[Row], micrograph: str) -> Training:
    """The one with the lowest F1 on a test micrograph; of equals that with the fewest labels, then the lowest seed.

    Args:
        rows: results of a line; one of them at least was tested on it.
        micrograph: its name.
    """
    tested = [Training(row, micrograph, counts[micrograph]) for row in rows if micrograph in (counts := counts_of(row))]
    return min(tested, key=lambda one: (one.counts.f1, one.row["ratio"], one.row["seed"]))
