"""What every model card promises."""

from types import ModuleType

import pytest
import torch
from torch import nn

from cryoglean.learn.checkpoint import load_tensors, save_tensors
from cryoglean.learn.folding import fold_normalisation
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.predict import predict_map
from cryoglean.learn.start import take_weights
from cryoglean.registry import card_names, load_card


@pytest.fixture(params=card_names("models"))
def card(request: pytest.FixtureRequest) -> ModuleType:
    return load_card("models", request.param)


def build(card: ModuleType) -> nn.Module:
    torch.manual_seed(0)
    return card.build(card.Settings())


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (33, 128), (40, 40)])
def test_logits_have_the_shape_of_the_picture_over_the_stride(card: ModuleType, shape: tuple[int, int]) -> None:
    network = build(card).eval()

    logits = network(torch.randn(2, 1, *shape))

    assert logits.shape == (2, 1, -(-shape[0] // card.STRIDE), -(-shape[1] // card.STRIDE))


def test_the_gradient_reaches_every_weight(card: ModuleType) -> None:
    network = build(card)

    network(torch.randn(2, 1, 64, 64)).square().mean().backward()

    dead = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().sum()]
    assert dead == []


def test_the_state_survives_a_file(card: ModuleType, tmp_path: object) -> None:
    first, second = build(card).eval(), build(card).eval()
    nn.init.normal_(next(second.parameters()))
    path = tmp_path / "weights.safetensors"  # type: ignore[operator]

    save_tensors(path, dict(first.state_dict()), {"a": 1})
    tensors, facts = load_tensors(path)
    second.load_state_dict(tensors)

    picture = torch.randn(1, 1, 48, 48)
    assert torch.equal(first(picture), second(picture))
    assert facts == {"a": 1}


def test_a_shift_of_the_picture_shifts_the_logits(card: ModuleType) -> None:
    """A shift by a multiple of all pooling steps, seen far from the edges."""
    network = build(card).eval()
    picture = torch.randn(1, 1, 256, 256)

    shifted = network(torch.roll(picture, (32, 32), dims=(2, 3)))
    still = torch.roll(network(picture), (32 // card.STRIDE, 32 // card.STRIDE), dims=(2, 3))

    inner = (..., slice(60, -60), slice(60, -60))
    torch.testing.assert_close(shifted[inner], still[inner], atol=1e-4, rtol=1e-3)


def test_an_untrained_network_says_the_prior(card: ModuleType) -> None:
    network = build(card).eval()

    probability = torch.sigmoid(network(torch.randn(4, 1, 96, 96)))

    assert float(probability.mean()) == pytest.approx(0.04, abs=0.03)


def test_a_spot_in_the_middle_can_be_learned_where_it_is(card: ModuleType) -> None:
    """After a few steps on one spot the highest logit is there: (j, i) speaks of pixel (stride j, stride i)."""
    network = build(card)
    picture = torch.zeros(1, 1, 96, 96)
    picture[..., 30:37, 50:57] = 3.0
    truth = torch.zeros(1, 1, 96 // card.STRIDE, 96 // card.STRIDE)
    row, column = 33 // card.STRIDE, 53 // card.STRIDE
    truth[..., row, column] = 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(network(picture), truth, pos_weight=torch.tensor(50.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    place = int(network(picture).flatten().argmax())

    assert abs(place // truth.shape[-1] - row) <= 1
    assert abs(place % truth.shape[-1] - column) <= 1


def experienced(card: ModuleType) -> nn.Module:
    """A network whose normalisation has seen pictures, and whose logits have a deviation of 1."""
    network = build(card)
    head = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(2, 1, 64, 64) * 2 + 1)
        head.weight.div_(network.eval()(torch.randn(1, 1, 128, 128)).std())
    return network


def test_its_normalisation_can_be_folded_away(card: ModuleType) -> None:
    network = experienced(card)
    picture = torch.randn(1, 1, 64, 64)

    folded = fold_normalisation(network)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(picture), network.eval()(picture), atol=1e-4, rtol=1e-4)


def test_tiles_give_the_same_map_as_the_whole(card: ModuleType) -> None:
    """Engine: tiles of 512 pixels overlap by a quarter, half of which is thrown away."""
    network = experienced(card).eval()
    picture, cpu = torch.randn(530, 640), Hardware(torch.device("cpu"), half=False)

    whole = predict_map(network, picture, cpu, stride=card.STRIDE)
    tiled = predict_map(network, picture, cpu, stride=card.STRIDE, tile_pixels=512)

    assert float((tiled - whole).abs().max()) < float(whole.std())
    assert float((tiled - whole).abs().mean()) < 0.01 * float(whole.std())


def test_the_last_layer_alone_belongs_to_the_task(card: ModuleType) -> None:
    """A pretext's weights are taken but for the head: it is the last convolution, with a bias."""
    network, source = build(card), experienced(card)
    head = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    with torch.no_grad():
        for weight in source.parameters():
            weight.add_(1)
    before = {name: value.clone() for name, value in head.state_dict().items()}

    take_weights(network, source, but_last_layer=True)

    assert set(before) == {"weight", "bias"}
    assert all(torch.equal(head.state_dict()[name], value) for name, value in before.items())
    kept = [torch.equal(*pair) for pair in zip(network.parameters(), source.parameters(), strict=True)]
    assert kept.count(False) == 2


def test_widths_are_the_layers_that_a_user_may_change(card: ModuleType) -> None:
    """`model.widths` gives that card's network with other channels."""
    narrow = card.build(card.Settings(widths=(8,) * len(card.Settings().widths)))

    count, usual = (sum(weight.numel() for weight in each.parameters()) for each in (narrow, build(card)))

    assert count < usual / 4
    assert narrow.eval()(torch.randn(1, 1, 40, 40)).shape[-1] == 40 // card.STRIDE
