"""Single micrographs unlike all others: crystalline ice, carbon, another magnification, or nothing at all.

Source: docs/explain/doctor.md. Their spectrum differs from the median of all by far more than is usual.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_FAR, _FEW = 0.9, 4
_SHARE = 0.1


def check(evidence: Evidence) -> Finding | None:
    """A warning where a labelled one is odd, or many are."""
    usable = [one for one in (evidence.looks.usable if evidence.looks else ()) if np.isfinite(one.spectrum).all()]
    if len(usable) < _FEW:
        return None
    median = np.median([one.spectrum for one in usable], axis=0)
    far = {one.name: float(np.sqrt(np.square(one.spectrum - median).mean())) for one in usable}
    odd = [one for one in usable if far[one.name] > _FAR]
    if not odd:
        return None
    is_bad = any(one.role in ("train", "validation") for one in odd) or len(odd) > _SHARE * len(usable)
    return Finding(
        "warning" if is_bad else "note",
        f"{len(odd)} of {len(usable)} micrographs are unlike the others, such as {odd[0].name}",
        {"odd": len(odd), "micrographs": len(usable), "difference": far[odd[0].name], "micrograph": odd[0].name},
        "crystalline ice, carbon, contamination, another magnification, or no ice",
        "Look at them, and leave the bad ones out.",
        "docs/explain/doctor.md",
    )
