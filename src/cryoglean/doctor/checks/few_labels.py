"""Few labels to learn from, or few to choose the threshold on.

Source: docs/explain/doctor.md. With 20 clicks F1 is a few hundredths lower than with 100 (docs/clicks.md).
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "labels"
NEEDS = ("dataset",)
_VERY_FEW, _FEW = 10, 50


def check(evidence: Evidence) -> Finding | None:
    """A warning below 10, a note below 50."""
    count = sum(len(evidence.dataset.labels.on(name)) for name in evidence.dataset.names("train"))
    if count >= _FEW:
        return None
    return Finding(
        "warning" if count < _VERY_FEW else "note",
        f"there are only {count} labelled particles to learn from",
        {"labels": count},
        "labelling is work",
        "Label more particles: nothing else helps as much.",
        "docs/clicks.md",
    )
