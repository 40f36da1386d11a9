"""As many pseudo-labelled micrographs as labelled ones, the best by score.

Source: the notes' strategy 2; selection by stability: ST++ (Yang 2022, arXiv 2106.05095). It fails by its score: mean
confidence is highest where there is no particle (correlation -0.99 with their number), so it chooses empty pictures.
The notes expected +1 to 3 % F1 and never measured it.
`variant="notes"`: by mean confidence. Corrected: by how far eight views agree on the particles.
"""

from cryoglean.pseudo.budget import by_confidence, by_stability, top_k
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident, everything
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Count, Positive, Share
from cryoglean.streams import labelled, pseudo_labelled


def recipe(
    *, variant: Variant = "corrected", ratio: Positive = 1.0, trust_above: Share = 0.70, rounds: Count = 1
) -> Recipe:
    """`ratio` times as many micrographs as are labelled."""
    if variant == "notes":
        labeller = Labeller(1, (), everything(), top_k(ratio, by_confidence, trust_above))
        each = Round(labeller, (labelled(), pseudo_labelled(losses=None, look="varied")), counts="always")
    else:
        each = Round(Labeller(8, (platt(),), confident(trust_above=trust_above), top_k(ratio, by_stability)))
    return Recipe("limited", "arXiv 2106.05095", rounds=(each,) * rounds)
