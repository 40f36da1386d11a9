"""Pseudo-labels that are wrong, or that miss most particles, measured on labelled micrographs held out.

Source: docs/explain/unlabelled-micrographs.md: the same labelling is tried where the truth is known.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import leave_unlabelled_out
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_PRECISION, _RECALL = 0.5, 0.4


def check(evidence: Evidence) -> Finding | None:
    """Precision below 0.5, or recall below 0.4, of a round that counted; otherwise a note."""
    for told in evidence.rounds:
        precision, recall = told.get("precision"), told.get("recall")
        is_bad = (precision is not None and precision < _PRECISION) or (recall is not None and recall < _RECALL)
        has_helped = float(told.get("gain", 0.0)) > float(told.get("gain_standard_error", 0.0))
        if is_bad:
            return Finding(
                "note" if has_helped or not told.get("counts") else "warning",
                f"pseudo-labels of round {told['round']} are poor: precision {_say(precision)}, recall "
                f"{_say(recall)} on validation",
                {"precision": precision, "recall": recall, "round": int(told["round"])},
                "the teacher is not good enough to teach, or its maps are not calibrated",
                "Label more, train the first network for longer, or leave unlabelled micrographs out.",
                "docs/explain/unlabelled-micrographs.md",
                patch=leave_unlabelled_out(evidence),
            )
    return None


def _say(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
