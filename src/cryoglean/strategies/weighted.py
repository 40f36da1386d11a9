"""Pseudo-labels that weigh half as much as labels.

Source: the notes' strategy 5, after Lee 2013; see Arazo 2020 (arXiv 1908.02983). The notes multiplied an already
averaged loss by the weights and averaged again: both kinds of labels then weigh the same, and only the learning rate
changes. They expected +1 to 2 % F1 and never measured it.
`variant="notes"`: that. Corrected: each crop its own loss, sum of weight x loss over sum of weights.
"""

from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident, everything
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Positive, Share
from cryoglean.streams import labelled, pseudo_labelled


def recipe(*, variant: Variant = "corrected", weight: Positive = 0.5, trust_above: Share = 0.70) -> Recipe:
    """Pseudo-labels at `weight`, labels at 1, both over their sum."""
    if variant == "notes":
        both = (1 + weight) / 2
        streams = (labelled(weight=both / 2), pseudo_labelled(losses=None, weight=both / 2, look="varied"))
        each = Round(Labeller(1, (), everything()), streams, counts="always")
    else:
        total = 1 + weight
        streams = (labelled(weight=1 / total), pseudo_labelled(weight=weight / total))
        each = Round(Labeller(8, (platt(),), confident(trust_above=trust_above)), streams)
    return Recipe("weighted", "arXiv 1908.02983", rounds=(each,))
