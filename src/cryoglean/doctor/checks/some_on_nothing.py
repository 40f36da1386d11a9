"""Single micrographs whose labels lie on nothing, while those of the others lie on particles.

Source: docs/explain/doctor.md. Names mixed up between some micrographs, or one file of labels that was exported
otherwise.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.moves import AS_GIVEN
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_EXPECTED, _WEAK = 6.0, 0.25


def check(evidence: Evidence) -> Finding | None:
    """Where by the others six times chance are expected, and less than a quarter of that is found."""
    looks = evidence.looks
    if looks is None or len(looks.labelled) < 3:
        return None
    bad = []
    for one in looks.labelled:
        others = [other.stacks[AS_GIVEN] for other in looks.labelled if other is not one]
        whole, own = sum(others[1:], others[0]), one.stacks[AS_GIVEN]
        expected = 1 + (whole.strength(looks.particle_pixels) - 1) * own.count / max(whole.count, 1)
        if expected >= _EXPECTED and own.strength(looks.particle_pixels) < _WEAK * expected:
            bad.append(one)
    if not bad or len(bad) > len(looks.labelled) / 2:
        return None
    return Finding(
        "error",
        f"the labels of {', '.join(one.name for one in bad[:3])} lie on nothing; those of the others lie on particles",
        {
            "micrographs": len(bad),
            "of": len(looks.labelled),
            "strength": bad[0].stacks[AS_GIVEN].strength(looks.particle_pixels),
        },
        "the names of labels and micrographs were mixed up, or these labels are mirrored",
        "Look at them: cryoglean show MICROGRAPH --picks LABELS.",
        "docs/explain/doctor.md",
    )
