"""A network that finds next to nothing on validation micrographs.

Source: docs/explain/doctor.md. Average precision below 0.2 where the general start alone reaches more on most sets.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary",)
_LEAST, _ENOUGH = 0.25, 20


def check(evidence: Evidence) -> Finding | None:
    """Average precision below 0.25 on at least 20 particles."""
    found = (evidence.summary or {}).get("validation") or {}
    precision, truth = found.get("average_precision"), int(found.get("truth") or 0)
    if truth < _ENOUGH or (precision or 0.0) >= _LEAST:
        return None
    return Finding(
        "error",
        f"the network hardly finds particles: average precision {precision or 0.0:.3f} on validation",
        {"average_precision": precision or 0.0, "validation_particles": truth},
        "see the other findings; if there are none, the labels of training and validation contradict each other",
        "Look at the labels of both: cryoglean show MICROGRAPH --picks LABELS.",
        "docs/explain/doctor.md",
    )
