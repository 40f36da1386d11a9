"""Micrographs that are learned from without a single label: all of them is taken for background.

Source: docs/explain/doctor.md. Unlabelled is not empty; where nobody looked, every particle becomes background.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("dataset",)


def check(evidence: Evidence) -> Finding | None:
    """Where labels are complete."""
    names = evidence.dataset.names("train", "validation")
    bare = [name for name in names if not len(evidence.dataset.labels.on(name))]
    if not bare or evidence.settings.labels.kind == "sparse":
        return None
    return Finding(
        "warning",
        f"{len(bare)} of {len(names)} labelled micrographs have no label at all, such as {bare[0]}",
        {"bare": len(bare), "labelled_micrographs": len(names)},
        "nobody has looked at them, or there is nothing on them",
        "If nobody has looked at them, take their names out of the labels: they are unlabelled then, not empty.",
        "docs/explain/doctor.md",
    )
