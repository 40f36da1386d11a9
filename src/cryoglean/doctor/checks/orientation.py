"""Labels that lie on particles only when they are turned, mirrored or scaled.

Source: docs/explain/doctor.md; the idea for y is from ReconAwarePick (arXiv 2608.28838). The mean picture of the
labels is compared with that of the labels moved in 29 ways: where they lie on particles it is far stronger than
chance.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.moves import AS_GIVEN, describe_move, move_names
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_STRONG, _FAR = 4.0, 3.0


def check(evidence: Evidence) -> Finding | None:
    """A move whose mean picture is at least four times chance and three times that of the labels as given."""
    looks = evidence.looks
    if looks is None or not looks.labelled:
        return None
    found = {name: stack.strength(looks.particle_pixels) for name in move_names() if (stack := looks.stack(name))}
    best = max(found, key=lambda name: found[name])
    if best == AS_GIVEN or found[best] < max(_STRONG, _FAR * found[AS_GIVEN]):
        return None
    return Finding(
        "error",
        f"the labels lie on particles only if they are moved: they are {describe_move(best)}",
        {"strength_as_given": found[AS_GIVEN], "strength_moved": found[best], "chance": 1.0, "move": best},
        "the program that wrote them counts from another corner, swaps the axes, or worked on binned micrographs",
        "Write moved labels with --fix-picks, look at them, and train on those.",
        "arXiv 2608.28838",
        labels=best,
    )
