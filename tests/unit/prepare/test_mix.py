"""Mixing crops: picture and targets in step, nothing made up, the seam ignored."""

import pytest
import torch
from torch import Tensor

from cryoglean.prepare.mix import cut_mix
from cryoglean.targets import Targets

COUNT = 40


def marked(side: int, stride: int) -> tuple[Tensor, Targets]:
    """Every pixel says which crop it is of, in the picture, in y and in w, and where it lies."""
    crop = torch.arange(COUNT, dtype=torch.float32)[:, None, None, None]
    place = torch.arange(side * side, dtype=torch.float32).reshape(side, side) / side**2
    images = crop + place
    coarse = place[::stride, ::stride]
    return images, Targets((crop + coarse) / COUNT, (1 + crop - coarse / 2) / COUNT)


def mix(images: Tensor, targets: Targets, share: float = 1.0, seam: float = 0, seed: int = 0) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    stride = -(-images.shape[-1] // targets.y.shape[-1])
    return cut_mix(images, targets, share=share, stride=stride, generator=generator, seam_pixels=seam)


def pasted(images: Tensor, side: int) -> Tensor:
    """(n, y, x) bool: which pixels of a mixed `marked` come from the crop before."""
    place = torch.arange(side * side, dtype=torch.float32).reshape(side, side) / side**2
    source = (images[:, 0] - place).round().to(torch.int64)
    crop = torch.arange(COUNT)[:, None, None]
    assert bool(((source == crop) | (source == (crop - 1) % COUNT)).all())
    return source != crop


@pytest.mark.parametrize(("side", "stride"), [(24, 1), (24, 2), (25, 2), (32, 4)])
def test_picture_and_targets_of_a_pixel_come_from_the_same_place_of_the_same_crop(side: int, stride: int) -> None:
    """checks.md U19: y and w are permuted among crops pixel by pixel, never changed."""
    images, targets = marked(side, stride)

    mixed, said = mix(images, targets)

    is_pasted = pasted(mixed, side)
    coarse = is_pasted[:, None, ::stride, ::stride]
    assert torch.equal(mixed, torch.where(is_pasted[:, None], images.roll(1, 0), images))
    assert torch.equal(said.y, torch.where(coarse, targets.y.roll(1, 0), targets.y))
    assert torch.equal(said.w, torch.where(coarse, targets.w.roll(1, 0), targets.w))


def test_what_is_pasted_is_one_rectangle_of_15_to_40_percent_on_the_grid_of_the_targets() -> None:
    mixed, _ = mix(*marked(96, 2))

    for is_pasted in pasted(mixed, 96):
        rows, columns = is_pasted.any(1).nonzero()[:, 0], is_pasted.any(0).nonzero()[:, 0]
        box = is_pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert bool(box.all())
        assert {int(rows[0]) % 2, int(columns[0]) % 2, box.shape[0] % 2, box.shape[1] % 2} == {0}
        assert 0.13 < box.numel() / 96**2 < 0.42


def test_rectangles_lie_anywhere() -> None:
    """Every pixel is pasted somewhere and left somewhere, over eight times 40 crops."""
    mixed = [mix(*marked(24, 1), seed=seed)[0] for seed in range(8)]

    share = torch.cat([pasted(each, 24) for each in mixed]).float().mean(0)

    assert float(share.min()) > 0
    assert float(share.max()) < 0.95


@pytest.mark.parametrize("seam", [1, 2, 4])
def test_w_is_0_exactly_along_the_seam(seam: int) -> None:
    """Against the corners of all pixels between which the source changes; the crop's own rim is no seam."""
    images, targets = marked(24, 1)

    mixed, said = mix(images, targets, seam=seam)

    kept = mix(images, targets)[1]
    centre = torch.stack(torch.meshgrid(torch.arange(24) + 0.5, torch.arange(24) + 0.5, indexing="ij"), dim=-1)
    for is_pasted, w, unseamed in zip(pasted(mixed, 24), said.w[:, 0], kept.w[:, 0], strict=True):
        upright = (is_pasted[:, 1:] != is_pasted[:, :-1]).nonzero() + torch.tensor([0, 1])
        level = (is_pasted[1:] != is_pasted[:-1]).nonzero() + torch.tensor([1, 0])
        ends = torch.cat([upright, upright + torch.tensor([1, 0]), level, level + torch.tensor([0, 1])])
        near = ((centre[:, :, None] - ends).abs().amax(-1) < seam).any(-1)
        assert torch.equal(w, unseamed.masked_fill(near, 0))
    assert torch.equal(said.y, kept.y)


def test_the_share_of_crops_is_what_was_asked_for() -> None:
    counts = [pasted(mix(*marked(16, 1), share=0.3, seed=seed)[0], 16).flatten(1).any(1) for seed in range(10)]

    assert float(torch.cat(counts).float().mean()) == pytest.approx(0.3, abs=0.08)


def test_a_crop_that_is_not_chosen_stays_as_it_is() -> None:
    images, targets = marked(16, 1)

    mixed, said = mix(images, targets, share=0.5, seam=2)

    same = ~pasted(mixed, 16).flatten(1).any(1)
    assert 0 < int(same.sum()) < COUNT
    assert torch.equal(said.w[same], targets.w[same])


@pytest.mark.parametrize(("count", "share"), [(COUNT, 0.0), (1, 1.0)])
def test_no_share_or_a_single_crop_changes_nothing(count: int, share: float) -> None:
    images, targets = marked(16, 1)
    some = Targets(targets.y[:count], targets.w[:count])

    mixed, said = mix(images[:count], some, share=share, seam=2)

    assert torch.equal(mixed, images[:count])
    assert torch.equal(said.w, some.w)


def test_the_generator_decides_everything_and_the_given_crops_stay_as_they_are() -> None:
    images, targets = marked(16, 1)
    before, w = images.clone(), targets.w.clone()

    first, again, other = (mix(images, targets, seam=2, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1].w, again[1].w)
    assert not torch.equal(first[0], other[0])
    assert torch.equal(images, before)
    assert torch.equal(targets.w, w)
