"""Micrographs of one role that were made differently: filtered, denoised, or stored on another scale.

Source: domain shift; docs/explain/doctor.md. Each micrograph is normalised by itself, so that another mean or scale
does no harm; another spectrum does: a network meets pictures of a kind that it has not seen.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import Look
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_SPECTRUM = 0.4  # root mean square of the difference of log amplitudes; single sound micrographs differ by 0.02 to 0.4
_SCALE, _OFFSET = 3.0, 5.0  # ratio of deviations; difference of means in deviations


def check(evidence: Evidence) -> Finding | None:
    """Compare each role with the labelled micrographs that are learned from."""
    usable = evidence.looks.usable if evidence.looks else ()
    learned = [one for one in usable if one.role == "train"]
    for role in ("validation", "test", "unlabelled"):
        others = [one for one in usable if one.role == role]
        if not learned or not others:
            continue
        shift, (scale, offset) = _shift(learned, others), _scale(learned, others)
        if shift > _SPECTRUM or scale > _SCALE or offset > _OFFSET:
            return _describe(role, shift, scale, offset)
    return None


def _describe(role: str, shift: float, scale: float, offset: float) -> Finding:
    is_shifted = shift > _SPECTRUM
    what = "have another spectrum than" if is_shifted else "are stored on another scale than"
    return Finding(
        "warning",
        f"{role} micrographs {what} those that are learned from",
        {"log_amplitude_difference": shift, "scale_ratio": scale, "offset_deviations": offset, "role": role},
        "they were filtered or denoised, or binned otherwise"
        if is_shifted
        else "they were normalised by another program",
        "Process all micrographs in the same way."
        if is_shifted
        else "A scale alone does no harm, each micrograph is normalised; find out what else was done to them.",
        "docs/explain/doctor.md",
    )


def _shift(learned: list[Look], others: list[Look]) -> float:
    known = [[one.spectrum for one in some if np.isfinite(one.spectrum).all()] for some in (learned, others)]
    if not all(known):
        return 0.0
    first, second = (np.median(some, axis=0) for some in known)
    return float(np.sqrt(np.square(first - second).mean()))


def _scale(learned: list[Look], others: list[Look]) -> tuple[float, float]:
    """The ratio of the deviations, and the difference of the means in deviations."""
    first, second = (float(np.median([one.deviation for one in some])) for some in (learned, others))
    if not (first > 0 and second > 0):
        return 1.0, 0.0
    means = [float(np.median([one.mean for one in some])) for some in (learned, others)]
    return max(first, second) / min(first, second), abs(means[0] - means[1]) / max(first, second)
