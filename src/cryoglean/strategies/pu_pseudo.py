"""The default with sparse labels: a ranking from clicks, then a picker that learns from what the ranking is sure of.

Source: PU learning, then self-training on what it is sure of (Xu 2024, PSPU, arXiv 2407.06698), at the level of
particles. A network is trained with the PU risk; its maps are matched to the expected number of particles; clicks are
particles whatever it says. A second network learns from these maps. It fails where the number of particles is far off,
or where the clicked ones are not like the others. The notes' strategy 8 took what was not clicked for background.
"""

from typing import Literal

from cryoglean.clicks import clicked
from cryoglean.pseudo.calibrate import prior_match
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, particles, quantile, soft
from cryoglean.recipe import Counts, Recipe, Round
from cryoglean.settings import Positive
from cryoglean.streams import Look, pseudo_labelled


def recipe(
    *,
    ranking: Literal["nnpu", "imbalanced_nnpu", "ge_binomial", "ge_kl", "dist_pu", "upu"] = "nnpu",
    target: Literal["soft", "quantile", "particles", "hard"] = "soft",
    prior_times: Positive = 1.0,
    look: Look = "mixed",
    goes_on: bool = True,
    counts: Counts = "gain",
) -> Recipe:
    """The PU risk, the targets of the second network, and whether it `goes_on` from the first one's weights."""
    select = {"soft": soft(), "quantile": quantile(), "particles": particles(), "hard": dual()}[target]
    labeller = Labeller(8, (prior_match(),), select)
    again = Round(labeller, (pseudo_labelled(look=look),), counts, goes_on)
    return Recipe(
        "pu_pseudo", "arXiv 2407.06698", (clicked((ranking,), prior_times=prior_times),), (again,),
        labels="sparse",
    )  # fmt: skip
