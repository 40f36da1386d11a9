"""Files that can't be used: broken, without contrast, or too small for a particle.

Source: docs/explain/doctor.md. Picking leaves such files out and says so; a labelled one stops a training.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)


def check(evidence: Evidence) -> Finding | None:
    """Any of them."""
    broken = [one for one in (evidence.looks.each if evidence.looks else ()) if one.error]
    if not broken:
        return None
    told = [one for one in broken if one.role in ("train", "validation")]
    first = (told or broken)[0]
    return Finding(
        "error" if told else "warning",
        f"{len(broken)} micrographs can't be used, {len(told)} of them labelled; the first: {first.error}",
        {"unusable": len(broken), "unusable_labelled": len(told), "micrograph": first.name},
        "see the message: the file is damaged, or a size that was given does not fit it",
        "Do what the message says, or leave these files out.",
        "docs/explain/doctor.md",
    )
