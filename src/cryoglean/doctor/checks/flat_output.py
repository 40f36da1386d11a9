"""A network that says nearly the same everywhere.

Source: methods.md S17: the standard deviation of a probability at 4 % particle is 0.107 for the best possible
classifier at AUC .92, so that the source notes' "above 0.1" means nothing; relative to sqrt(p (1 - p)) below 0.15 is
a collapse.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("network",)
_FLAT = 0.15


def check(evidence: Evidence) -> Finding | None:
    """Spread relative to that of a perfect network below 0.15."""
    look = evidence.network
    if look is None or look.contrast_spread >= _FLAT:
        return None
    return Finding(
        "error",
        f"the network says nearly the same everywhere: its spread is {look.contrast_spread:.2f} of a perfect one's",
        {"relative_spread": look.contrast_spread, "collapsed_below": _FLAT},
        "it has learned nothing, or has collapsed to background",
        "See the findings about the training.",
        "methods.md S17",
    )
