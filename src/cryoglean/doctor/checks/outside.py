"""Labels outside their micrographs.

Source: docs/explain/doctor.md. A few lie on the edge in most files; many are of an unbinned micrograph, or swapped.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.moves import AS_GIVEN
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_SHARE = 0.02


def check(evidence: Evidence) -> Finding | None:
    """More than 2 %; an error from 10 % on, where a training is refused."""
    stack = evidence.looks.stack(AS_GIVEN) if evidence.looks else None
    if stack is None or stack.outside <= _SHARE * stack.offered:
        return None
    share = stack.outside / stack.offered
    return Finding(
        "error" if share > 0.1 else "warning",
        f"{stack.outside} of {stack.offered} labels lie outside their micrographs",
        {"outside": stack.outside, "labels": stack.offered},
        "they are in pixels of larger, unbinned micrographs, or x and y are swapped",
        "See whether another finding says how they must be moved; else check which files they were made on.",
        "docs/explain/doctor.md",
    )
