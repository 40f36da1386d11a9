"""A diameter that does not fit what lies under the labels: in pixels instead of angstrom, or of another pixel size.

Source: docs/explain/doctor.md: where the mean picture of all labels, by distance from the middle, has lost nine
tenths of its contrast. On nine simulated molecules and two real sets that is at 0.29 to 0.49 of the diameter, so that
an error of a factor 2 is seen in most cases and one of 3 always.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import REACH_DIAMETERS
from cryoglean.doctor.moves import AS_GIVEN
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_STRONG = 6.0
_AROUND = (REACH_DIAMETERS / 2, REACH_DIAMETERS)
_SMALLEST, _LARGEST, _USUAL = 0.17, 0.7, 0.38  # diameters
_LOST = 0.1


def check(evidence: Evidence) -> Finding | None:
    """Less than 0.17 or more than 0.7 of the diameter."""
    looks = evidence.looks
    stack = looks.stack(AS_GIVEN) if looks else None
    if looks is None or stack is None or stack.strength(looks.particle_pixels, _AROUND) < _STRONG:
        return None
    found = find_extent(stack.profile()) / looks.particle_pixels
    if _SMALLEST <= found <= _LARGEST:
        return None
    given, size = evidence.dataset.diameter_angstrom, evidence.dataset.pixel_size_angstrom
    sizes = [one.pixel_size_angstrom for one in looks.usable if one.pixel_size_angstrom]
    pixel = size or (float(np.median(sizes)) if sizes else 1.0)
    likely = given * found / _USUAL
    if evidence.dataset.unit == "pixel":
        return _in_pixels(given, likely, found)
    is_pixels = abs(np.log(likely / (given * pixel))) < np.log(1.6)
    return Finding(
        "error",
        f"what lies under the labels is about {likely:.0f} Å across, not {given:g} Å",
        {
            "given_angstrom": given,
            "measured_angstrom": likely,
            "extent_diameters": found,
            "reach_diameters": REACH_DIAMETERS,
        },
        "the diameter was given in pixels instead of angstrom"
        if is_pixels
        else "the diameter or the pixel size is wrong",
        "Give --diameter-angstrom (and --pixel-size-angstrom) again.",
        "docs/explain/doctor.md",
        options={"--diameter-angstrom": f"{given * pixel:.0f}" if is_pixels else f"{likely:.0f}"},
    )


def _in_pixels(given: float, likely: float, extent_diameters: float) -> Finding:
    """Where nobody knows angstrom: `cryoglean pseudolabel` was given a radius."""
    return Finding(
        "error",
        f"what lies under the labels is about {likely:.0f} pixels across, not {given:g}",
        {"given_pixels": given, "measured_pixels": likely, "extent_diameters": extent_diameters},
        "the radius is of pictures of another size, or a diameter",
        "Give --particle-radius again, in pixels of the pictures as they are.",
        "docs/explain/doctor.md",
        options={"--particle-radius": f"{likely / 2:.0f}"},
    )


def find_extent(profile: np.ndarray) -> float:
    """The distance at which a mean picture has lost nine tenths of its contrast.

    Args:
        profile: (k,) values at 0, 1, 2, ... pixels from the middle.

    Returns:
        Pixels, outwards from the strongest value.
    """
    smooth = np.convolve(np.pad(profile, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    signal = smooth - np.median(smooth[len(smooth) // 2 :])
    peak = int(np.argmax(np.abs(signal)))
    signal = signal * np.sign(signal[peak])
    below = np.flatnonzero(signal[peak:] < _LOST * signal[peak])
    return float(peak + below[0]) if len(below) else float(len(profile))
