"""The default with unlabelled micrographs: an averaged teacher's soft guesses, matched to the prior, at every step.

Source: Mean Teacher (Tarvainen 2017, arXiv 1703.01780) with prior-matched soft targets (after DARP, arXiv 2007.08844)
and mixed crops (French 2020, arXiv 1906.01916). Chosen by validation in docs/strategies.md, where its gains are: they
are small. It counts only if validation gains more than a standard error; it has nothing to give where the labels say it
all, and fails where the density of particles differs much from that of the labelled micrographs. Not in the notes.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import platt, prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, particles, soft
from cryoglean.recipe import Recipe, Round
from cryoglean.streams import Look, labelled, pseudo_labelled, taught


def recipe(
    *,
    refresh: Literal["step", "round"] = "step",
    target: Literal["soft", "hard", "particles"] = "soft",
    calibration: Literal["prior", "platt", "none"] = "prior",
    views: int = 2,
    look: Look = "mixed",
    counts: Literal["gain", "always"] = "gain",
) -> Recipe:
    """The teacher labels each step's crops or, once, all micrographs; its targets, calibration and views."""
    calibrate = {"platt": (platt(),), "prior": (undo_loss(), prior_match()), "none": ()}[calibration]
    labeller = Labeller(views, calibrate, {"soft": soft(), "hard": dual(), "particles": particles()}[target])
    online = Round(None, (labelled(), taught(labeller, look=look)), counts)
    offline = Round(labeller, (labelled(), pseudo_labelled(look=look)), counts)
    return Recipe("recommended", "arXiv 1703.01780", rounds=(online if refresh == "step" else offline,))
