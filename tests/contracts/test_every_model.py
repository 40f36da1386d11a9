"""What every model card promises."""

from types import ModuleType

import pytest
import torch
from torch import nn

from cryoglean.learn.checkpoint import load_tensors, save_tensors
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
    """After a few steps on one spot the highest logit is at the spot: output (j, i) speaks of pixel (2 j, 2 i)."""
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
