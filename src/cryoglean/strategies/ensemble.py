"""Several networks vote on the pseudo-labels.

Source: the notes' strategy 6; deep ensembles: Lakshminarayanan 2017 (arXiv 1612.01474). It fails when all must agree:
with a recall of 0.6 each, five networks keep 0.6^5 = 8 % of the particles and nearly all background. The notes expected
+2 to 4 % F1 and never measured it.
`variant="notes"`: unanimous, one view each. Corrected: two thirds of networks and views for a particle, fewer than one
third for background, the rest ignored; a vote is what a network says, 0.5 or more, uncalibrated. Networks that begin at
the same general start differ by their crops alone.
"""

from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import consensus
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Count
from cryoglean.streams import labelled, pseudo_labelled


def recipe(*, variant: Variant = "corrected", members: Count = 3) -> Recipe:
    """`members` networks, 3 to 5."""
    if variant == "notes":
        labeller = Labeller(1, (), consensus(particle=1.0, background=1e-3))
        each = Round(labeller, (labelled(), pseudo_labelled(losses=None, look="varied")), counts="always")
    else:
        each = Round(Labeller(8, (), consensus()))
    return Recipe("ensemble", "arXiv 1612.01474", rounds=(each,), members=members)
