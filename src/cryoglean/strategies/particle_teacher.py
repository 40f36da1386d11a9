"""The same as `prior_teacher` with discs at the teacher's particles in place of its soft map.

Source: Noisy Student (Xie 2020, arXiv 1911.04252) at the level of particles, as in SemiETPicker (arXiv 2510.22454). A
disc is as sure as its peak; unsure ones and rings are ignored. It fails where the unsure ones are the contaminants:
ignored, they are never unlearned. Not in the notes.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import particles
from cryoglean.recipe import Recipe, Round
from cryoglean.streams import labelled, taught


def recipe(*, views: Literal[1, 2, 4, 8] = 2, is_soft: bool = True) -> Recipe:
    """Online guesses from `views` views; offline from eight; discs as sure as their peaks, or hard."""
    calibrate, select = (undo_loss(), prior_match()), particles(is_soft=is_soft)
    online = Round(None, (labelled(), taught(Labeller(views, calibrate, select))))
    offline = Round(Labeller(8, calibrate, select))
    return Recipe("particle_teacher", "arXiv 1911.04252", rounds=(online, offline), stops_without_gain=False)
