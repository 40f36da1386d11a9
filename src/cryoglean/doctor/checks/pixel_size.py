"""A pixel size that no microscope has, that headers deny, or that differs between micrographs.

Source: docs/explain/doctor.md. Headers of some EMPIAR entries say twice the right size (formats.md: EMPIAR-10345).
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_LEAST, _LARGEST = 0.2, 20.0  # angstrom
_DIFFERENT = 0.05


def check(evidence: Evidence) -> Finding | None:
    """An error where what is used is impossible; a warning where headers disagree with it or with each other."""
    if evidence.dataset.unit != "angstrom":
        return None
    said = evidence.dataset.pixel_size_angstrom
    headers = [
        one.pixel_size_angstrom for one in (evidence.looks.each if evidence.looks else ()) if one.pixel_size_angstrom
    ]
    used = said or (float(np.median(headers)) if headers else None)
    if used is None:
        return None
    spread = max((abs(value / used - 1) for value in headers), default=0.0)
    known = {"used_angstrom": used, "median_header_angstrom": float(np.median(headers)) if headers else None}
    if not _LEAST <= used <= _LARGEST:
        return Finding(
            "error",
            f"a pixel of {used:g} Å is impossible",
            known,
            "the number is in nanometres, or of another file",
            "Give --pixel-size-angstrom in angstrom.",
            "docs/explain/doctor.md",
        )
    if spread <= _DIFFERENT or (said and np.allclose(headers, 1.0)):  # 1 is what programs write that do not know
        return None
    where = "that was given" if said else "of the others"
    return Finding(
        "warning",
        f"headers say a pixel is up to {100 * spread:.0f} % different from the {used:g} Å {where}",
        {**known, "largest_difference": spread},
        "the micrographs are of different sessions, or one number is wrong",
        "Check which is right; coordinates and sizes follow from it.",
        "docs/explain/doctor.md",
    )
