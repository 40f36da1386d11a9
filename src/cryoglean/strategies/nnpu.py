"""Learn from some clicks: what is not clicked was not judged (non-negative PU risk).

The risk of calling an unjudged pixel background is corrected by the known share of particles, and never goes below 0.
It ranks well even when that share is wrong by half or double, but what it says is no probability then. It fails when
clicks are chosen (only the clear ones) or the share is far off. The notes took the odds of their sampling for it.
"""

from cryoglean.clicks import clicked
from cryoglean.recipe import Recipe
from cryoglean.settings import Positive


def recipe(*, prior_times: Positive = 1.0) -> Recipe:
    """The share of particle pixels is that of the expected cores, `prior_times` as many."""
    streams = (clicked(("nnpu",), prior_times=prior_times),)
    return Recipe("nnpu", "arXiv 1703.00593", streams, labels="sparse")
