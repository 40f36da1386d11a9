"""A number of particles, or a share of particle pixels, that labels and picks deny.

Source: docs/explain/priors.md. Twice or half of the truth costs little in ranking; four times costs a tenth of the
average precision, and the cut is wrong long before (methods.md 0). The source notes took the odds of their sampling
(343 of 1743) for the share of particles.
"""

import math

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "labels"
NEEDS = ("looks",)
_FAR = 2.0


def check(evidence: Evidence) -> Finding | None:
    """What is said differs by more than a factor 2 from complete validation labels, or is below what was clicked."""
    told, known = _said(evidence), _counted(evidence)
    if told is None or known is None:
        return None
    said, names = told
    low, high, who = known
    is_low = said < (low if high is None else low / _FAR)
    is_high = high is not None and said > high * _FAR
    if not (is_low or is_high):
        return None
    best = low if high is None else (low + high) / 2
    return Finding(
        "error" if max(said / best, best / said) > 2 * _FAR - 0.5 else "warning",
        f"about {said:.0f} particles a micrograph were said, {who} say {best:.0f}",
        {"said_per_micrograph": said, "counted_per_micrograph": best},
        "the number was guessed, is of another data set, or is the share of labels in a sample instead of that "
        "of particles",
        "Leave it out, or give the number that was counted.",
        "docs/explain/priors.md",
        patch=dict.fromkeys(names),
    )


def _said(evidence: Evidence) -> tuple[float, tuple[str, ...]] | None:
    """Particles a micrograph that the settings claim, and which settings claim them."""
    settings = evidence.settings
    if settings.labels.per_micrograph is not None:
        return settings.labels.per_micrograph, ("labels.per_micrograph",)
    pixels = _pixels(evidence)
    if settings.loss.prior is None or settings.labels.kind == "complete" or not pixels:
        return None
    core = math.pi * (settings.targets.core_diameters * settings.prepare.particle_pixels) ** 2
    return settings.loss.prior * pixels / core, ("loss.prior",)


def _counted(evidence: Evidence) -> tuple[float, float | None, str] | None:
    """The least and most that labels allow, and whose labels; nothing where none are complete and few are clicked."""
    labels, dataset = evidence.dataset.labels, evidence.dataset
    held = dataset.names("validation") or (() if evidence.settings.labels.kind == "sparse" else dataset.names("train"))
    if held:
        mean = float(np.mean([len(labels.on(name)) for name in held]))
        return (mean, mean, "complete labels") if mean else None
    counts = [len(labels.on(name)) for name in dataset.names("train")]
    expected = (evidence.summary or {}).get("expected") or {}
    if expected.get("source") == "best bin" and expected.get("interval"):
        return (expected["interval"][0], expected["interval"][1], "clicks (best bin)")
    return (float(np.mean(counts)), None, "clicks alone, at least") if counts else None


def _pixels(evidence: Evidence) -> float:
    """Rescaled pixels of a micrograph."""
    looks = evidence.looks
    sizes = []
    for one in looks.usable if looks else ():
        size = evidence.pixel_size_angstrom(one)
        if size:
            scale = evidence.settings.prepare.particle_pixels * size / evidence.dataset.diameter_angstrom
            sizes.append(math.prod(one.shape) * scale**2)
    return float(np.mean(sizes)) if sizes else 0.0
