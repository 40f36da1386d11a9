"""Few particles to choose the threshold and the best weights on.

Source: methods.md 1.1: with 36 particles the chosen thresholds lay anywhere between .05 and .91.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary",)
_FEW = 60


def check(evidence: Evidence) -> Finding | None:
    """Fewer than 60."""
    summary = evidence.summary or {}
    truth = int((summary.get("validation") or {}).get("truth") or 0)
    if not summary.get("validation_on") or truth >= _FEW:
        return None
    return Finding(
        "note",
        f"only {truth} particles on validation micrographs",
        {"validation_particles": truth},
        "few micrographs are labelled",
        "Do not trust differences of a few hundredths; label another micrograph.",
        "methods.md 1.1",
    )
