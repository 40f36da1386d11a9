"""Pseudo-labels from the surest to the less sure, over three rounds.

Source: Cascante-Bonilla 2021 (arXiv 2001.06001). It fails with absolute thresholds on pictures: their mean confidence
is between .90 and .93 whatever they show, so that 0.90, 0.75, 0.60 take everything or nothing. The notes expected +1 to
4 % F1 and never measured it.
`variant="notes"`: those thresholds. Corrected: the surest half of the expected particles, then more, then nearly all.
"""

from typing import Annotated

from pydantic import Field

from cryoglean.pseudo.budget import above, by_confidence
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import everything, quantile
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Share
from cryoglean.streams import labelled, pseudo_labelled


def recipe(
    *,
    variant: Variant = "corrected",
    shares: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.5, 0.7, 0.9),
    thresholds: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.90, 0.75, 0.60),
) -> Recipe:
    """`shares` of the expected particle pixels (notes: `thresholds` on mean confidence), one a round."""
    streams = (labelled(), pseudo_labelled(losses=None, look="varied"))
    notes = [Round(Labeller(1, (), everything(), above(at, by_confidence)), streams, "always") for at in thresholds]
    corrected = [Round(Labeller(8, (platt(),), quantile(share, share))) for share in shares]
    return Recipe("curriculum", "arXiv 2001.06001", rounds=tuple(notes if variant == "notes" else corrected))
