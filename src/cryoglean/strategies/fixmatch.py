"""Hard labels from an unvaried view, where the teacher is sure, for a strongly varied and mixed view.

Source: Sohn 2020 (arXiv 2001.07685); for segmentation it needs CutMix (French 2020, arXiv 1906.01916). It fails with
the student as its own teacher and one threshold for both classes: 92 % of background survives 0.70 but 56 % of
particles. The notes: F1 .5621 to .0145 (recall .0074); their repair (labels at 0.50, mask at 0.70) changes no pixel
inside the mask.
`variant="notes"`: that repair. Corrected: averaged teacher, prior-matched, as many pixels of each class as expected.
"""

from cryoglean.pseudo.calibrate import prior_match, undo_loss
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident, quantile
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Share
from cryoglean.streams import labelled, taught


def recipe(*, variant: Variant = "corrected", trust_above: Share = 0.70, share: Share = 0.8) -> Recipe:
    """The surest `share` of each class (notes: max(p, 1 - p) of at least `trust_above`)."""
    if variant == "notes":
        stream = taught(Labeller(1, (), confident(0.5, trust_above)), teacher_is="student", look="varied")
        each = Round(None, (labelled(), stream), counts="always")
    else:
        labeller = Labeller(1, (undo_loss(), prior_match()), quantile(share, share))
        each = Round(None, (labelled(), taught(labeller)))
    return Recipe("fixmatch", "arXiv 2001.07685", rounds=(each,))
