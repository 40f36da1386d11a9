"""A threshold far from the best one on validation.

Source: docs/explain/how-it-works.md. Scores of a network are no probabilities; a fixed 0.5 can cost most of the
recall.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.evaluate.threshold import FEW_PARTICLES
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary", "settings")
_LOST = 0.05


def check(evidence: Evidence) -> Finding | None:
    """F1 at the threshold is more than 0.05 below the best F1 on the same micrographs."""
    found = (evidence.summary or {}).get("validation") or {}
    f1, best = found.get("f1"), found.get("best_f1")
    if best is None or best - (f1 or 0.0) <= _LOST:
        return None
    is_thin = int(found.get("truth") or 0) < FEW_PARTICLES  # so few that chance alone does it
    return Finding(
        "note" if is_thin else "warning",
        f"the threshold {found['threshold']:.3f} costs {best - (f1 or 0.0):.3f} F1 on validation "
        f"({f1 or 0.0:.3f}, best {best:.3f})",
        {"f1": f1, "best_f1": best, "threshold": found["threshold"]},
        "it was chosen by number, or on few particles",
        "Choose it by F1, or give --threshold.",
        "docs/explain/how-it-works.md",
        patch={"pick.cut": "f1"},
    )
