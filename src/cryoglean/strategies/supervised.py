"""Learn from the labelled micrographs alone: the baseline that every other strategy has to beat.

It has the same augmentation, averaged weights, test-time views and threshold rule as the others. It fails when the
labels show only part of what there is: one defocus, one ice thickness, one crowding.
"""

from cryoglean.recipe import Recipe


def recipe() -> Recipe:
    """Labelled crops only (U-Net: Ronneberger 2015, arXiv 1505.04597)."""
    return Recipe(name="supervised", source="arXiv 1505.04597")
