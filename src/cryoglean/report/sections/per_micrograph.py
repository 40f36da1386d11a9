"""The counts of each validation micrograph."""

from __future__ import annotations

from cryoglean.report.results import Results
from cryoglean.report.section import Section, Table, Text, fold_if_long
from cryoglean.report.wording import decimals, percent

TITLE = "Each validation micrograph"
ORDER = 90

_COLUMNS = ("micrograph", "particles", "picks", "right", "false", "missed", "precision", "recall", "F1", "count error")


def section(results: Results) -> Section | None:
    """None when no micrograph was validated."""
    found = results.summary.get("validation") or {}
    rows = found.get("per_micrograph") or []
    if not rows:
        return None
    table = tuple(
        (
            str(row["micrograph"]), f"{row['truth']:,}", f"{row['picks']:,}", f"{row['true_positives']:,}",
            f"{row['picks'] - row['true_positives']:,}", f"{row['truth'] - row['true_positives']:,}",
            decimals(row["precision"]), decimals(row["recall"]), decimals(row["f1"]), percent(row["count_error"]),
        )
        for row in rows
    )  # fmt: skip
    counts = Table(_COLUMNS, table, "At the threshold. Count error: how far the number of picks is off.")
    return Section(TITLE, (fold_if_long(counts), *_definition(found)))


def _definition(found: dict[str, object]) -> tuple[Text, ...]:
    if not found.get("definition"):
        return ()
    left_out = found.get("left_out")
    parts = (
        [f"{count} {reason.replace('_', ' ')}" for reason, count in left_out.items() if count]
        if isinstance(left_out, dict)
        else []
    )
    rest = f" Left out: {', '.join(parts)}." if parts else ""
    return (Text(f"How it was counted: {found['definition']}.{rest}"),)
