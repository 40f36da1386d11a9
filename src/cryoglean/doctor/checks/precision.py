"""A network that says other things in bfloat16 than in float32.

Source: docs/explain/doctor.md. bfloat16 keeps 8 bits of each number; in a sound network a probability changes by
0.02.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "training"
NEEDS = ("network",)
_FAR = 0.15


def check(evidence: Evidence) -> Finding | None:
    """A probability that differs by more than 0.15."""
    look = evidence.network
    if look is None or look.half_difference <= _FAR:
        return None
    return Finding(
        "note" if evidence.settings.learn.precision == "float32" else "warning",
        f"a probability differs by up to {look.half_difference:.2f} between bfloat16 and float32",
        {"largest_difference": look.half_difference},
        "weights or activations have grown large",
        "Train and pick in float32.",
        "docs/explain/doctor.md",
        patch={"learn.precision": "float32"},
    )
