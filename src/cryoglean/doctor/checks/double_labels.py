"""Particles that are labelled twice.

Source: docs/explain/doctor.md; peers.md: some pickers write jittered duplicates on purpose (CryoSegNet). Twice
labelled particles can't both be found, and recall seems lower than it is.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import nearest_labels
from cryoglean.finding import Finding

GROUP = "labels"
NEEDS = ("looks",)
_NEAR, _SHARE = 0.2, 0.03  # diameters; of the labels


def check(evidence: Evidence) -> Finding | None:
    """More than 3 % of the labels have another one within 0.2 diameters."""
    labelled = evidence.looks.labelled if evidence.looks else ()
    twice, count = 0, 0
    for one in labelled:
        size = evidence.pixel_size_angstrom(one)
        if size:
            twice += int(np.count_nonzero(nearest_labels(one) < _NEAR * evidence.dataset.diameter_angstrom / size))
            count += len(one.labels)
    if not count or twice <= _SHARE * count:
        return None
    return Finding(
        "warning",
        f"{twice} of {count} labels lie within {_NEAR:g} diameters of another one",
        {"double": twice, "labels": count},
        "two files of labels were joined, or a picker wrote duplicates",
        "Keep one of each.",
        "docs/explain/doctor.md",
    )
