"""Pseudo-labels of every pixel, particle from a low threshold on.

Source: the notes' strategy 4 (0.50 or 0.40 instead of 0.70), after Lee 2013; see Arazo 2020 (arXiv 1908.02983) on what
hard labels without a mask confirm. It is an ablation: at 0.5 it is plain hard pseudo-labelling, and what the teacher
missed is background at full weight. The notes expected 0 to +2 % F1, "may hurt", and never measured it.
"""

from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import everything
from cryoglean.recipe import Recipe, Round
from cryoglean.settings import Share


def recipe(*, particle_above: Share = 0.50) -> Recipe:
    """Hard labels everywhere."""
    return Recipe("low_threshold", "arXiv 1908.02983", rounds=(Round(Labeller(8, (), everything(particle_above))),))
