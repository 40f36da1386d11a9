"""The default with unlabelled micrographs: a second training goes on from the first, with its soft guesses, too.

Source: Noisy Student (Xie 2020, arXiv 1911.04252), with Platt's calibration on held-out labels in place of thresholds.
The teacher looks at each unlabelled micrograph in eight views; its calibrated map is the target, nothing is ignored;
the student goes on from the teacher's weights with varied and mixed crops. It counts unless validation falls by more
than a standard error. It has little to give where the labels say it all, and fails where the teacher is sure of the
wrong things. What it gains, and how much of that is longer training: docs/strategies.md. Not in the notes.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import platt, prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, particles, soft
from cryoglean.recipe import Counts, Recipe, Round
from cryoglean.streams import Look, labelled, pseudo_labelled


def recipe(
    *,
    target: Literal["soft", "hard", "particles"] = "soft",
    calibration: Literal["platt", "prior", "none"] = "platt",
    views: Literal[1, 2, 4, 8] = 8,
    look: Look = "mixed",
    goes_on: bool = True,
    counts: Counts = "unless_harm",
) -> Recipe:
    """The teacher's targets, calibration and `views`; whether the student `goes_on` from its weights or afresh."""
    calibrate = {"platt": (platt(),), "prior": (undo_loss(), prior_match()), "none": ()}[calibration]
    labeller = Labeller(views, calibrate, {"soft": soft(), "hard": dual(), "particles": particles()}[target])
    student = (labelled(), pseudo_labelled(look=look))
    return Recipe("recommended", "arXiv 1911.04252", rounds=(Round(labeller, student, counts, goes_on),))
