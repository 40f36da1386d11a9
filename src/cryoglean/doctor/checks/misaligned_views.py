"""Pictures and their targets that were not moved in the same way: a mirrored view with an unmirrored target.

Source: methods.md 0 and recipe.md J1: a strong view that is turned without its target costs more than all else
(recall .13 at precision .63, the source notes' signature).
"""

from statistics import mean

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import leave_unlabelled_out
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_MARGIN, _FIT = 0.1, 0.15
_FEW = 3
_LATE = 0.3  # the first part of a training says little: the network does not know particles yet


def check(evidence: Evidence) -> Finding | None:
    """What the student says fits its targets better turned or mirrored than as they lie."""
    for stream in ("taught", "pseudo"):
        told = [event for event in evidence.told("step") if f"{stream}.agreement" in event]
        told = told[int(_LATE * len(told)) :]
        if len(told) < _FEW:
            continue
        straight, turned = (
            mean(float(event[f"{stream}.agreement{kind}"]) for event in told) for kind in ("", "_turned")
        )
        if turned > straight + _MARGIN and turned > _FIT:
            return Finding(
                "error",
                f"unlabelled crops and their targets do not lie alike: correlation {straight:.2f}, turned or "
                f"mirrored {turned:.2f}",
                {"agreement": straight, "agreement_turned": turned, "stream": stream},
                "a view was turned or mirrored and its target was not",
                "Move both in the same way; leave unlabelled micrographs out until then.",
                "methods.md 1.3",
                patch=leave_unlabelled_out(evidence),
            )
    return None
