"""Two strong, mixed views of each unlabelled crop, taught by the averaged network.

Source: UniMatch (Yang 2023, arXiv 2208.09910), without its dropped features. It fails as FixMatch does, where the
teacher is sure of background only; so its guesses are matched to the prior. Not in the notes.
"""

from cryoglean.pseudo.calibrate import prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual
from cryoglean.recipe import Recipe, Round
from cryoglean.settings import Count, Share
from cryoglean.streams import labelled, taught


def recipe(*, particle: Share = 0.6, background: Share = 0.8, views: Count = 2) -> Recipe:
    """Hard labels where p is at least `particle` or 1 - p at least `background`; `views` strong views."""
    labeller = Labeller(1, (undo_loss(), prior_match()), dual(particle, background))
    return Recipe("unimatch", "arXiv 2208.09910", rounds=(Round(None, (labelled(), taught(labeller, views=views))),))
