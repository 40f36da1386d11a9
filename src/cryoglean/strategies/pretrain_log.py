"""First learn to answer like a blob filter on all micrographs, then learn from the labels.

Source: UPicker's pretext task (doi:10.1093/bib/bbae636), Laplacian of Gaussian: Lindeberg 1998
(doi:10.1023/A:1008045108935). It fails where particles are no blobs (rings, chains), and it has little to teach a
network that starts from simulated molecules. The notes propose self-supervised pretraining and did not try it.
"""

from cryoglean.pretexts import blobs
from cryoglean.recipe import Recipe
from cryoglean.settings import Positive


def recipe(*, crowding: Positive = 1.0) -> Recipe:
    """As many blobs as particles are expected, times `crowding`."""
    return Recipe("pretrain_log", "doi:10.1023/A:1008045108935", pretrain=(blobs(crowding=crowding),))
