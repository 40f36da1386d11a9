"""Clicks, then clicks and pseudo-labels by rank, if a first network from clicks sees particles at all (FixMatch + PU).

Source: Sohn 2020 (arXiv 2001.07685) with the PU risk of Kiryo 2017 (arXiv 1703.00593) in place of the supervised one.
The gate: a first network takes what is not clicked for background; unless it ranks particles above the rest with an AUC
above 0.6, the labels are to be looked at, not the strategy. Then the PU risk alone; then, more and more, the surest
pixels of the averaged network by rank: what a PU risk teaches is no probability, and a threshold on it means little.
A clicked core is never called background. It fails where the number of particles is far off; with few clicks the gate's
network may be the better one. The notes' learning rates (1e-5, 5e-5) hardly train.
`variant="notes"`: labels where max(p, 1 - p) is at least `trust_above`; the round counts whatever it brings.
"""

from typing import Literal

from cryoglean.clicks import clicked
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident, quantile
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Share
from cryoglean.streams import Ramp, taught


def recipe(
    *,
    variant: Variant = "corrected",
    risk: Literal["nnpu", "imbalanced_nnpu", "upu", "ge_binomial", "ge_kl", "dist_pu"] = "nnpu",
    trust_above: Share = 0.75,
    burn_in: Share = 0.4,
    rise: Share = 0.3,
    goes_on: bool = True,
) -> Recipe:
    """When the teacher is heard; whether the round `goes_on` from the gate's network (notes: it begins afresh)."""
    is_notes = variant == "notes"
    select = confident(0.5, trust_above) if is_notes else quantile(0.8, 0.8)
    told = taught(Labeller(1, (), select), weight=Ramp(1.0, burn_in, rise), look="varied")
    again = Round(None, (clicked((risk,)), told), "always" if is_notes else "gain", goes_on and not is_notes)
    return Recipe("fixmatch_pu", "arXiv 2001.07685", (clicked(("bce",)),), (again,), labels="sparse", least_auc=0.6)
