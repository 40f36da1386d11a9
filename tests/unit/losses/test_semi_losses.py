"""Special cases of the losses that pseudo-labels meet."""

from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cryoglean.losses import balanced_bce, bce, dice, focal, mse
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

SETTINGS = LossSettings()
PER_PIXEL = [bce, focal, balanced_bce, mse]


def make(seed: int = 0, shape: tuple[int, ...] = (2, 1, 20, 20), trusted: float = 0.5) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64)
    y = (torch.rand(shape, generator=generator) < 0.2).double()
    w = (torch.rand(shape, generator=generator) < trusted).double()
    return logits, Targets(y, w)


def gradient(card: ModuleType, logits: Tensor, targets: Targets) -> tuple[float, Tensor]:
    """The summed loss and its gradient."""
    leaf = logits.clone().requires_grad_()
    value = card.loss(leaf, targets, SETTINGS).sum()
    value.backward()
    assert leaf.grad is not None
    return float(value.detach()), leaf.grad


@pytest.mark.parametrize("reason", ["no particle is there", "no particle is trusted"])
def test_dice_leaves_out_an_empty_crop_and_nothing_else(reason: str) -> None:
    """checks.md U11: with p = .05 a soft Dice of an empty target is 1.0, .998 or .82 as its constant decides."""
    y = torch.zeros(2, 1, 20, 20, dtype=torch.float64)
    y[0, ..., 5:9, 5:9] = 1
    w = torch.ones_like(y)
    if reason == "no particle is trusted":
        y[1, ..., 5:9, 5:9] = 1
        w[1, ..., 5:9, 5:9] = 0
    logits = torch.full_like(y, 0.05).logit()

    value, slope = gradient(dice, logits, Targets(y, w))
    alone, _ = gradient(dice, logits[:1], Targets(y[:1], w[:1]))

    assert value == pytest.approx(alone)
    assert float(slope[1].abs().max()) == 0
    assert float(slope[0].abs().max()) > 0


@pytest.mark.parametrize("card", [*PER_PIXEL, dice])
def test_an_ignored_batch_is_finite_and_teaches_nothing(card: ModuleType) -> None:
    """checks.md U17, also where logits are extreme."""
    logits, targets = make()

    value, slope = gradient(card, logits * 100, Targets(targets.y, torch.zeros_like(targets.w)))

    assert value == 0
    assert float(slope.abs().max()) == 0


@pytest.mark.parametrize("card", PER_PIXEL)
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_one_confident_pixel_does_not_weigh_as_much_as_a_full_crop(card: ModuleType, y: float) -> None:
    """checks.md U17: at most 1 / (k_min N) of the full gradient, k_min = 1 %, N = 2500."""
    logits = torch.full((1, 1, 50, 50), 0.3, dtype=torch.float64)
    label, one = torch.full_like(logits, y), torch.zeros_like(logits)
    one[..., 10, 10] = 1

    _, full = gradient(card, logits, Targets(label, torch.ones_like(logits)))
    _, single = gradient(card, logits, Targets(label, one))

    assert 0 < float(single.abs().sum()) <= float(full.abs().sum()) / (0.01 * 2500) + 1e-12


@pytest.mark.parametrize("card", PER_PIXEL)
def test_scaling_all_weights_changes_nothing(card: ModuleType) -> None:
    """checks.md U18: sum of w loss over sum of w, as far as the floor of 1 % is not reached."""
    logits, targets = make()

    value = card.loss(logits, targets, SETTINGS)
    scaled = card.loss(logits, Targets(targets.y, 0.3 * targets.w), SETTINGS)

    torch.testing.assert_close(scaled, value)


@pytest.mark.parametrize("card", PER_PIXEL)
def test_below_the_floor_less_weight_is_less_loss(card: ModuleType) -> None:
    logits, targets = make()

    tiny = card.loss(logits, Targets(targets.y, 1e-4 * targets.w), SETTINGS)
    half = card.loss(logits, Targets(targets.y, 0.5e-4 * targets.w), SETTINGS)

    torch.testing.assert_close(half, tiny / 2)


def test_balanced_is_half_the_mean_of_either_class() -> None:
    logits, targets = make()
    each = binary_cross_entropy_with_logits(logits, targets.y, reduction="none")
    particle, background = (targets.w > 0) & (targets.y == 1), (targets.w > 0) & (targets.y == 0)

    value = balanced_bce.loss(logits, targets, SETTINGS)

    expected = [0.5 * (each[i][particle[i]].mean() + each[i][background[i]].mean()) for i in range(2)]
    torch.testing.assert_close(value, torch.stack(expected))


def test_balanced_is_plain_where_both_classes_are_as_frequent() -> None:
    logits, _ = make()
    y = (torch.arange(logits.numel()) % 2).double().view_as(logits)

    value = balanced_bce.loss(logits, Targets(y, torch.ones_like(y)), SETTINGS)

    torch.testing.assert_close(value, bce.loss(logits, Targets(y, torch.ones_like(y)), LossSettings(positive_weight=1)))


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_balanced_teaches_one_half_where_nothing_is_to_be_seen(share: float) -> None:
    """Whatever the share of particles: the prior is one half, so that what is said is no probability."""
    y = torch.zeros(1, 1, 20, 20, dtype=torch.float64)
    y.view(-1)[: int(share * 400)] = 1

    _, slope = gradient(balanced_bce, torch.zeros_like(y), Targets(y, torch.ones_like(y)))

    assert float(slope.sum()) == pytest.approx(0, abs=1e-12)


def test_a_rare_class_below_one_per_cent_does_not_weigh_more_for_that() -> None:
    y = torch.zeros(1, 1, 50, 50, dtype=torch.float64)
    y[..., 10, 10:15] = 1  # 0.2 % of the pixels: a fifth of the floor

    _, slope = gradient(balanced_bce, torch.zeros_like(y), Targets(y, torch.ones_like(y)))

    assert float(slope[y == 1].sum()) == pytest.approx(-0.5 * 0.5 * 0.2)
    assert float(slope[y == 0].sum()) == pytest.approx(0.5 * 0.5)


def test_squared_difference_is_torchs_over_counted_pixels() -> None:
    logits, targets = make()
    counted = targets.w[0] > 0

    value = mse.loss(logits, targets, SETTINGS)[0]

    expected = torch.nn.functional.mse_loss(torch.sigmoid(logits[0][counted]), targets.y[0][counted])
    torch.testing.assert_close(value, expected)


def test_squared_difference_is_zero_with_no_gradient_where_student_and_teacher_agree() -> None:
    logits, targets = make()

    value, slope = gradient(mse, logits, Targets(torch.sigmoid(logits), targets.w))

    assert value == 0
    assert float(slope.abs().max()) == 0


def test_squared_difference_is_least_at_the_probability() -> None:
    """It is a proper score: what the student says under mixed teachers is their mean."""
    said = torch.linspace(0.01, 0.99, 99, dtype=torch.float64).reshape(-1, 1, 1, 1)
    one = torch.ones_like(said)

    risk = 0.3 * mse.loss(said.logit(), Targets(one, one), SETTINGS)
    risk = risk + 0.7 * mse.loss(said.logit(), Targets(0 * one, one), SETTINGS)

    assert float(said.flatten()[risk.argmin()]) == pytest.approx(0.3)
