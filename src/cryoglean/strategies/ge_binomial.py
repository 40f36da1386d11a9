"""Learn from some clicks: the number of particles in a batch is to be as probable as the prior says (Topaz's loss).

Clicked cores are particles; of the unjudged pixels as many are to be called particle as a binomial draw would give. It
prefers few sure calls to many unsure ones. It fails where the prior is far off, and scatters more than `nnpu`. Not in
the notes.
"""

from cryoglean.clicks import clicked
from cryoglean.recipe import Recipe
from cryoglean.settings import Positive


def recipe(*, prior_times: Positive = 1.0) -> Recipe:
    """The share of particle pixels is that of the expected cores, `prior_times` as many."""
    streams = (clicked(("ge_binomial",), prior_times=prior_times),)
    return Recipe("ge_binomial", "arXiv 1803.08207", streams, labels="sparse")
