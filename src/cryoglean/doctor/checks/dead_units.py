"""Units of a trained network that say the same whatever they are shown.

Source: "dying" units; docs/explain/doctor.md. The source notes counted parameters without gradient, which finds
frozen layers but not these.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("network",)
_SHARE = 0.25


def check(evidence: Evidence) -> Finding | None:
    """More than a quarter of all."""
    look = evidence.network
    if look is None or look.dead_share <= _SHARE:
        return None
    rate, default = evidence.settings.learn.learning_rate, LearnSettings().learning_rate
    return Finding(
        "warning",
        f"{100 * look.dead_share:.0f} % of the network's units are dead, most in {look.deadest_layer}",
        {"dead_share": look.dead_share, "layer": look.deadest_layer},
        "the learning rate was too high for a while",
        "Lower the learning rate, or take fewer units (model.widths).",
        "docs/explain/doctor.md",
        patch={"learn.learning_rate": default if rate > default else rate / 3},
    )
