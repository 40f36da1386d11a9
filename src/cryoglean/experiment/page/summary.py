"""The first section, what was compared and what came out; and the last, what was run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from cryoglean.experiment.grid import ORACLE
from cryoglean.experiment.page.outcome import End, Outcome, Place, say_ratio
from cryoglean.experiment.statistics.differences import (
    COPIES,
    GAIN,
    LOSS,
    NO_PAIR,
    NONE,
    TOO_FEW,
    PairedDifference,
)
from cryoglean.experiment.statistics.intervals import FEWEST
from cryoglean.report.section import Block, Code, Fact, Facts, Folded, Notice, Section, Table, Text

_SHORT = {NONE: "none", NO_PAIR: "no result"}
"""Verdicts that have another name above a column."""
_SHOWN = 12
"""Sentences above which they are folded."""


def summary_section(outcome: Outcome) -> Section:
    """What was compared, how far it is, and the main sentences."""
    finished, failed = outcome.ended("finished"), outcome.ended("failed")
    missing = {place: end for place, end in outcome.cells.items() if place not in finished and place not in failed}
    seeds = len(outcome.grid.seeds)
    blocks: list[Block] = [
        Text(_say_compared(outcome)),
        Facts((
            Fact("cells finished", f"{len(finished)} of {len(outcome.cells)}"),
            Fact("failed", str(len(failed))),
            Fact("missing", str(len(missing)), "not run, or begun only"),
            Fact("seeds", str(seeds), f"below {FEWEST}: no interval, no verdict" if seeds < FEWEST else ""),
        )),
    ]  # fmt: skip
    blocks += _say_ends(failed, missing)
    if not outcome.rows:
        return Section("Summary", (*blocks, Notice("No cell is finished, so there is nothing to compare yet.")))
    return Section("Summary", (*blocks, *_say_differences(outcome)))


def _say_differences(outcome: Outcome) -> list[Block]:
    judged = _judged(outcome, "f1")
    blocks: list[Block] = []
    if judged and all(one.verdict == TOO_FEW for one in judged):
        blocks.append(Notice(f"From fewer than {FEWEST} seeds no gain can be told from chance. Run {FEWEST} or more."))
    sentences: list[Block] = [Text(one.sentence) for one in judged]
    if len(sentences) > _SHOWN:
        blocks.append(_count_verdicts(outcome, judged))
        blocks.append(Folded(f"All {len(sentences)} comparisons", tuple(sentences)))  # type: ignore[arg-type]
    else:
        blocks += sentences
    precision = _judged(outcome, "average_precision")
    if any(one.verdict in (GAIN, LOSS) for one in precision):
        blocks.append(_count_verdicts(outcome, precision, "average precision"))
    return [*blocks, Text(outcome.account.ranking.sentence)]


def _judged(outcome: Outcome, measure: str) -> list[PairedDifference]:
    return [one for one in outcome.accounts[measure].differences if one.line != ORACLE]


def _count_verdicts(outcome: Outcome, judged: Sequence[PairedDifference], measured: str = "F1") -> Table:
    """In how many data sets and ratios each line gains, loses, or can't be told from supervised."""
    counts = Counter((one.line, one.verdict) for one in judged)
    verdicts = [
        GAIN,
        LOSS,
        NONE,
        *(name for name in (TOO_FEW, COPIES, NO_PAIR) if any(one.verdict == name for one in judged)),
    ]
    rows = tuple(
        (line, *(str(counts[line, verdict]) for verdict in verdicts))
        for line in outcome.in_order(one.line for one in judged)
    )
    columns = ("line", *(_SHORT.get(verdict, verdict) for verdict in verdicts))
    what = f"{measured[0].upper()}{measured[1:]} against supervised"
    return Table(columns, rows, f"{what}, pairs of data set and ratio; none: no detectable gain")


def _say_compared(outcome: Outcome) -> str:
    grid = outcome.grid
    return (
        f"Compared: {', '.join(grid.all_lines())}; data: {', '.join(grid.data)}; labelled: "
        f"{', '.join(map(say_ratio, grid.ratios))} of the training micrographs. All lines have the same labelled, "
        "validation and test micrographs at a seed; thresholds and rounds were chosen on validation, and the test was "
        "picked once, at the end. The oracle knows the labels of all training micrographs."
    )


def _say_ends(failed: Mapping[Place, End], missing: Mapping[Place, End]) -> list[Block]:
    blocks: list[Block] = []
    if failed or missing:
        many = len(failed) + len(missing)
        said = "1 cell has" if many == 1 else f"{many} cells have"
        blocks.append(
            Notice(f"{said} no result. Their pairs are left out of all comparisons; the same command again runs them.")
        )
    if failed:
        rows = tuple((str(place), end.error) for place, end in failed.items())
        table = Table(("cell", "reason"), rows, "Cells that failed", is_words=True)
        blocks.append(Folded(f"Cells that failed: {len(failed)}", (table,)))
    if missing:
        rows = tuple((str(place), end.status) for place, end in missing.items())
        table = Table(("cell", "how far"), rows, "Cells that were not run to the end", is_words=True)
        blocks.append(Folded(f"Cells that were not run to the end: {len(missing)}", (table,)))
    return blocks


def run_section(outcome: Outcome) -> Section:
    """The grid, machines, versions and dates."""
    blocks: list[Block] = [Folded("What was asked for (grid.yaml)", (Code(outcome.grid.to_yaml()),))]
    if outcome.rows:
        blocks.append(Table(("what", "which (cells)"), _facts(outcome), "Of the finished cells", is_words=True))
    return Section("What was run", tuple(blocks))


def _facts(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    environments = [row.get("environment") or {} for row in outcome.rows]
    packages = [each.get("packages") or {} for each in environments]
    names = dict.fromkeys(name for each in packages for name in each)
    dates = sorted(str(row["finished"]) for row in outcome.rows if row.get("finished"))
    cpu = sum((row.get("train_cpu_seconds") or 0.0) + (row.get("pick_cpu_seconds") or 0.0) for row in outcome.rows)
    rows = [
        ("finished", " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "–"),
        ("CPU-seconds, all cells (a shared training counts in each)", f"{cpu:.0f}"),
        ("machine", _say_values([row.get("machine") for row in outcome.rows])),
        *((name, _say_values([each.get(name) for each in environments])) for name in ("hardware", "system", "python")),
        *((name, _say_values([each.get(name) for each in packages])) for name in names),
    ]
    return tuple(rows)


def _say_values(values: Sequence[object]) -> str:
    counts = Counter(str(value) for value in values if value)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({count})" for value, count in counts.most_common()) or "–"
