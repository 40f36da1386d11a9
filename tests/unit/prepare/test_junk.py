"""Pasting things that are not particles."""

import pytest
import torch

from cryoglean.prepare.junk import add_junk
from cryoglean.prepare.tiles import Crops
from cryoglean.settings import AugmentSettings
from cryoglean.targets import Targets


def make_crops(count: int = 24, side: int = 96) -> Crops:
    generator = torch.Generator().manual_seed(0)
    y = torch.zeros(count, 1, side // 2, side // 2)
    y[..., ::8, ::8] = 1
    images = torch.randn(count, 1, side, side, generator=generator)
    return Crops(images, Targets(y, torch.ones_like(y)), images)


def add(crops: Crops, share: float, seed: int = 1) -> Crops:
    return add_junk(crops, AugmentSettings(junk=share), 20.0, 2, torch.Generator().manual_seed(seed))


def test_no_junk_changes_nothing() -> None:
    crops = make_crops()

    assert add(crops, 0.0) is crops


def test_the_share_of_crops_is_what_was_asked_for() -> None:
    crops = make_crops(200, 32)

    changed = (add(crops, 0.3).images != crops.images).flatten(1).any(1)

    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.1)


def test_a_covered_particle_is_neither_particle_nor_background() -> None:
    crops = make_crops()

    dirty = add(crops, 1.0)

    lost = (crops.targets.y == 1) & (dirty.targets.y == 0)
    assert int(lost.sum()) > 0
    assert float(dirty.targets.w[lost].max()) == 0


def test_junk_counts_as_background_where_a_soft_target_is_almost_nothing() -> None:
    """A teacher's map is never quite 0; ignored under all junk, junk would teach nothing."""
    crops = make_crops()
    soft = Crops(crops.images, Targets(crops.targets.y * 0 + 0.01, crops.targets.w), crops.background)

    dirty = add(soft, 1.0)

    assert int((dirty.targets.y == 0).sum()) > 100
    assert float(dirty.targets.w.min()) == 1


def test_junk_itself_counts_as_background() -> None:
    """Where the picture was changed much and no particle was, y is 0 and w is 1."""
    crops = make_crops()

    dirty = add(crops, 1.0)

    changed = ((dirty.images - crops.images).abs() > 2)[..., ::2, ::2] & (crops.targets.y == 0)
    assert int(changed.sum()) > 100
    assert float(dirty.targets.y[changed].max()) == 0
    assert float(dirty.targets.w[changed].min()) == 1


def test_pictures_stay_finite_and_clipped_and_the_originals_untouched() -> None:
    crops = make_crops()
    before = crops.images.clone()

    dirty = add(crops, 1.0)

    assert torch.equal(crops.images, before)
    assert bool(torch.isfinite(dirty.images).all())
    changed = dirty.images[(dirty.images != crops.images)]
    assert float(changed.abs().max()) <= 5


def test_junk_is_mostly_brighter_as_dirt_is_in_ice() -> None:
    """Particles are bright here; ice crystals, carbon and gold scatter more, so they are brighter still."""
    crops = make_crops(100, 64)

    difference = (add(crops, 1.0).images - crops.images).flatten(1).sum(1)

    assert float((difference > 0).float().mean()) > 0.7


def test_the_generator_decides_everything() -> None:
    first, again, other = (add(make_crops(), 1.0, seed).images for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
