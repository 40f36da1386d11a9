"""What is to be seen of a finding: small pictures that show it better than a number does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cryoglean.doctor.looks import Looks
from cryoglean.doctor.moves import AS_GIVEN, describe_move
from cryoglean.finding import Finding

Pictures = Mapping[str, NDArray[np.float64]]
"""Caption -> (y, x) values of any range."""

_REACH_DIAMETERS = 1.0
_ABOUT_LABELS = ("orientation", "on_nothing", "outside", "diameter", "density")
_ABOUT_MICROGRAPHS = ("duplicates",)


def show_findings(looks: Looks, findings: Sequence[Finding]) -> dict[str, Pictures]:
    """Pictures by check: the mean picture of all labels, as given and moved; both micrographs of a pair.

    Args:
        looks: what was looked at.
        findings: those of the same micrographs.
    """
    shown: dict[str, Pictures] = {}
    for finding in findings:
        if finding.check in _ABOUT_LABELS:
            shown[finding.check] = _mean_pictures(looks, finding.labels)
        elif finding.check in _ABOUT_MICROGRAPHS:
            shown[finding.check] = _pair(looks, finding)
    return {check: pictures for check, pictures in shown.items() if pictures}


def _mean_pictures(looks: Looks, move: str) -> Pictures:
    shown = {}
    for name in dict.fromkeys((AS_GIVEN, move)):
        stack = looks.stack(name)
        if stack is not None and stack.count:
            what = f"moved: they are {describe_move(name)}" if name else "as given"
            shown[f"Mean of {stack.count} labels, {what}"] = _middle(stack.mean, looks.particle_pixels)
    return shown


def _middle(mean: NDArray[np.float64], particle_pixels: float) -> NDArray[np.float64]:
    half, reach = mean.shape[0] // 2, round(_REACH_DIAMETERS * particle_pixels)
    cut = slice(max(half - reach, 0), half + reach + 1)
    return mean[cut, cut]


def _pair(looks: Looks, finding: Finding) -> Pictures:
    names = [finding.evidence.get("micrograph"), finding.evidence.get("twin")]
    known = {one.name: one for one in looks.each}
    return {f"{name} ({known[str(name)].role})": known[str(name)].thumbnail for name in names if name in known}
