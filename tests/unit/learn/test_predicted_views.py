"""Single views of a map and of crops, the ramp of unlabelled terms, and what a teacher must average."""

import math

import pytest
import torch
from torch import Tensor, nn

from cryoglean.learn.hardware import Hardware
from cryoglean.learn.picker import build_network
from cryoglean.learn.predict import predict_crops, predict_map, predict_views
from cryoglean.learn.schedule import ramp_up
from cryoglean.learn.teacher import AveragedNetwork
from cryoglean.settings import ModelSettings

CPU = Hardware(torch.device("cpu"), half=False)
SHAPES = [(40, 40), (41, 41), (40, 51), (33, 46)]


class Round(nn.Module):
    """Every `stride`-th pixel of a smoothed picture: the kernel has the symmetry of the square."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.smooth = nn.Conv2d(1, 1, 3, padding=1, stride=stride, bias=False)
        kernel = torch.tensor([[0.1, 0.2, 0.1], [0.2, 0.5, 0.2], [0.1, 0.2, 0.1]])
        self.smooth.weight.data = kernel[None, None]

    def forward(self, image: Tensor) -> Tensor:
        smooth: Tensor = self.smooth(image)
        return smooth


class Slanted(Round):
    """The same with a kernel that has no symmetry."""

    def __init__(self, stride: int) -> None:
        super().__init__(stride)
        self.smooth.weight.data = torch.linspace(-1, 1, 9).reshape(1, 1, 3, 3) ** 3


def trained_network() -> nn.Module:
    """One whose normalisation has seen pictures."""
    generator = torch.Generator().manual_seed(1)
    network = build_network(ModelSettings(name="lean"), seed=1)
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(2, 1, 32, 32, generator=generator))
    return network.eval()


def pictures(shape: tuple[int, int], count: int = 3) -> Tensor:
    return torch.randn(count, 1, *shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("views", [1, 2, 4, 8])
@pytest.mark.parametrize("tile_pixels", [2048, 24])
def test_the_map_is_the_mean_of_its_views(views: int, tile_pixels: int) -> None:
    network, image = Slanted(2), pictures((40, 51))[0, 0]

    each = list(predict_views(network, image, CPU, stride=2, views=views, tile_pixels=tile_pixels))
    whole = predict_map(network, image, CPU, stride=2, views=views, tile_pixels=tile_pixels)

    assert len(each) == views
    torch.testing.assert_close(torch.stack(each).mean(0), whole)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_with_the_symmetry_of_the_square_says_the_same_in_all_views(
    shape: tuple[int, int], stride: int
) -> None:
    image = pictures(shape)[0, 0]

    first, *others = predict_views(Round(stride), image, CPU, stride=stride, views=8)

    assert first.shape == (-(-shape[0] // stride), -(-shape[1] // stride))
    for other in others:
        torch.testing.assert_close(other, first)


def test_a_network_without_it_says_something_else_in_each() -> None:
    each = torch.stack(list(predict_views(Slanted(2), pictures((40, 40))[0, 0], CPU, stride=2, views=8)))

    apart = (each[:, None] - each[None]).abs().amax((-2, -1)) + torch.eye(8)
    assert float(apart.min()) > 0.01


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [32, 33])
def test_all_views_of_a_crop_fall_on_the_same_pixels(side: int, stride: int) -> None:
    said = predict_crops(Round(stride), pictures((side, side)), CPU, stride=stride, views=8)

    assert said.shape == (8, 3, 1, -(-side // stride), -(-side // stride))
    torch.testing.assert_close(said, said[:1].expand_as(said))


@pytest.mark.parametrize(("views", "side"), [(1, 33), (2, 32), (4, 32), (8, 32), (8, 33)])
def test_crops_are_predicted_as_micrographs_are(views: int, side: int) -> None:
    """In one batch, in evaluation mode, as each alone; view by view, in the same order."""
    network, images = trained_network(), pictures((side, side))

    said = predict_crops(network, images, CPU, stride=2, views=views)

    for image, crop in zip(images, said.transpose(0, 1), strict=True):
        each = torch.stack(list(predict_views(network, image[0], CPU, stride=2, views=views)))
        torch.testing.assert_close(crop[:, 0], each, atol=1e-5, rtol=1e-4)
        whole = predict_map(network, image[0], CPU, stride=2, views=views)
        torch.testing.assert_close(crop.mean(0)[0], whole, atol=1e-5, rtol=1e-4)


def test_probabilities_need_no_gradient_and_lie_between_0_and_1() -> None:
    said = predict_crops(trained_network(), pictures((32, 32)) * 100, CPU, stride=2, views=2)

    assert not said.requires_grad
    assert 0 <= float(said.min()) <= float(said.max()) <= 1


@pytest.mark.parametrize(
    ("time", "weight"),
    [(0.0, 0.0), (0.199, 0.0), (0.2, math.exp(-5)), (0.3, math.exp(-1.25)), (0.4, 1.0), (0.99, 1.0)],
)
def test_an_unlabelled_term_waits_then_grows_then_counts_fully(time: float, weight: float) -> None:
    """Laine & Aila 2017 (arXiv 1610.02242): exp(-5 (1 - u)^2)."""
    assert ramp_up(time) == pytest.approx(weight)


def test_the_ramp_never_falls() -> None:
    weights = [ramp_up(step / 500) for step in range(500)]

    assert weights == sorted(weights)


def test_a_ramp_without_rise_is_a_step_and_one_without_burn_in_starts_at_once() -> None:
    assert (ramp_up(0.29, 0.3, 0.0), ramp_up(0.31, 0.3, 0.0)) == (0.0, 1.0)
    assert ramp_up(0.0, 0.0, 0.5) == pytest.approx(math.exp(-5))


def test_a_teacher_with_the_statistics_of_its_first_step_is_far_from_the_student() -> None:
    """checks.md U7: what averaging the buffers too is good for; the gap with them is 50 times smaller."""
    generator = torch.Generator().manual_seed(0)
    student = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    teacher = AveragedNetwork(student, 0.9)
    without = AveragedNetwork(student, 0.9).network
    for step in range(200):
        student(torch.randn(8, 1, 8, 8, generator=generator) * 3 + 5)
        teacher.update(student, step)
    without.load_state_dict(dict(teacher.network.named_parameters()), strict=False)
    picture = torch.randn(4, 1, 8, 8, generator=generator) * 3 + 5

    with torch.no_grad():
        told = student.eval()(picture)
        near, far = ((each(picture) - told).abs().mean() for each in (teacher.network, without))

    assert float(far) > 0.2
    assert float(near) < 0.02 * float(far)
