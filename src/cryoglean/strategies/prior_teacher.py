"""Soft guesses matched to the prior: an averaged teacher at every step, then one round of a noisy student.

Source: Mean Teacher (arXiv 1703.01780), DARP (arXiv 2007.08844), Noisy Student (Xie 2020, arXiv 1911.04252). It fails
where the density of particles differs much between labelled and unlabelled micrographs: then the prior is wrong. Not in
the notes.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Recipe, Round
from cryoglean.streams import labelled, taught


def recipe(*, views: Literal[1, 2, 4, 8] = 2) -> Recipe:
    """Online guesses from `views` views; offline from eight."""
    calibrate = (undo_loss(), prior_match())
    online = Round(None, (labelled(), taught(Labeller(views, calibrate))))
    return Recipe(
        "prior_teacher", "arXiv 1911.04252", rounds=(online, Round(Labeller(8, calibrate))), stops_without_gain=False
    )
