"""On micrographs it had never seen: the numbers, the best, median and worst micrograph, and the curve."""

from __future__ import annotations

from cryoglean.report.judged import Judged
from cryoglean.report.pictures import picture_precision_recall, picture_verdicts
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Fact, Facts, Gallery, Section, Table, Text, fold_if_long
from cryoglean.report.wording import count_of, decimals, interval_of, percent

TITLE = "On micrographs it had never seen"
ORDER = 20


def section(results: Results) -> Section | None:
    """None when there was no test."""
    judged = results.judged_test
    if judged is None:
        return None
    blocks: list[Block] = [Text(_words(judged)), _facts(judged)]
    curve = picture_precision_recall(judged, "test_precision_recall")
    if curve is not None:
        blocks.append(curve)
    marked, _ = picture_verdicts(judged, results.dataset.shown_pixel_size, "test")
    if marked:
        blocks.append(Gallery(marked))
    blocks.append(fold_if_long(_table(judged)))
    return Section(TITLE, tuple(blocks))


def _words(judged: Judged) -> str:
    total = judged.evaluation.total
    return (
        f"These {count_of(len(judged.verdicts), 'micrograph')} had no part in the training or in the choice of the "
        f"threshold. Of {count_of(total.picks, 'pick')}, {total.true_positives:,} are a particle "
        f"({percent(total.precision)}); of {count_of(total.truth, 'particle')}, {total.true_positives:,} were found "
        f"({percent(total.recall)})."
    )


def _facts(judged: Judged) -> Facts:
    found, total = judged.evaluation, judged.evaluation.total
    average = None if found.curve is None else found.curve.average_precision
    intervals = {name: None if one is None else tuple(one) for name, one in found.intervals.items()}
    return Facts(
        (
            Fact("F1", decimals(total.f1), interval_of(intervals, "f1")),
            Fact("Precision", decimals(total.precision), interval_of(intervals, "precision")),
            Fact("Recall", decimals(total.recall), interval_of(intervals, "recall")),
            Fact("Average precision", decimals(average), interval_of(intervals, "average_precision")),
        )
    )


def _table(judged: Judged) -> Table:
    rows = tuple(
        (one.name, f"{len(one.found)}", f"{len(one.false)}", f"{len(one.missed)}", decimals(one.score.tally.f1))
        for one in judged.verdicts
    )
    return Table(("micrograph", "found", "false", "missed", "F1"), rows, "Each test micrograph at the threshold.")
