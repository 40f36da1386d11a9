"""A failure to learn from: unsure pixels are called background.

Source: the notes' first FixMatch (after Sohn 2020, arXiv 2001.07685), and a published benchmark with the same fault
(SSL4MIS): one threshold of 0.70 decides what a pixel is, and nothing is ignored. The student is its own teacher. Recall
collapses: the notes measured F1 .5621 to .0145. Kept to reproduce that; never use it.
"""

from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import everything
from cryoglean.recipe import Recipe, Round
from cryoglean.settings import Positive, Share
from cryoglean.streams import labelled, taught


def recipe(*, particle_above: Share = 0.70, weight: Positive = 1.0) -> Recipe:
    """Particle from `particle_above` on, background below; the result counts whatever it is."""
    stream = taught(Labeller(1, (), everything(particle_above)), weight=weight, teacher_is="student", look="varied")
    return Recipe("fixmatch_naive", "arXiv 2001.07685", rounds=(Round(None, (labelled(), stream), counts="always"),))
