"""Pseudo-labels with a lower threshold for particles than for background, from micrographs chosen for balance.

Source: the notes' strategy 1; related: CReST (Wei 2021, arXiv 2102.09559). The two thresholds restore the share of
particles (2.3 to 3.9 % in a simulation); choosing pictures by their own share does harm: it leaves out the crowded and
the empty ones. The notes expected +2 to 5 % F1 and never measured it.
`variant="notes"`: uncalibrated, quality 0.3 particle + 0.2 background confidence + 0.5 balance. Corrected: calibrated,
and micrographs of every crowding, the stablest of each.
"""

from functools import partial

from cryoglean.pseudo.budget import by_balance, by_stability, stratified, top_k
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual
from cryoglean.recipe import Recipe, Round, Variant
from cryoglean.settings import Count, Positive, Share
from cryoglean.streams import labelled, pseudo_labelled


def recipe(
    *,
    variant: Variant = "corrected",
    particle: Share = 0.60,
    background: Share = 0.80,
    cap: Positive = 2.0,
    rounds: Count = 1,
    target: Share = 0.0,
) -> Recipe:
    """At most `cap` times as many micrographs as are labelled (notes: of core share `target`, 0: as labelled)."""
    if variant == "notes":
        labeller = Labeller(1, (), dual(particle, background), top_k(cap, partial(by_balance, target=target or None)))
        each = Round(labeller, (labelled(), pseudo_labelled(losses=None, look="varied")), counts="always")
    else:
        each = Round(Labeller(8, (platt(),), dual(particle, background), stratified(cap, by_stability)))
    return Recipe("class_balanced", "arXiv 2102.09559", rounds=(each,) * rounds)
