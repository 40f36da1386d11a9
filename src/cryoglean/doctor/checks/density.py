"""More particle than fits: the discs of the labels would lie on top of each other.

Source: methods.md 0 of the project's design: with coordinates scaled and the radius not (or the reverse), the share
of particle N pi r^2 / (H W) is impossible. The source notes' 4 % with r = 42 of 768 pixels means 4 particles a
micrograph.
"""

import math

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import Look, nearest_labels
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_MOST = 0.7  # a plane full of equal discs is covered to 0.91
_NEAR = 0.55  # diameters


def check(evidence: Evidence) -> Finding | None:
    """More than 70 % covered, or half of the labels nearer to another one than 0.55 diameters."""
    labelled = evidence.looks.labelled if evidence.looks else ()
    sizes = [(one, _diameter_pixels(evidence, one)) for one in labelled]
    known = [(one, size) for one, size in sizes if size]
    if not known:
        return None
    covered = float(
        np.median([len(one.labels) * math.pi * (size / 2) ** 2 / math.prod(one.shape) for one, size in known])
    )
    near = float(np.median(np.concatenate([nearest_labels(one) / size for one, size in known])))
    if covered <= _MOST and near >= _NEAR:
        return None
    return Finding(
        "error",
        f"the labels would cover {100 * covered:.0f} % of a micrograph, neighbours {near:.2f} diameters apart",
        {"covered_share": covered, "nearest_diameters": near, "labels": sum(len(one.labels) for one, _ in known)},
        "the coordinates were scaled and the diameter was not, or the pixel size is wrong",
        "Check --diameter-angstrom, the pixel size, and which micrographs the labels were made on.",
        "methods.md 0",
    )


def _diameter_pixels(evidence: Evidence, look: Look) -> float | None:
    size = evidence.pixel_size_angstrom(look)
    return evidence.dataset.diameter_angstrom / size if size else None
