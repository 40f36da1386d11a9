"""Cutting and varying crops: geometry shared by picture and targets, looks varied, all decided by the generator."""

import numpy as np
import pytest
import torch

from cryoglean.prepare.augment import vary_look
from cryoglean.prepare.tiles import LearnedMicrograph, cut_crops
from cryoglean.settings import AugmentSettings, LearnSettings

LEARN = LearnSettings(batch=6, crop_pixels=64)


def spots(side: int = 300) -> LearnedMicrograph:
    """A picture that is its own target: Gaussian spots."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(20, side - 20, size=(60, 2))
    y, x = np.mgrid[:side, :side]
    image = np.zeros((side, side))
    for centre in xy:
        image += np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 4.0**2))
    picture = torch.from_numpy(image.clip(0, 1).astype(np.float32))
    return LearnedMicrograph("one", picture, picture.clone(), torch.ones(side, side), xy)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("rotate", [True, False])
def test_picture_and_targets_are_turned_mirrored_and_scaled_alike(stride: int, *, rotate: bool) -> None:
    """The picture is its own target: at every stride-th pixel they agree, where both are on the micrograph."""
    augment = AugmentSettings(rotate=rotate, scale=0.08)

    crops = cut_crops([spots()], LEARN, augment, stride, generator())

    inside = crops.targets.w > 0.999
    error = (crops.images[..., ::stride, ::stride] - crops.targets.y).abs()[inside]
    assert float(inside.float().mean()) > 0.5
    assert float(error.max()) < 0.05  # bicubic against bilinear


def test_turned_by_right_angles_nothing_is_interpolated() -> None:
    micrograph = spots()
    noise = torch.randn(300, 300, generator=generator(5))
    noisy = LearnedMicrograph("one", noise, micrograph.y, micrograph.w, micrograph.xy)

    crops = cut_crops([noisy], LEARN, AugmentSettings(rotate=False, scale=0.0), 2, generator())

    inner = crops.images[crops.targets.w.repeat_interleave(2, 2).repeat_interleave(2, 3) > 0.999]
    nearest = (inner[:200, None] - noise.flatten()[None]).abs().min(dim=1).values
    assert float(nearest.max()) < 1e-3


def test_beyond_the_edge_nothing_counts() -> None:
    side = 70
    picture = torch.ones(side, side)
    learned = LearnedMicrograph("one", picture, picture, picture, np.empty((0, 2)))

    crops = cut_crops([learned], LEARN, AugmentSettings(), 2, generator())

    assert float(crops.targets.w.min()) == 0
    assert float(crops.targets.w.max()) == pytest.approx(1)


def test_the_generator_decides_everything() -> None:
    first, again, other = (cut_crops([spots()], LEARN, AugmentSettings(), 2, generator(seed)) for seed in (1, 1, 2))

    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets.y, again.targets.y)
    assert not torch.equal(first.images, other.images)


def test_crops_near_particles_hold_particles() -> None:
    learn = LearnSettings(batch=8, crop_pixels=32, near_particles=1.0)
    one = spots()
    lonely = LearnedMicrograph("one", one.image, one.y, one.w, one.xy[:1])

    crops = cut_crops([lonely], learn, AugmentSettings(), 2, generator())

    assert bool((crops.targets.y.flatten(1).max(dim=1).values > 0.5).all())


def make_crops() -> object:
    return cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())


def test_looks_are_varied_reproducibly_and_stay_finite() -> None:
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())

    first, again = (vary_look(crops, AugmentSettings(), 20.0, generator(3)) for _ in range(2))

    assert torch.equal(first, again)
    assert bool(torch.isfinite(first).all())
    assert not torch.equal(first, crops.images)


def test_strength_zero_changes_nothing() -> None:
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())

    assert torch.equal(vary_look(crops, AugmentSettings(strength=0.0), 20.0, generator()), crops.images)


@pytest.mark.parametrize("name", ["contrast", "noise", "spectrum", "cutout", "background", "low_frequencies"])
def test_each_variation_matters_by_itself(name: str) -> None:
    """A setting that changes nothing is a bug."""
    off = dict.fromkeys(("contrast", "noise", "spectrum", "cutout", "background"), 0.0)
    needed = {"background": {"noise": 0.5}}.get(name, {})
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())

    without = vary_look(crops, AugmentSettings(**{**off, **needed}), 20.0, generator())
    varied = vary_look(crops, AugmentSettings(**{**off, **needed, name: 0.6}), 20.0, generator())

    assert not torch.equal(varied, without)


def test_contrast_is_never_inverted() -> None:
    """Particles stay brighter than their surroundings in every varied crop."""
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())

    varied = vary_look(crops, AugmentSettings(noise=0.0, cutout=0.0, background=0.0), 20.0, generator(7))

    inside, outside = crops.images > 0.8, crops.images < 0.05
    for picture, bright, dark in zip(varied, inside, outside, strict=True):
        assert float(picture[bright].mean()) > float(picture[dark].mean())


def test_noise_added_from_elsewhere_has_that_places_spectrum() -> None:
    """A background that is one wave gives added noise of one wave, with a random phase."""
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())
    x = torch.arange(64) / 64
    stripes = torch.cos(2 * torch.pi * 8 * x).expand(6, 1, 64, 64)
    still = type(crops)(torch.zeros_like(crops.images), crops.targets, stripes)
    settings = AugmentSettings(contrast=0, spectrum=0, cutout=0, background=1.0, noise=0.5)
    white = AugmentSettings(contrast=0, spectrum=0, cutout=0, background=0.0, noise=0.5)

    added = vary_look(still, settings, 20.0, generator(2))

    power = torch.fft.rfft2(added).abs().mean(dim=(0, 1))
    other = torch.fft.rfft2(vary_look(still, white, 20.0, generator(2))).abs().mean(dim=(0, 1))
    assert float(power[0, 8]) > 5 * float(power.median())
    assert float(other[0, 8]) < 5 * float(other.median())


def test_swapped_low_frequencies_are_those_of_the_other_place_and_the_others_stay() -> None:
    """Amplitudes below 0.03 of the sampling rate come from the background, all phases stay."""
    crops = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())
    settings = AugmentSettings(contrast=0, noise=0, spectrum=0, cutout=0, background=0, low_frequencies=1)

    before, other, after = (
        torch.fft.rfft2(images)
        for images in (crops.images, crops.background, vary_look(crops, settings, 20.0, generator()))
    )

    torch.testing.assert_close(after.abs()[..., 0, 1], other.abs()[..., 0, 1], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(after[..., 5:20, 5:20], before[..., 5:20, 5:20], rtol=1e-3, atol=1e-2)


def test_crops_do_not_depend_on_the_precision_of_the_network() -> None:
    """Positions in bfloat16 would be wrong by a third of a pixel."""
    plain = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = cut_crops([spots()], LEARN, AugmentSettings(), 2, generator())

    assert torch.equal(plain.images, inside.images)
    assert torch.equal(plain.targets.y, inside.targets.y)


def test_crops_stay_mostly_inside_the_micrograph() -> None:
    """Their centres keep 0.4 of a side from the edge."""
    edge = spots()
    at_the_edge = LearnedMicrograph("one", edge.image, edge.y, edge.w, np.array([[1.0, 1.0], [298.0, 298.0]]))

    crops = cut_crops([at_the_edge], LearnSettings(batch=16, crop_pixels=64), AugmentSettings(), 2, generator())

    assert float((crops.targets.w > 0).float().mean()) > 0.7
