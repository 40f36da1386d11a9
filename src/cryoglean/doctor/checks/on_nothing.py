"""Labels under which there is nothing: of other micrographs, shuffled, or made up.

Source: docs/explain/doctor.md. Where hundreds of labels lie on particles their mean picture is ten times chance or
more, at the noise of a single frame too.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.moves import move_names
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_ENOUGH, _WEAK, _STRONG = 60, 2.0, 4.0


def check(evidence: Evidence) -> Finding | None:
    """Neither as given nor moved, and also not on single micrographs with many labels."""
    looks = evidence.looks
    if looks is None or not looks.labelled:
        return None
    strengths = {name: stack.strength(looks.particle_pixels) for name in move_names() if (stack := looks.stack(name))}
    count = sum(len(one.labels) for one in looks.labelled)
    given = strengths[""]
    if count < _ENOUGH or given >= _WEAK or max(strengths.values()) >= _STRONG:
        return None
    return Finding(
        "error",
        f"there is nothing under the {count} labels: their mean picture is no more than chance",
        {"labels": count, "strength": given, "chance": 1.0},
        "the labels are of other micrographs, or their names were mixed up",
        "Look at a micrograph with its labels: cryoglean show MICROGRAPH --picks LABELS.",
        "docs/explain/doctor.md",
    )
