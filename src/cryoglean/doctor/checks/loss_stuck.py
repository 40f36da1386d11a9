"""A loss that does not fall, in a training that began from random weights.

Source: docs/explain/doctor.md. Compared are the medians of the first and of the last tenth of the steps of the first
training; a start that is trained already may have nothing left to learn, and is left out.
"""

from statistics import median

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "training"
NEEDS = ("events", "settings")
_FALL, _FEW = 0.05, 20


def check(evidence: Evidence) -> Finding | None:
    """Less than 5 % over the first training."""
    first = next((event for event in evidence.told("phase")), None)
    if first is None or first.get("start") != "random":
        return None
    losses = [float(event["loss"]) for event in evidence.told("step", first["phase"])]
    if len(losses) < _FEW or min(losses) < 0:  # PU risks may be negative; their size says little
        return None
    tenth = max(len(losses) // 10, 5)
    before, after = median(losses[:tenth]), median(losses[-tenth:])
    if after <= (1 - _FALL) * before:
        return None
    return Finding(
        "error",
        f"the loss did not fall: {before:.3f} in the first steps, {after:.3f} in the last",
        {"first_loss": before, "last_loss": after, "steps": len(losses)},
        "the learning rate is far off, the labels lie on nothing, or a part of the network is frozen",
        "Mend what other findings say first; else look at the labels.",
        "docs/explain/doctor.md",
    )
