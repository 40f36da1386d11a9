"""Special cases of single losses, against numbers that are known."""

import pytest
import torch

from cryoglean.losses import bce, dice, focal
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets


def field(value: float, shape: tuple[int, ...] = (1, 1, 20, 20)) -> torch.Tensor:
    return torch.full(shape, value, dtype=torch.float64)


def test_focal_with_gamma_zero_is_bce() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 9, 9, generator=generator, dtype=torch.float64)
    targets = Targets(torch.rand(2, 1, 9, 9, generator=generator).double(), torch.ones(2, 1, 9, 9).double())
    settings = LossSettings(focal_gamma=0.0, positive_weight=5.0)

    torch.testing.assert_close(focal.loss(logits, targets, settings), bce.loss(logits, targets, settings))


@pytest.mark.parametrize(
    ("weight", "probability", "said"),
    [(1.0, 0.04, 0.2343), (1.0, 0.3, 0.4215), (1.0, 0.5, 0.5), (5.0, 0.04, 0.3576), (5.0, 0.7, 0.7143)],
)
def test_what_focal_loss_says_is_not_the_probability(weight: float, probability: float, said: float) -> None:
    """checks.md U3: the minimum of the focal risk (gamma 2) for a known probability."""
    q = torch.linspace(0.001, 0.999, 99901, dtype=torch.float64)
    logits = torch.logit(q).reshape(-1, 1, 1, 1)
    settings = LossSettings(positive_weight=weight, focal_gamma=2.0)
    one = torch.ones_like(logits)

    risk = probability * focal.loss(logits, Targets(one, one), settings)
    risk = risk + (1 - probability) * focal.loss(logits, Targets(0 * one, one), settings)

    assert float(q[risk.argmin()]) == pytest.approx(said, abs=2e-4)


@pytest.mark.parametrize("meant", [0.05, 0.3, 0.7])
def test_the_weight_of_bce_moves_what_a_soft_target_teaches_as_it_moves_labels(meant: float) -> None:
    """The risk is smallest at omega eta / (1 - eta + omega eta), whether eta is a share of labels or a belief."""
    settings = LossSettings(positive_weight=5.0)
    logits = torch.linspace(-6, 6, 2401).view(-1, 1, 1, 1)
    ones = torch.ones_like(logits)

    soft = bce.loss(logits, Targets(ones * meant, ones), settings)
    hard = meant * bce.loss(logits, Targets(ones, ones), settings)
    hard = hard + (1 - meant) * bce.loss(logits, Targets(ones * 0, ones), settings)

    expected = 5 * meant / (1 - meant + 5 * meant)
    for risk in (soft, hard):
        assert float(torch.sigmoid(logits[int(risk.argmin())])) == pytest.approx(expected, abs=0.01)


def test_bce_with_weight_one_is_torchs() -> None:
    logits, y = field(0.7), field(0.2)

    value = bce.loss(logits, Targets(y, field(1)), LossSettings(positive_weight=1.0))

    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    assert float(value) == pytest.approx(float(expected))


def test_a_single_counted_pixel_does_not_weigh_as_much_as_a_full_crop() -> None:
    """checks.md U17: at most 1 / (k_min N) of the full gradient, k_min = 1 %."""
    logits = field(0.3, (1, 1, 50, 50)).requires_grad_()
    w = torch.zeros(1, 1, 50, 50, dtype=torch.float64)
    w[..., 10, 10] = 1

    bce.loss(logits, Targets(torch.zeros_like(w), w), LossSettings()).sum().backward()

    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) <= 1 / (0.01 * 2500) + 1e-9


def test_dice_without_particles_is_nothing_at_all() -> None:
    """checks.md U11 shows why: its gradient there is vanishing or arbitrary."""
    logits = field(-3.0).requires_grad_()

    value = dice.loss(logits, Targets(field(0), field(1)), LossSettings())
    value.sum().backward()

    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0


def test_dice_of_a_perfect_guess_is_nearly_zero_and_of_none_nearly_one() -> None:
    y = field(0)
    y[..., 5:10, 5:10] = 1

    assert float(dice.loss((2 * y - 1) * 50, Targets(y, field(1)), LossSettings())) == pytest.approx(0, abs=1e-6)
    assert float(dice.loss(field(-50), Targets(y, field(1)), LossSettings())) == pytest.approx(1 - 1 / 26, abs=1e-6)
