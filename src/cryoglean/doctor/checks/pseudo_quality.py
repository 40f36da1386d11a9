"""Pseudo-labels that are wrong, or that miss most particles, measured on labelled micrographs held out.

Source: docs/explain/unlabelled-micrographs.md: the same labelling is tried where the truth is known.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_PRECISION, _RECALL = 0.5, 0.4


def check(evidence: Evidence) -> Finding | None:
    """Precision below 0.5, or recall below 0.4, of a round that counted; otherwise a note."""
    for told in evidence.rounds:
        precision, recall = told.get("precision"), told.get("recall")
        is_bad = (precision is not None and precision < _PRECISION) or (recall is not None and recall < _RECALL)
        if is_bad:
            return Finding(
                "warning" if told.get("counts") else "note",
                f"pseudo-labels of round {told['round']} are poor: precision {_say(precision)}, recall "
                f"{_say(recall)} on validation",
                {"precision": precision, "recall": recall, "round": int(told["round"])},
                "the teacher is not good enough to teach, or its maps are not calibrated",
                "Label more, train the first network for longer, or leave unlabelled micrographs out.",
                "docs/explain/unlabelled-micrographs.md",
                patch={"strategy": "supervised", "options": {}},
            )
    return None


def _say(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
