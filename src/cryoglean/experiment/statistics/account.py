"""All that the results of an experiment say, in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.experiment.statistics.across import Across, across_data_sets
from cryoglean.experiment.statistics.cost import CostPoint, cost_points
from cryoglean.experiment.statistics.curves import Curve, learning_curve
from cryoglean.experiment.statistics.differences import PairedDifference, paired_differences, rivals
from cryoglean.experiment.statistics.gap import GapClosed, gap_closed
from cryoglean.experiment.statistics.grid import MEASURES, ORACLE, SUPERVISED, Grid, Missing, Row
from cryoglean.experiment.statistics.power import TARGET, SeedPower, seed_power
from cryoglean.experiment.statistics.ranks import BlockGroups, Ranking, group_block, rank_lines
from cryoglean.experiment.statistics.savings import Saving, label_savings


@dataclass(frozen=True, slots=True)
class Account:
    """What was found; each part has sentences of its own.

    Args:
        reference: what lines are judged against.
        measure: what was compared.
        missing: cells without a result.
        differences: of each line in each data set and ratio.
        across: of each line over all of them.
        ranking: of the lines over all of them.
        groups: of the lines in each.
        power: of each difference.
        curves: of each line in each data set.
        savings: of labels, of each line but the oracle.
        gaps: to the oracle that each line closes; empty without an oracle.
        costs: of each line in each data set and ratio.
    """

    reference: str
    measure: str
    missing: tuple[Missing, ...]
    differences: tuple[PairedDifference, ...]
    across: tuple[Across, ...]
    ranking: Ranking
    groups: tuple[BlockGroups, ...]
    power: tuple[SeedPower, ...]
    curves: tuple[Curve, ...]
    savings: tuple[Saving, ...]
    gaps: tuple[GapClosed, ...]
    costs: tuple[CostPoint, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The main ones: what is missing, the ranking, the tests over data sets, and each difference."""
        count = len(self.missing)
        many = "1 cell has" if count == 1 else f"{count} cells have"
        missing = (f"{many} no result; their pairs are left out.",) if count else ()
        over = (one.sentence for one in self.across)
        return (*missing, self.ranking.sentence, *over, *(one.sentence for one in self.differences))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        several = ("differences", "across", "groups", "power", "curves", "savings", "gaps", "costs")
        return {
            "reference": self.reference,
            "measure": self.measure,
            "missing": [cell._asdict() for cell in self.missing],
            "ranking": self.ranking.to_json(),
            **{name: [one.to_json() for one in getattr(self, name)] for name in several},
            "sentences": list(self.sentences),
        }


def account_for(
    rows: Iterable[Row], reference: str = SUPERVISED, measure: str = "f1", target: float = TARGET
) -> Account:
    """Everything that finished cells of an experiment say of one measure.

    Args:
        rows: one result of each finished cell; unfinished ones are counted as missing.
        reference: what lines are judged against.
        measure: one of `MEASURES`.
        target: the difference whose number of seeds is told, above 0.

    Raises:
        RunError: if a result lacks a word, a cell has two, or tests differ between lines.
        SettingsError: if the measure or the target is none.
    """
    if measure not in MEASURES:
        raise SettingsError("no such measure", where=measure, fix=did_you_mean(measure, tuple(MEASURES)))
    if not target > 0:
        raise SettingsError(f"a difference to be seen of {target:g}", fix="Say one above 0.")
    grid = Grid(rows)
    differences = paired_differences(grid, reference, measure)
    judged = rivals(grid, reference)
    curves = [learning_curve(grid, data, line, measure) for data in grid.data for line in grid.lines]
    savings = [
        one for data in grid.data for line in judged for one in label_savings(grid, data, line, reference, measure)
    ]
    with_oracle = grid.blocks if ORACLE in grid.lines else ()
    return Account(
        reference=reference,
        measure=measure,
        missing=grid.missing(),
        differences=differences,
        across=across_data_sets(grid, reference, measure),
        ranking=rank_lines(grid, measure),
        groups=tuple(group_block(grid, block, measure) for block in grid.blocks),
        power=tuple(seed_power(one, target) for one in differences),
        curves=tuple(curves),
        savings=tuple(savings),
        gaps=tuple(gap_closed(grid, block, line, reference, measure) for block in with_oracle for line in judged),
        costs=tuple(point for block in grid.blocks for point in cost_points(grid, block, reference, measure)),
    )
