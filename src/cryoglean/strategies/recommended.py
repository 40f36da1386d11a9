"""The strategy that won the comparison in docs/strategies.md.

To be decided by measurement.
"""

from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Recipe, Round


def recipe() -> Recipe:
    """One round of a noisy student on soft, calibrated guesses (Xie 2020, arXiv 1911.04252)."""
    return Recipe("recommended", "arXiv 1911.04252", rounds=(Round(Labeller(8, (platt(),))),))
