"""What won the comparison in docs/strategies.md: a noisy student of soft, calibrated guesses.

Source: Noisy Student (Xie 2020, arXiv 1911.04252) with Platt's calibration on held-out labels in place of thresholds.
The teacher looks at each unlabelled micrograph in eight views; its calibrated map is the target, ignoring nothing; the
student starts afresh and sees varied and mixed crops. A round counts only if validation gains more than a standard
error. It has nothing to give where the labels already say it all, and says so. Not in the notes.
"""

from typing import Literal

from cryoglean.pseudo.calibrate import platt, prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, particles, soft
from cryoglean.recipe import Recipe, Round
from cryoglean.streams import labelled, pseudo_labelled


def recipe(
    *,
    rounds: int = 1,
    target: Literal["soft", "hard", "particles"] = "soft",
    calibration: Literal["platt", "prior", "none"] = "platt",
    strong: bool = True,
    views: int = 8,
    counts: Literal["gain", "always"] = "gain",
) -> Recipe:
    """Up to `rounds` rounds; the teacher's `views`, calibration and target; whether the student's crops are varied."""
    calibrate = {"platt": (platt(),), "prior": (undo_loss(), prior_match()), "none": ()}[calibration]
    select = {"soft": soft(), "hard": dual(), "particles": particles()}[target]
    each = Round(Labeller(views, calibrate, select), (labelled(), pseudo_labelled(strong=strong)), counts)
    return Recipe("recommended", "arXiv 1911.04252", rounds=(each,) * rounds)
