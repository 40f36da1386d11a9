"""Hard pseudo-labels after the guesses were moved to hold as much particle as is expected.

Source: DARP (Kim 2020, arXiv 2007.08844), in closed form for two classes: each logit moves in proportion to its
entropy. It fails when the teacher ranks badly: it changes how sure the teacher is, not what it is sure of; a shift
is cut off at 4. The notes name it and did not try it.
"""

from cryoglean.pseudo.calibrate import prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import everything
from cryoglean.recipe import Recipe, Round
from cryoglean.settings import Count


def recipe(*, rounds: Count = 1) -> Recipe:
    """One or more `rounds` of prior-matched hard labels."""
    labeller = Labeller(8, (undo_loss(), prior_match(by_entropy=True)), everything())
    return Recipe("darp", "arXiv 2007.08844", rounds=(Round(labeller),) * rounds)
