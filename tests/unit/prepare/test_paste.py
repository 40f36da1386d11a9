"""Pasting labelled particles into labelled background."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from torch import Tensor

from cryoglean.prepare.paste import Stamps, cut_stamps, paste_particles
from cryoglean.prepare.targets import paint_discs
from cryoglean.prepare.tiles import Crops, LearnedMicrograph
from cryoglean.settings import TargetSettings
from cryoglean.targets import Targets

DIAMETER = 10.0
SIDE = 15  # of a stamp: 0.7 diameters to each side
SETTINGS = TargetSettings()


def learned(xy: list[tuple[float, float]], side: int = 80) -> LearnedMicrograph:
    """A picture whose pixels are all different."""
    centres = np.array(xy, dtype=np.float64).reshape(-1, 2)
    y, w = paint_discs(centres, (side, side), DIAMETER, SETTINGS)
    image = torch.arange(side * side, dtype=torch.float32).reshape(side, side)
    return LearnedMicrograph("one", image, torch.from_numpy(y), torch.from_numpy(w), centres)


def stamps(count: int = 3, height: float = 20.0, side: int = SIDE) -> Stamps:
    """Bright dots, brighter from one to the next, on noise of deviation 1."""
    generator = torch.Generator().manual_seed(9)
    pictures = torch.randn(count, side, side, generator=generator)
    pictures[:, side // 2, side // 2] = height * (1 + torch.arange(count))
    return Stamps(pictures, DIAMETER)


def noise(count: int = 6, side: int = 96, stride: int = 2) -> Crops:
    images = torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(0))
    coarse = -(-side // stride)
    targets = Targets(torch.zeros(count, 1, coarse, coarse), torch.ones(count, 1, coarse, coarse))
    return Crops(images, targets, images.flip(-1))


def paste(crops: Crops, share: float = 1.0, stride: int = 2, seed: int = 1, made: Stamps | None = None) -> Crops:
    generator = torch.Generator().manual_seed(seed)
    return paste_particles(
        crops, stamps() if made is None else made, share=share, settings=SETTINGS, stride=stride, generator=generator
    )


def dots(image: Tensor) -> NDArray[np.float64]:
    """(n, 2) x, y of the middle pixels of pasted stamps."""
    rows, columns = np.nonzero(image.numpy() > 10)
    return np.stack([columns, rows], axis=1).astype(np.float64)


def test_a_stamp_has_its_particle_in_the_middle() -> None:
    micrograph = learned([(30.4, 41.6)])

    cut = cut_stamps([micrograph], DIAMETER)

    assert cut.pictures.shape == (1, SIDE, SIDE)
    assert torch.equal(cut.pictures[0], micrograph.image[42 - 7 : 42 + 8, 30 - 7 : 30 + 8])


def test_particles_at_the_edge_are_not_cut() -> None:
    micrograph = learned([(6, 20), (7, 50), (30, 73), (60, 72), (73, 30), (40, 6)])

    cut = cut_stamps([micrograph], DIAMETER)

    assert [int(picture[7, 7]) for picture in cut.pictures] == [50 * 80 + 7, 72 * 80 + 60]


def test_particles_that_do_not_count_are_not_cut() -> None:
    micrograph = learned([(20, 20), (60, 60)])
    micrograph.w[:, :40] = 0

    cut = cut_stamps([micrograph], DIAMETER)

    assert [int(picture[7, 7]) for picture in cut.pictures] == [60 * 80 + 60]


def test_crowded_particles_are_cut_only_when_there_is_no_other() -> None:
    pair, lonely = learned([(20, 20), (29, 20)]), learned([(50, 50)])

    both, crowded = cut_stamps([pair, lonely], DIAMETER), cut_stamps([pair], DIAMETER)

    assert [int(picture[7, 7]) for picture in both.pictures] == [50 * 80 + 50]
    assert len(crowded) == 2


@pytest.mark.parametrize("micrographs", [[], [learned([])]])
def test_without_particles_there_are_no_stamps_and_crops_stay_as_they_are(
    micrographs: list[LearnedMicrograph],
) -> None:
    cut, crops = cut_stamps(micrographs, DIAMETER), noise()

    assert cut.pictures.shape == (0, SIDE, SIDE)
    assert paste(crops, made=cut) is crops


def test_a_share_of_nothing_changes_nothing() -> None:
    crops = noise()

    assert paste(crops, share=0.0) is crops


def test_the_share_of_crops_is_what_was_asked_for() -> None:
    crops = noise(200, 32)

    changed = (paste(crops, 0.3).targets.y > 0).flatten(1).any(1)

    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.1)


def test_a_crop_gets_one_to_four_particles() -> None:
    pasted = paste(noise(60, 160))

    assert {len(dots(image[0])) for image in pasted.images} == {1, 2, 3, 4}


@pytest.mark.parametrize(("stride", "side"), [(1, 96), (2, 96), (2, 97), (4, 96)])
def test_targets_are_those_that_a_labelled_particle_there_would_have(stride: int, side: int) -> None:
    """Against `paint_discs` on the whole crop, with the places read from the picture."""
    pasted = paste(noise(12, side, stride), stride=stride)

    for image, y, w in zip(pasted.images, pasted.targets.y, pasted.targets.w, strict=True):
        painted = paint_discs(dots(image[0]), (side, side), DIAMETER, SETTINGS)
        assert np.array_equal(y[0].numpy(), painted[0][::stride, ::stride])
        assert np.array_equal(w[0].numpy(), painted[1][::stride, ::stride])


def test_particles_are_pasted_at_every_offset_of_the_stride() -> None:
    pasted = paste(noise(60))

    places = np.concatenate([dots(image[0]) for image in pasted.images])
    assert {(int(x) % 2, int(y) % 2) for x, y in places} == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("stride", [1, 2])
def test_around_a_paste_all_was_labelled_background(stride: int) -> None:
    """Within 0.8 diameters, against the distance to every pixel that was none; what was there is kept."""
    crops = noise(20, 96, stride)
    generator = torch.Generator().manual_seed(3)
    taken = torch.rand(crops.targets.y.shape, generator=generator) < 0.01 * stride**2 / 4
    ignored = torch.rand(crops.targets.y.shape, generator=generator) < 0.01 * stride**2 / 4
    before = Crops(crops.images, Targets(taken.float() * 0.3, 1 - ignored.float()), crops.background)

    after = paste(before, stride=stride)

    count = 0
    for crop, image in enumerate(after.images):
        rows, columns = np.nonzero((taken | ignored)[crop, 0].numpy())
        blocked = np.stack([columns, rows], axis=1) * stride
        for place in dots(image[0]):
            count += 1
            assert np.hypot(*(blocked - place).T).min() > 0.8 * DIAMETER
    assert count > 10
    assert torch.equal(after.targets.y[taken], before.targets.y[taken])
    assert float(after.targets.w[ignored].max()) == 0


def test_pasted_particles_keep_off_each_other_and_off_the_edge() -> None:
    pasted = paste(noise(60, 64))

    places = [dots(image[0]) for image in pasted.images]
    assert min(pdist(each).min() for each in places if len(each) > 1) > 1.5 * DIAMETER
    assert all(((each >= 0.8 * DIAMETER) & (each <= 63 - 0.8 * DIAMETER)).all() for each in places)


def test_without_room_nothing_is_pasted() -> None:
    crops = noise()
    crops.targets.w[..., ::4, ::4] = 0

    pasted = paste(crops)

    assert torch.equal(pasted.images, crops.images)
    assert torch.equal(pasted.targets.y, crops.targets.y)


def test_the_picture_changes_within_the_mask_only() -> None:
    crops = noise()

    pasted = paste(crops)

    grid = np.stack(np.meshgrid(np.arange(96), np.arange(96)), axis=-1)
    for old, new in zip(crops.images[:, 0], pasted.images[:, 0], strict=True):
        distance = np.min([np.hypot(*(grid - place).transpose(2, 0, 1)) for place in dots(new)], axis=0)
        assert torch.equal(old[distance >= 0.7 * DIAMETER], new[distance >= 0.7 * DIAMETER])
        assert bool((old != new)[distance < 0.65 * DIAMETER].all())


def test_inside_half_a_diameter_nothing_of_the_old_picture_shines_through() -> None:
    """Two crops whose pixels there differ, but not in mean and deviation, look alike after the paste."""
    crops = noise(1)
    mirrored = Crops(crops.images.flip(-1), crops.targets, crops.background)
    flat = Stamps(torch.zeros(1, SIDE, SIDE), DIAMETER)
    flat.pictures[0, 7, 7] = 1000.0

    for each in (crops, mirrored):
        pasted = paste(each, made=flat)
        x, y = dots(pasted.images[0, 0])[0].astype(int)
        inner = pasted.images[0, 0, y - 3 : y + 4, x - 3 : x + 4].flatten()
        assert float(torch.cat([inner[:24], inner[25:]]).std()) < 1e-5


def test_a_paste_takes_mean_and_deviation_of_its_place() -> None:
    """Stamps of noise with mean 50 and deviation 7 vanish in noise with mean -3 and deviation 5."""
    crops = noise(60, stride=1)
    place = Crops(crops.images * 5 - 3, crops.targets, crops.background)
    bland = Stamps(50 + 7 * torch.randn(30, SIDE, SIDE, generator=torch.Generator().manual_seed(2)), DIAMETER)

    pasted = paste(place, stride=1, made=bland)

    is_changed = pasted.images != place.images
    fading = is_changed & (pasted.targets.y == 0) & (pasted.targets.w == 1)  # beyond the ring of half a diameter
    for zone in (is_changed & ~fading, fading):
        assert int(zone.sum()) > 5000
        assert float(pasted.images[zone].mean()) == pytest.approx(-3, abs=0.3)
        assert float(pasted.images[zone].std()) == pytest.approx(5, rel=0.08)


def test_all_eight_views_of_a_stamp_are_pasted() -> None:
    picture = stamps(1).pictures[0]
    picture[7, 7], picture[5, 6] = 1000.0, 400.0

    pasted = paste(noise(60), made=Stamps(picture[None], DIAMETER))

    seen = set()
    for image in pasted.images[:, 0]:
        for x, y in dots(image.where(image > 700, 0)).astype(int):
            around = image[y - 3 : y + 4, x - 3 : x + 4]
            seen.add(int(around.flatten().topk(2).indices[1]))
    assert len(seen) == 8


def test_all_stamps_are_used() -> None:
    pasted = paste(noise(40), made=stamps(3, 1000.0))

    heights = {int(height / 700) for height in pasted.images[pasted.images > 500].tolist()}
    assert len(heights) >= 3


def test_a_gaussian_target_is_painted_and_nothing_ignored() -> None:
    generator = torch.Generator().manual_seed(0)
    settings = TargetSettings(shape="gaussian")

    pasted = paste_particles(noise(1, stride=1), stamps(), share=1.0, settings=settings, stride=1, generator=generator)

    painted, _ = paint_discs(dots(pasted.images[0, 0]), (96, 96), DIAMETER, settings)
    np.testing.assert_allclose(pasted.targets.y[0, 0].numpy(), painted, atol=1e-4)
    assert float(pasted.targets.w.min()) == 1


def test_the_generator_decides_everything_and_the_given_crops_stay_as_they_are() -> None:
    crops = noise()
    image, y = crops.images.clone(), crops.targets.y.clone()

    first, again, other = (paste(crops, 0.7, seed=seed) for seed in (1, 1, 2))

    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets.w, again.targets.w)
    assert not torch.equal(first.images, other.images)
    assert torch.equal(crops.images, image)
    assert torch.equal(crops.targets.y, y)
