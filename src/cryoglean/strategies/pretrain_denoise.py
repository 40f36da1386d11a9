"""First learn to paint in what was blanked on all micrographs, then learn from the labels.

Source: masked denoising (Krull 2019, arXiv 1811.10980; He 2022, arXiv 2111.06377), the whole U-Net kept but its last
layer. It fails by being far from the task: what fills a hole best is the smooth background. The notes propose
self-supervised pretraining and did not try it.
"""

from cryoglean.pretexts import masked
from cryoglean.recipe import Recipe
from cryoglean.settings import Share


def recipe(*, share: Share = 0.5) -> Recipe:
    """A `share` of the area is blanked, in blocks of half a particle."""
    return Recipe("pretrain_denoise", "arXiv 2111.06377", pretrain=(masked(share=share),))
