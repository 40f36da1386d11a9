"""Many pixels that are no numbers, or a part of the picture that is blank.

Source: docs/explain/doctor.md. Nothing is learned or picked there; a few are usual (the corners after motion
correction).
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_SHARE = 0.05


def check(evidence: Evidence) -> Finding | None:
    """More than 5 % of a micrograph."""
    bad = [one for one in (evidence.looks.each if evidence.looks else ()) if one.missing_share > _SHARE]
    if not bad:
        return None
    worst = max(bad, key=lambda one: one.missing_share)
    return Finding(
        "warning",
        f"{len(bad)} micrographs are blank or no numbers in places, up to {100 * worst.missing_share:.0f} % "
        f"({worst.name})",
        {"micrographs": len(bad), "largest_share": worst.missing_share, "micrograph": worst.name},
        "a step before this one divided by zero or masked something out",
        "Make the micrographs again, or leave these out; nothing is learned or picked in such places.",
        "docs/explain/doctor.md",
    )
