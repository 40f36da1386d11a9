"""Unlabelled micrographs that brought no detectable gain.

Source: Oliver 2018 (arXiv 1804.09170). No fault; the network before is kept, and the time could be saved.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary",)


def check(evidence: Evidence) -> Finding | None:
    """No round counted."""
    rounds = [told for told in evidence.rounds if "gain" in told]
    if not rounds or any(told["counts"] for told in rounds):
        return None
    gain, error = float(rounds[0]["gain"]), float(rounds[0]["gain_standard_error"])
    return Finding(
        "note",
        f"unlabelled micrographs brought no detectable gain ({gain:+.3f} ± {error:.3f} average precision)",
        {"gain": gain, "standard_error": error, "rounds": len(rounds)},
        "the labels say it all, or the teacher is too weak",
        "--strategy supervised is as good here and faster; more labels help more.",
        "arXiv 1804.09170",
    )
