"""Far fewer, or far more, picks on micrographs without labels than on labelled ones.

Source: domain shift; docs/explain/doctor.md. They may be emptier; or they were made otherwise, and the network is
blind there.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("network",)
_FEW, _MANY, _LEAST = 1 / 3, 3.0, 3


def check(evidence: Evidence) -> Finding | None:
    """A third, or three times as many, over three or more unlabelled micrographs."""
    look = evidence.network
    if look is None or look.unlabelled_picks is None or look.unlabelled_micrographs < _LEAST or look.labelled_picks < 1:
        return None
    ratio = look.unlabelled_picks / look.labelled_picks
    if _FEW <= ratio <= _MANY:
        return None
    return Finding(
        "warning",
        f"{look.unlabelled_picks:.0f} picks on an unlabelled micrograph, {look.labelled_picks:.0f} on a labelled one",
        {"unlabelled_picks": look.unlabelled_picks, "labelled_picks": look.labelled_picks, "ratio": ratio},
        "the micrographs were made otherwise, have another contrast, or hold other numbers of particles",
        "Look at some of them with their picks; label one of them.",
        "docs/explain/doctor.md",
    )
