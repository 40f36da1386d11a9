"""A loss or a gradient that is not a number, or grew beyond all bounds.

Source: docs/explain/doctor.md. A loss that is not a number ends a training; gradients that overflow are left out, and
where that happens often little is learned.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "training"
NEEDS = ("events",)
_SHARE = 0.02


def check(evidence: Evidence) -> Finding | None:
    """Gradients that were left out in more than 2 % of the steps."""
    steps = evidence.told("step")
    left_out = sum(float(event["gradient_norm"]) < 0 for event in steps)
    if not steps or left_out <= _SHARE * len(steps):
        return None
    return Finding(
        "error",
        f"the gradient was not a number in {left_out} of {len(steps)} steps, which were left out",
        {"steps_left_out": left_out, "steps": len(steps)},
        "the learning rate is too high, or bfloat16 is too coarse here",
        "Train in float32; if it goes on, lower the learning rate.",
        "docs/explain/doctor.md",
        patch={"learn.precision": "float32"},
    )
