"""Particles that are dark on some micrographs and light on others, or a wish that the labels deny.

Source: docs/explain/doctor.md. A network that learned dark particles finds nothing where they are light.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import Look
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_SURE = 4.0  # standard errors
_SKEWED, _FEW = 0.3, 3
_LABELS = 10  # with fewer, four standard errors are no certainty


def check(evidence: Evidence) -> Finding | None:
    """Labelled micrographs that disagree, unlabelled ones that look inverted, or a setting that is wrong."""
    looks = evidence.looks
    signs = {one.name: _sign(one) for one in looks.labelled} if looks else {}
    dark, light = ([name for name, sign in signs.items() if sign == wanted] for wanted in (-1, 1))
    if looks is None or not (dark or light):
        return None
    source, remedy = "docs/explain/doctor.md", "Invert these micrographs, or leave them out."
    if dark and light:
        odd = min(dark, light, key=len)
        return Finding(
            "error",
            f"particles are dark on {len(dark)} labelled micrographs and light on {len(light)}",
            {"dark": len(dark), "light": len(light), "micrograph": odd[0]},
            "some micrographs were inverted by another program",
            remedy,
            source,
        )
    kind = "dark" if dark else "light"
    if evidence.settings.prepare.contrast not in ("auto", kind):
        return Finding(
            "error",
            f"the settings say that particles are {evidence.settings.prepare.contrast}, the labels that they are "
            f"{kind}",
            {"labelled_micrographs": len(dark or light)},
            "prepare.contrast was set by hand",
            "Let the labels decide.",
            source,
            patch={"prepare.contrast": "auto"},
        )
    told, other = ([one.skewness for one in looks.usable if bool(len(one.labels)) is has] for has in (True, False))
    if min(len(told), len(other)) < _FEW or not _are_opposite(float(np.median(told)), float(np.median(other))):
        return None
    return Finding(
        "error",
        "micrographs without labels look inverted: particles seem to have the other contrast there",
        {"labelled_skewness": float(np.median(told)), "other_skewness": float(np.median(other))},
        "they were exported by another program than the labelled ones",
        remedy,
        source,
    )


def _sign(look: Look) -> int:
    values = look.differences
    if len(values) < _LABELS:
        return 0
    error = float(values.std(ddof=1)) / np.sqrt(len(values)) or 1e-9
    return int(np.sign(values.mean())) if abs(values.mean()) > _SURE * error else 0


def _are_opposite(one: float, other: float) -> bool:
    return min(abs(one), abs(other)) > _SKEWED and one * other < 0
