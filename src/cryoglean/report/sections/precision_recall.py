"""Precision and recall at every threshold."""

from __future__ import annotations

from cryoglean.report.pictures import picture_precision_recall
from cryoglean.report.results import Results
from cryoglean.report.section import Section

TITLE = "Precision and recall"
ORDER = 50


def section(results: Results) -> Section | None:
    """None when nothing was picked or nothing was to be found."""
    picture = None if results.validation is None else picture_precision_recall(results.validation, "precision_recall")
    return None if picture is None else Section(TITLE, (picture,))
