"""What every loss card promises."""

from types import ModuleType

import pytest
import torch
from torch import Tensor

from cryoglean.errors import SettingsError
from cryoglean.registry import card_names, load_card
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

SETTINGS = LossSettings(prior=0.2)


@pytest.fixture(params=card_names("losses"))
def card(request: pytest.FixtureRequest) -> ModuleType:
    return load_card("losses", request.param)


def make(seed: int = 0) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 1, 8, 8, generator=generator, dtype=torch.float64)
    y = (torch.rand(3, 1, 8, 8, generator=generator) < 0.2).double()
    w = (torch.rand(3, 1, 8, 8, generator=generator) < 0.8).double()
    return logits, Targets(y, w)


def test_one_finite_value_a_crop(card: ModuleType) -> None:
    logits, targets = make()

    value = card.loss(logits, targets, SETTINGS)

    assert value.shape == (3,)
    assert bool(torch.isfinite(value).all())


@pytest.mark.parametrize("size", [-100.0, 100.0])
def test_extreme_logits_stay_finite_with_their_gradient(card: ModuleType, size: float) -> None:
    _, targets = make()
    logits = torch.full((3, 1, 8, 8), size, dtype=torch.float32, requires_grad=True)

    value = card.loss(logits, Targets(targets.y.float(), targets.w.float()), SETTINGS).sum()
    value.backward()

    assert bool(torch.isfinite(value))
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_no_gradient_where_the_weight_is_zero(card: ModuleType) -> None:
    logits, targets = make()
    logits.requires_grad_()

    card.loss(logits, targets, SETTINGS).sum().backward()

    assert logits.grad is not None
    assert float(logits.grad[targets.w == 0].abs().max()) == 0


def test_a_batch_that_is_ignored_whole_gives_a_finite_loss_and_no_gradient(card: ModuleType) -> None:
    """checks.md U17."""
    logits, targets = make()
    logits.requires_grad_()

    value = card.loss(logits, Targets(targets.y, torch.zeros_like(targets.w)), SETTINGS).sum()
    value.backward()

    assert bool(torch.isfinite(value))
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0


def test_the_gradient_is_that_of_finite_differences(card: ModuleType) -> None:
    logits, targets = make()
    soft = Targets(targets.y * 0.8 + 0.1, targets.w)

    assert torch.autograd.gradcheck(lambda x: card.loss(x, soft, SETTINGS), logits.requires_grad_())


def test_a_better_guess_has_a_lower_loss(card: ModuleType) -> None:
    _, targets = make()
    right = (targets.y * 2 - 1) * 3

    better = card.loss(right, targets, SETTINGS)
    worse = card.loss(-right, targets, SETTINGS)

    assert bool((better < worse).all())


@pytest.mark.parametrize("y", [0.0, 1.0])
@pytest.mark.parametrize("size", [-100.0, 0.0, 100.0])
def test_a_batch_of_one_class_gives_a_finite_loss_and_gradient(card: ModuleType, y: float, size: float) -> None:
    _, targets = make()
    logits = torch.full((3, 1, 8, 8), size, dtype=torch.float32, requires_grad=True)

    value = card.loss(logits, Targets(torch.full_like(logits, y), targets.w.float()), SETTINGS).sum()
    value.backward()

    assert bool(torch.isfinite(value))
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_without_a_prior_it_does_without_or_says_what_to_set(card: ModuleType) -> None:
    logits, targets = make()

    try:
        value = card.loss(logits, targets, LossSettings())
    except SettingsError as error:
        assert error.where == "loss.prior"
        assert "loss.prior=" in error.fix
    else:
        torch.testing.assert_close(value, card.loss(logits, targets, SETTINGS))
