"""The three priors, which are three different numbers: particles a micrograph, share of pixels, share of patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cryoglean.errors import LabelsError


@dataclass(frozen=True, slots=True)
class CountPrior:
    """How many particles a micrograph has, on average.

    Args:
        particles: a micrograph, at least 0.
    """

    particles: float

    def __post_init__(self) -> None:
        if not self.particles >= 0 or math.isinf(self.particles):
            raise LabelsError(f"{self.particles:g} particles a micrograph", where="prior", fix="Give 0 or more.")

    def to_pixels(self, core_pixels: float, counted_pixels: float) -> PixelPrior:
        """Particles times the pixels of one core, over the pixels that count: cores that overlap are counted twice.

        Args:
            core_pixels: pixels of the disc that is painted for a particle; see `count_disc_pixels`.
            counted_pixels: pixels of an average micrograph that can be particle or background (valid, no border).
        """
        return PixelPrior(min(self.particles * _factor(core_pixels, counted_pixels), 1.0))

    def to_patches(self, tolerance_pixels: float, valid_centres: float) -> PatchPrior:
        """Particles times the centres that count as hitting one, over all centres a patch may have.

        Args:
            tolerance_pixels: pixels of the disc around a particle within which a patch centre counts as on it.
            valid_centres: pixels of an average micrograph on which a patch may be centred.
        """
        return PatchPrior(min(self.particles * _factor(tolerance_pixels, valid_centres), 1.0))


@dataclass(frozen=True, slots=True)
class PixelPrior:
    """Which share of the counted pixels lies in the core of a particle.

    Args:
        share: in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def to_count(self, core_pixels: float, counted_pixels: float) -> CountPrior:
        """The reverse of `CountPrior.to_pixels`; too few where cores overlap."""
        return CountPrior(self.share / _factor(core_pixels, counted_pixels))

    def without_labelled(self, labelled_share: float) -> PixelPrior:
        """The share among what is left when the labelled particles are taken out; see `take_out_labelled`."""
        return PixelPrior(take_out_labelled(self.share, labelled_share))


@dataclass(frozen=True, slots=True)
class PatchPrior:
    """Which share of patches with random centres is centred on a particle, within the tolerance.

    Args:
        share: in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        _check_share(self.share)

    def to_count(self, tolerance_pixels: float, valid_centres: float) -> CountPrior:
        """The reverse of `CountPrior.to_patches`; too few where discs overlap."""
        return CountPrior(self.share / _factor(tolerance_pixels, valid_centres))

    def without_labelled(self, labelled_share: float) -> PatchPrior:
        """The share among what is left when the labelled particles are taken out; see `take_out_labelled`."""
        return PatchPrior(take_out_labelled(self.share, labelled_share))


def take_out_labelled(share: float, labelled_share: float) -> float:
    """The share of particles among the unlabelled when the labelled ones were taken out of one sample.

    (share - c) / (1 - c), c being the labelled part of the whole sample (Elkan & Noto 2008, doi
    10.1145/1401890.1401920). Not for labels that were drawn apart from the unlabelled things: there nothing changes.

    Args:
        share: of particles in the whole sample, in [0, 1].
        labelled_share: labelled things over all things of the sample, in [0, 1).

    Raises:
        LabelsError: more labelled than there are particles, or a share out of range.
    """
    _check_share(share)
    if not 0 <= labelled_share < 1 or labelled_share > share:
        raise LabelsError(
            f"{labelled_share:.3g} of the sample is labelled, but only {share:.3g} of it are said to be particles",
            where="prior",
            fix="Say more particles a micrograph, or check the labels.",
        )
    return (share - labelled_share) / (1 - labelled_share)


def count_disc_pixels(radius_pixels: float) -> int:
    """Pixels whose centre lies at most a radius from the centre of one pixel.

    Args:
        radius_pixels: at least 0.

    Example:
        >>> [count_disc_pixels(radius) for radius in (1, 3, 8)]
        [5, 29, 197]
    """
    reach = math.floor(radius_pixels)
    return sum(2 * math.floor(math.sqrt(radius_pixels**2 - y**2)) + 1 for y in range(-reach, reach + 1))


def _factor(each: float, of: float) -> float:
    """The share of a micrograph that one particle makes up."""
    if not (0 < each <= of):
        raise LabelsError(
            f"{each:g} pixels for each particle, of {of:g} on a micrograph",
            where="prior",
            fix="Both must be above 0, and a particle smaller than the micrograph.",
        )
    return each / of


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise LabelsError(f"a share of {share:g}", where="prior", fix="Give a number from 0 to 1.")
