"""Sharpened guesses averaged over views, for mixed crops (squared difference).

Source: Berthelot 2019 (arXiv 1905.02249), CutMix in place of MixUp: two blended micrographs show twice the particles at
half the contrast. It fails on rare classes, since sharpening sends .4 to .31: the guesses are aligned with the prior
before, as in ReMixMatch (arXiv 1911.09785).
The notes name it and did not try it.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import distribution_alignment, sharpen, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Recipe, Round
from cryoglean.settings import Positive
from cryoglean.streams import labelled, taught


def recipe(*, temperature: Positive = 0.5, weight: Positive = 30.0, views: Literal[1, 2, 4, 8] = 2) -> Recipe:
    """Guesses from `views` views, sharpened by 1 / `temperature`."""
    labeller = Labeller(views, (undo_loss(), distribution_alignment(), sharpen(temperature)))
    stream = taught(labeller, losses=("mse",), weight=weight)
    return Recipe("mixmatch", "arXiv 1905.02249", rounds=(Round(None, (labelled(), stream)),))
