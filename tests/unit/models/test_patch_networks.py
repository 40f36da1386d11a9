"""The networks for patches: a patch is judged as the whole micrograph is judged at its centre."""

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from cryoglean.learn.hardware import Hardware
from cryoglean.learn.predict import predict_views
from cryoglean.models import resnet18_patch, small_cnn_patch

CPU = Hardware(torch.device("cpu"), half=False)
CARDS = [small_cnn_patch, resnet18_patch]


def experienced(card: ModuleType) -> nn.Module:
    """A network whose normalisation has seen pictures, and whose logits have a deviation of 1."""
    torch.manual_seed(0)
    network: nn.Module = card.build(card.Settings())
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(4, 1, 48, 48) * 1.5)
        network.head.weight.div_(network.eval()(torch.randn(1, 1, 128, 128)).std())  # type: ignore[operator, union-attr]
    return network


def reach(network: nn.Module, side: int = 401) -> tuple[int, int]:
    """How far to the left and to the right of its pixel a logit sees: where the gradient of one logit is not 0."""
    picture = torch.zeros(1, 1, side, side, requires_grad=True)
    middle = side // 2 // 4
    network(picture)[0, 0, middle, middle].backward()
    columns = (picture.grad != 0).any(dim=2).nonzero()[:, -1]  # type: ignore[union-attr]
    return 4 * middle - int(columns.min()), int(columns.max()) - 4 * middle


def test_the_small_network_sees_41_pixels_and_no_other() -> None:
    assert reach(experienced(small_cnn_patch)) == (20, 20)


def test_the_residual_network_sees_as_far_as_the_arithmetic_says() -> None:
    """5 x 5 at every pixel: 2; 3 x 3 at every 2nd: 2; eight convolutions of reach 1, eight of 2 and a mean at 4 px."""
    assert reach(experienced(resnet18_patch)) == (104, 104)


@pytest.mark.parametrize("side", [41, 48, 49])
@torch.no_grad()
def test_a_patch_says_at_its_centre_what_the_whole_picture_says_there(side: int) -> None:
    network, picture = experienced(small_cnn_patch), torch.randn(1, 1, 200, 240)
    whole = network(picture)
    centres = [(y, x) for y in range(40, 160, 28) for x in range(40, 200, 36)]
    half = side // 2

    for y, x in centres:
        patch = picture[..., y - half : y - half + side, x - half : x - half + side]
        said = network(patch)[0, 0, half // 4, half // 4]

        torch.testing.assert_close(said, whole[0, 0, y // 4, x // 4], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_patch_of_the_residual_network_says_nearly_the_same() -> None:
    network, picture = experienced(resnet18_patch), torch.randn(1, 1, 200, 240)
    whole = network(picture)
    pairs = [
        (network(picture[..., y - 24 : y + 24, x - 24 : x + 24])[0, 0, 6, 6], whole[0, 0, y // 4, x // 4])
        for y in range(40, 160, 12)
        for x in range(40, 200, 12)
    ]

    said, there = torch.tensor(pairs).T

    assert float(torch.corrcoef(torch.stack([said, there]))[0, 1]) > 0.9


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("shape", [(40, 40), (41, 53), (50, 47)])
def test_with_kernels_of_the_squares_symmetry_all_eight_views_agree(card: ModuleType, shape: tuple[int, int]) -> None:
    """Which they only do when every stride of the network keeps pixel 0 and pixel length - 1 in place."""
    network = experienced(card)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            turned = [torch.rot90(module.weight.data, turn, (2, 3)) for turn in range(4)]
            module.weight.data = torch.stack([*turned, *(each.flip(-1) for each in turned)]).mean(0)

    first, *others = predict_views(network, torch.randn(shape), CPU, stride=4, views=8)

    assert float(first.std()) > 1e-3
    for other in others:
        torch.testing.assert_close(other, first, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("card", "low", "high"), [(small_cnn_patch, 50_000, 100_000), (resnet18_patch, 200_000, 400_000)]
)
def test_it_has_as_many_weights_as_its_docstring_says(card: ModuleType, low: int, high: int) -> None:
    count = sum(weight.numel() for weight in card.build(card.Settings()).parameters())

    assert low < count < high
    assert f"{count:,}".replace(",", " ") in str(card.__doc__)


def test_the_widths_of_the_paper_give_the_weights_of_the_paper() -> None:
    """He 2015, table 1; torchvision's has 11.69 million with the last layer for 1000 classes (0.51 million).

    Ours has another stem and another last layer, which differ by less than 0.1 million.
    """
    network = resnet18_patch.build(resnet18_patch.Settings(widths=(64, 128, 256, 512)))

    count = sum(weight.numel() for weight in network.parameters())

    assert count == pytest.approx(11.18e6, abs=0.1e6)
    assert sum(isinstance(module, resnet18_patch.Block) for module in network.modules()) == 8


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 8, 8, 8, 8)])
def test_another_number_of_widths_is_refused(card: ModuleType, widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="widths"):
        card.Settings(widths=widths)


@pytest.mark.parametrize("card", CARDS)
def test_bright_middles_are_learned_from_patches_and_found_on_a_picture(card: ModuleType) -> None:
    """Trained on patches of 48 pixels alone, the map of a larger picture is highest at the particle."""
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    network = card.build(card.Settings(widths=(8, 8, 8, 8)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(40):
        patches, y = _patches(generator)
        loss = nn.functional.binary_cross_entropy_with_logits(network(patches)[:, 0, 6, 6], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    picture = torch.randn(1, 1, 120, 160, generator=generator)
    picture[..., 63:74, 95:106] += 2.0  # centre at y 68, x 100

    place = int(network.eval()(picture)[0, 0].argmax())

    assert abs(place // 40 - 17) <= 1
    assert abs(place % 40 - 25) <= 1


def _patches(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """16 patches of noise, every second with a bright square around the centre (24, 24)."""
    patches = torch.randn(16, 1, 48, 48, generator=generator)
    y = torch.arange(16) % 2
    patches[y == 1, :, 19:30, 19:30] += 2.0
    patches[(y == 0).nonzero()[::2, 0], :, 0:11, 30:41] += 2.0  # and some beside it, which are no particles
    return patches, y.to(torch.float32)
