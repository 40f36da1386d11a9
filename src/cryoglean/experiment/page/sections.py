"""The sections of the page that say what was found; each is None where there is nothing to show."""

from __future__ import annotations

from cryoglean.experiment.page.figures import draw_costs, draw_curves, draw_ranks, draw_seeds
from cryoglean.experiment.page.outcome import Entry, Outcome, say_ratio
from cryoglean.experiment.page.wording import (
    NONE,
    say_cpu,
    say_difference,
    say_gap,
    say_interval_of,
    say_mean,
)
from cryoglean.experiment.statistics.curves import Curve
from cryoglean.experiment.statistics.differences import NONE as NO_GAIN
from cryoglean.experiment.statistics.differences import PairedDifference
from cryoglean.experiment.statistics.grid import SUPERVISED
from cryoglean.experiment.statistics.intervals import FEWEST
from cryoglean.experiment.statistics.power import SeedPower
from cryoglean.experiment.statistics.savings import AT_START, NOT_REACHED, Saving
from cryoglean.report.figures.drawing import to_png
from cryoglean.report.section import Block, Folded, Gallery, Picture, Section, Table, Text

_COLUMNS = (
    "line", "seeds", "F1", "ΔF1 [95 %]", "verdict", "AP", "ΔAP [95 %]", "verdict", "gap closed", "CPU seconds",
)  # fmt: skip


def lines_section(outcome: Outcome) -> Section | None:
    """The table of each data set and ratio."""
    if not outcome.entries:
        return None
    blocks: list[Block] = [
        Text(
            "Means over seeds, on the test micrographs. ΔF1 and ΔAP are differences to supervised, seed by seed, on "
            "the same splits. Intervals are over seeds, that of F1 over test micrographs, too; the verdict is gain or "
            "loss where the interval is on one side of 0, else none: no detectable gain. Gap closed: which share of "
            "the way from supervised to the oracle, in F1. Lines are in the order of the experiment: this is no "
            "ranking."
        )
    ]
    for block in outcome.blocks:
        entries = [entry for entry in outcome.entries if entry.block == block]
        caption = f"{block.data}, {say_ratio(block.ratio)} labelled ({say_labelled(entries[0].labelled)})"
        blocks.append(Table(_COLUMNS, tuple(_row(entry) for entry in entries), caption))
    return Section("Lines", tuple(blocks))


def say_labelled(count: int) -> str:
    """Of micrographs."""
    return f"{count} micrograph{'' if count == 1 else 's'}"


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.line, str(len(entry.f1)),
        say_mean(entry.f1), _with_interval(entry.difference), _verdict(entry, entry.difference),
        say_mean(entry.average_precision), _with_interval(entry.precision_difference),
        _verdict(entry, entry.precision_difference), say_gap(entry.gap), say_cpu(entry.cpu_seconds),
    )  # fmt: skip


def _verdict(entry: Entry, found: PairedDifference | None) -> str:
    """In few letters: two of them must fit beside each other."""
    if entry.line == SUPERVISED or found is None:
        return NONE
    return "none" if found.verdict == NO_GAIN else found.verdict


def _with_interval(found: PairedDifference | None) -> str:
    """Such as `+0.012 [+0.002, +0.022]`."""
    interval = say_interval_of(found)
    return say_difference(found) if interval == NONE else f"{say_difference(found)} {interval}"


def _beside(pictures: list[Picture]) -> Picture | Gallery:
    """One alone does not fill the page."""
    return pictures[0] if len(pictures) == 1 else Gallery(tuple(pictures))


def seeds_section(outcome: Outcome) -> Section | None:
    """A dot for each seed."""
    pictures = []
    for number, block in enumerate(outcome.blocks):
        values = {entry.line: entry.f1 for entry in outcome.entries if entry.block == block and entry.f1}
        if not values:
            continue
        title = f"{block.data}, {say_ratio(block.ratio)} labelled"
        alt = "; ".join(f"{line}: {', '.join(f'{one:.3f}' for one in each.values())}" for line, each in values.items())
        pictures.append(
            Picture(f"seeds-{number}", to_png(draw_seeds(values, outcome.lines, title)), f"F1 of each seed. {alt}.")
        )
    if not pictures:
        return None
    text = Text("A dot is a seed, a bar the mean. The same seed has the same splits in all lines and is joined.")
    return Section("Seeds", (text, _beside(pictures)))


def curves_section(outcome: Outcome) -> Section | None:
    """Score over labels; with one ratio there is no curve."""
    by_data: dict[str, list[Curve]] = {}
    for curve in outcome.account.curves:
        if curve.points:
            by_data.setdefault(curve.data, []).append(curve)
    pictures = []
    for number, data in enumerate(name for name in outcome.data if name in by_data):
        curves = by_data[data]
        if len({point.labelled for curve in curves for point in curve.points}) < 2:
            continue
        ordered = sorted(curves, key=lambda curve: outcome.lines.index(curve.line))
        alt = " ".join(curve.sentence for curve in ordered)
        pictures.append(Picture(f"curves-{number}", to_png(draw_curves(ordered, outcome.lines, data)), alt))
    if not pictures:
        return None
    text = Text(
        "Means over seeds; bars are 95 % intervals of each mean, from 3 seeds on. Lines with as many labels are drawn "
        "beside each other. They share their splits, so bars that overlap don't mean that lines can't be told apart: "
        "the tables above say whether they can."
    )
    return Section("Learning curves", (text, _beside(pictures)))


def ranks_section(outcome: Outcome) -> Section | None:
    """The diagram where lines can be ranked; else the sentence why not."""
    if not outcome.entries:
        return None
    account = outcome.account
    blocks: list[Block] = [Text(account.ranking.sentence)]
    if account.ranking.is_ranking:
        alt = f"Critical difference diagram. {account.ranking.sentence}"
        caption = "Best on the left. A bar joins lines that can't be told apart (Friedman, Nemenyi at 5 %)."
        blocks.append(Picture("ranks", to_png(draw_ranks(account.ranking)), alt, caption, is_wide=True))
    across = {one.line: one.sentence for one in account.across}
    blocks += [Text(across[line]) for line in outcome.in_order(across)]
    blocks.append(Folded("Each data set and ratio", tuple(Text(one.sentence) for one in account.groups)))
    return Section("Ranking", tuple(blocks))


def savings_section(outcome: Outcome) -> Section | None:
    """With how few labels lines do as well as supervised."""
    judged = [one for one in outcome.account.savings if one.tried[0] < one.labelled]
    found = sorted(judged, key=lambda one: (outcome.data.index(one.data), outcome.lines.index(one.line), one.labelled))
    if not found:
        return None
    text = Text("With how few labelled micrographs a line reaches the F1 that supervised has with more.")
    rows = tuple((f"{one.data}, {one.line}", *_say_saving(one)) for one in found)
    columns = ("line", "supervised with", "its F1", "line reaches it with", "95 % interval", "verdict")
    told = Folded("In words", tuple(Text(one.sentence) for one in found))
    return Section("Labels saved", (text, Table(columns, rows, "Labelled micrographs"), told))


def _say_saving(one: Saving) -> tuple[str, ...]:
    fewest, most = one.tried
    reached = {AT_START: f"{fewest} or fewer", NOT_REACHED: f"more than {most}"}.get(
        one.status, f"{one.labels or 0:.1f}"
    )
    if one.target is None:
        return (str(one.labelled), "–", "–", "–", "no seed has all results")
    if not one.has_interval:
        return (str(one.labelled), f"{one.target:.3f}", reached, "–", "too few seeds")
    low = f"below {fewest}" if one.lower is None else f"{one.lower:.1f}"
    high = f"above {most}" if one.upper is None else f"{one.upper:.1f}"
    verdict = "saving" if one.is_clear else "no detectable saving"
    return (str(one.labelled), f"{one.target:.3f}", reached, f"{low} to {high}", verdict)


def power_section(outcome: Outcome) -> Section | None:
    """How many seeds a difference of .01 takes."""
    power = {(one.data, one.ratio, one.line): one for one in outcome.account.power if one.seeds}
    found = [power[at] for block in outcome.blocks for line in outcome.lines if (at := (*block, line)) in power]
    if not found:
        return None
    text = Text(
        "How small a difference to supervised these seeds could show, and how many seeds a difference of "
        f"{found[0].target:g} F1 takes; to be safe, if seeds differ more than these did, which few can't tell. With "
        "80 % power, two-sided at 5 %."
    )
    rows = tuple((f"{one.data}, {say_ratio(one.ratio)}, {one.line}", *_say_power(one)) for one in found)
    columns = ("line", "seeds", "they could show", f"seeds for {found[0].target:g}", "to be safe")
    caption = f"–: nothing can be said from fewer than {FEWEST} seeds, or where seeds don't differ"
    told = Folded("In words", tuple(Text(one.sentence) for one in found))
    return Section("How many seeds", (text, Table(columns, rows, caption), told))


def _say_power(one: SeedPower) -> tuple[str, ...]:
    if one.detectable is None or one.noise is None or not one.noise.seed_deviation:
        return (str(one.seeds), "–", "–", "–")
    beyond = "more micrographs"  # seeds alone don't do
    return (
        str(one.seeds),
        f"{one.detectable:.3f}",
        str(one.seeds_needed or beyond),
        str(one.seeds_needed_safely or beyond),
    )


def costs_section(outcome: Outcome) -> Section | None:
    """Score over processor time."""
    pictures = []
    for number, block in enumerate(outcome.blocks):
        points = [one for one in outcome.account.costs if (one.data, one.ratio) == block]
        if points:
            title = f"{block.data}, {say_ratio(block.ratio)} labelled"
            each = (f"{one.line} F1 {one.score:.3f} for {say_cpu(one.cpu_seconds)} CPU-seconds" for one in points)
            alt = f"Cost and F1. {'; '.join(each)}."
            pictures.append(Picture(f"costs-{number}", to_png(draw_costs(points, outcome.lines, title)), alt))
    if not pictures:
        return None
    text = Text(
        "Processor time of all threads, training and picking, mean over seeds; of lines that begin with the "
        f"{SUPERVISED} network its training is counted, too. The grey line joins those, but the oracle, that no other "
        "line beats in both; points on it may still differ by chance only."
    )
    return Section("Cost", (text, _beside(pictures)))
