"""From what a teacher says to probabilities."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor

from cryoglean.pseudo.calibrate import (
    Calibrator,
    align,
    distribution_alignment,
    find_shift,
    fit_platt,
    platt,
    prior_match,
    sharpen,
    sharpen_by,
    shift_logits,
    to_logit,
    undo_focal,
    undo_loss,
    undo_weight,
)
from cryoglean.pseudo.guess import Guess, Knowledge

SIX = torch.tensor([0.9, 0.6, 0.4, 0.3, 0.1, 0.05], dtype=torch.float64)


def make_knowledge(share: float = 0.04, **other: object) -> Knowledge:
    """With a core share of `share`; without a ring the soft share is the same."""
    density = share / (math.pi * 8**2)
    return Knowledge(density, particle_pixels=20.0, core_diameters=0.4, ring_diameters=0.4, **other)  # type: ignore[arg-type]


def risk_minimiser(probability: float, gamma: float, weight: float) -> float:
    """What a network that minimises the focal risk says (the risk as in Lin 2017, written anew)."""

    def risk(logit: float) -> float:
        q = 1 / (1 + math.exp(-logit))
        particle = weight * (1 - q) ** gamma * -math.log(q)
        return probability * particle + (1 - probability) * q**gamma * -math.log(1 - q)

    logit = minimize_scalar(risk, bounds=(-9, 9), method="bounded", options={"xatol": 1e-10}).x
    return float(1 / (1 + math.exp(-logit)))


@pytest.mark.parametrize(
    ("said", "meant"), [(0.3, 0.0789), (0.5, 0.1667), (0.7, 0.3182), (0.9, 0.6429), (0.95, 0.7917)]
)
def test_the_weight_on_particles_is_undone(said: float, meant: float) -> None:
    """checks.md U2, weight 5."""
    knowledge, step = Knowledge(0.001, 20.0, positive_weight=5.0), undo_loss()
    p = torch.tensor([said])

    state = step.fit(p, knowledge)

    assert float(step.apply(p, state)) == pytest.approx(meant, abs=5e-5)
    assert float(undo_weight(p, 1.0)) == pytest.approx(said)


@pytest.mark.parametrize(
    ("weight", "meant", "said"),
    [
        *[(1.0, 0.01, 0.1536), (1.0, 0.04, 0.2343), (1.0, 0.3, 0.4215), (1.0, 0.5, 0.5), (1.0, 0.7, 0.5785)],
        *[(1.0, 0.95, 0.7498), (1.0, 0.999, 0.9273), (5.0, 0.04, 0.3576), (5.0, 0.7, 0.7143), (5.0, 0.999, 0.9576)],
    ],
)
def test_what_a_focal_loss_taught_is_undone(weight: float, meant: float, said: float) -> None:
    """checks.md U3, gamma 2: forward by minimising the risk, back by the formula to 1e-5."""
    found = risk_minimiser(meant, 2.0, weight)

    back = undo_focal(torch.tensor([found], dtype=torch.float64), 2.0, weight)

    assert found == pytest.approx(said, abs=6e-5)
    assert float(back) == pytest.approx(meant, abs=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
def test_any_gamma_is_undone(gamma: float) -> None:
    found = risk_minimiser(0.1, gamma, 2.0)

    assert float(undo_focal(torch.tensor([found]).double(), gamma, 2.0)) == pytest.approx(0.1, abs=1e-5)


def test_a_focal_loss_with_gamma_zero_is_a_weighted_cross_entropy() -> None:
    torch.testing.assert_close(undo_focal(SIX, 0.0, 5.0), undo_weight(SIX, 5.0))


def test_certainty_survives_the_undoing_of_a_focal_loss() -> None:
    back = undo_focal(torch.tensor([0.0, 1.0]), 2.0)

    assert back.tolist() == pytest.approx([0, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("by_entropy", "shift", "expected"),
    [
        (True, 1.24936, [0.931078, 0.776658, 0.607154, 0.478985, 0.142940, 0.063185]),
        (False, 0.685493, [0.946985, 0.748562, 0.569553, 0.459637, 0.180682, 0.094581]),
    ],
)
def test_darp_in_closed_form(*, by_entropy: bool, shift: float, expected: list[float]) -> None:
    """checks.md U4: six pixels that should hold three particles; by entropy is w = 1 / H, else w = 1."""
    found = find_shift(SIX, 0.5, by_entropy=by_entropy)
    matched = shift_logits(SIX, found, by_entropy=by_entropy)

    assert found == pytest.approx(shift, abs=1e-5)
    assert matched.tolist() == pytest.approx(expected, abs=2e-6)


def darp_objective(x: np.ndarray, *, by_entropy: bool) -> float:
    """Sum of w KL(x || p): what DARP minimises while sum x is given."""
    p = SIX.numpy()
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    divergence = x * np.log(x / p) + (1 - x) * np.log((1 - x) / (1 - p))
    return float(np.sum(divergence / (entropy if by_entropy else 1.0)))


@pytest.mark.parametrize("by_entropy", [True, False])
def test_the_closed_form_is_what_a_general_solver_finds(*, by_entropy: bool) -> None:
    """checks.md U4: the objective of w = 1 / H is .4037627; SLSQP finds no other point."""
    matched = shift_logits(SIX, find_shift(SIX, 0.5, by_entropy=by_entropy), by_entropy=by_entropy).numpy()

    solved = minimize(
        lambda x: darp_objective(x, by_entropy=by_entropy),
        np.full(6, 0.5),
        method="SLSQP",
        bounds=[(1e-6, 1 - 1e-6)] * 6,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 3},
        options={"ftol": 1e-12},
    )

    assert matched == pytest.approx(solved.x, abs=1e-4)
    assert darp_objective(matched, by_entropy=by_entropy) == pytest.approx(solved.fun, abs=1e-6)
    if by_entropy:
        assert solved.fun == pytest.approx(0.4037627, abs=2e-6)  # its constraint was met to about 1e-6


@pytest.mark.parametrize("by_entropy", [True, False])
def test_what_already_holds_the_expected_share_is_left_alone(*, by_entropy: bool) -> None:
    """checks.md U4: the sum of p is already M, so x = p."""
    shift = find_shift(SIX, float(SIX.mean()), by_entropy=by_entropy)

    torch.testing.assert_close(shift_logits(SIX, shift, by_entropy=by_entropy), SIX, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("mean", "limit"), [(0.9, 4.0), (0.0, -4.0)])
def test_a_collapsed_teacher_is_not_moved_further_than_the_limit(mean: float, limit: float) -> None:
    assert find_shift(torch.full((50,), 1e-4), mean) == limit


def test_nothing_to_match_needs_no_shift() -> None:
    assert find_shift(torch.zeros(0), 0.04) == 0


@pytest.mark.parametrize("shift", [-4.0, 4.0])
@pytest.mark.parametrize("by_entropy", [True, False])
def test_matching_never_changes_the_order(shift: float, *, by_entropy: bool) -> None:
    """It moves how sure a teacher is, not what it is sure of (methods.md S15); up to the limit of the shift."""
    p = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)

    moved = shift_logits(p, shift, by_entropy=by_entropy)

    assert bool((moved.diff() > 0).all())


@pytest.mark.parametrize("by_entropy", [True, False])
def test_prior_match_brings_the_mean_to_the_soft_share(*, by_entropy: bool) -> None:
    sample = torch.sigmoid(torch.randn(5000, generator=torch.Generator().manual_seed(0)) * 1.5 - 2)
    step, knowledge = prior_match(by_entropy=by_entropy), make_knowledge(0.1)

    matched = step.apply(sample, step.fit(sample, knowledge))

    assert float(matched.mean()) == pytest.approx(knowledge.soft_share, abs=1e-4)
    assert knowledge.soft_share == pytest.approx(0.1)


def test_distribution_alignment_multiplies_the_odds() -> None:
    """checks.md U8: pi_t = .04, pi_m = .02; as a shift of the logit it is .7138."""
    p = torch.tensor([0.02, 0.1, 0.3, 0.6, 0.9], dtype=torch.float64)

    aligned = align(p, 0.04, 0.02)

    assert aligned.tolist() == pytest.approx([0.04, 0.1849, 0.4667, 0.7538, 0.9484], abs=5e-5)
    assert (torch.logit(aligned) - torch.logit(p)).tolist() == pytest.approx([0.7138] * 5, abs=5e-5)


def test_distribution_alignment_takes_the_found_share_from_the_sample() -> None:
    step = distribution_alignment()

    state = step.fit(torch.tensor([0.01, 0.03]), make_knowledge(0.04))

    assert state == pytest.approx((0.04, 0.02))
    assert step.fit(torch.zeros(0), make_knowledge(0.04)) == pytest.approx((0.04, 0.04))


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_alignment_stays_a_probability_where_no_particle_is_expected(p: float) -> None:
    step = distribution_alignment()
    sample = torch.tensor([p])

    aligned = step.apply(sample, step.fit(sample, Knowledge(0.0, 20.0)))

    assert 0 <= float(aligned) <= 1


@pytest.mark.parametrize(("p", "expected"), [(0.3, 0.1552), (0.4, 0.3077), (0.45, 0.4010), (0.6, 0.6923)])
def test_sharpening_moves_away_from_one_half(p: float, expected: float) -> None:
    """checks.md U9, temperature 0.5."""
    step = sharpen(0.5)

    state = step.fit(torch.zeros(0), make_knowledge())

    assert float(step.apply(torch.tensor([p]), state)) == pytest.approx(expected, abs=5e-5)


def test_sharpening_is_finite_at_any_temperature() -> None:
    p = torch.tensor([0.0, 0.3, 0.5, 1.0])

    assert sharpen_by(p, 0.001).tolist() == [0, 0, 0.5, 1]
    torch.testing.assert_close(sharpen_by(p, 1.0), p)


def draw_known(scale: float, shift: float, count: int = 40_000) -> Tensor:
    """(k, 2): what is said, and what is true with a probability whose logit is scale x logit + shift."""
    generator = torch.Generator().manual_seed(1)
    logit = torch.randn(count, generator=generator).double() * 2
    true = torch.rand(count, generator=generator).double() < torch.sigmoid(scale * logit + shift)
    return torch.stack([torch.sigmoid(logit), true.double()], dim=1)


def test_platt_finds_the_scale_and_shift_of_an_overconfident_teacher() -> None:
    known = draw_known(0.5, -1.0)

    scale, shift = fit_platt(known[:, 0], known[:, 1])

    assert (scale, shift) == pytest.approx((0.5, -1.0), abs=0.04)


def test_platt_makes_the_mean_right_on_what_is_known() -> None:
    known = draw_known(0.5, -1.0)
    step = platt()

    state = step.fit(torch.zeros(0), make_knowledge(known=known))

    assert float(step.apply(known[:, 0], state).mean()) == pytest.approx(float(known[:, 1].mean()), abs=2e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("known", [None, torch.zeros(0, 2)])
def test_platt_changes_nothing_where_nothing_is_known(known: Tensor | None) -> None:
    step = platt()

    state = step.fit(SIX, make_knowledge(known=known))

    assert state == (1, 0)
    torch.testing.assert_close(step.apply(SIX, state), SIX)


@pytest.mark.parametrize("true", [0.0, 1.0])
def test_platt_stays_finite_where_only_one_class_is_known(true: float) -> None:
    scale, shift = fit_platt(SIX, torch.full_like(SIX, true))

    assert math.isfinite(scale)
    assert math.isfinite(shift)
    assert scale > 0


def test_a_logit_is_finite_everywhere() -> None:
    logits = to_logit(torch.tensor([0.0, 0.5, 1.0]))

    assert logits.tolist() == pytest.approx([-13.8, 0, 13.8], abs=0.1)


@pytest.mark.parametrize(
    "step", [undo_loss(), platt(), prior_match(), prior_match(by_entropy=True), distribution_alignment()]
)
def test_every_calibrator_keeps_shape_order_and_range(step: Calibrator) -> None:
    knowledge = make_knowledge(positive_weight=3.0, known=draw_known(0.7, 0.5, 2000))
    maps = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)

    applied = step.apply(maps, step.fit(maps.flatten(), knowledge))

    assert applied.shape == maps.shape
    assert bool((applied.flatten().diff() >= 0).all())
    assert (float(applied.min()) >= 0, float(applied.max()) <= 1) == (True, True)


@pytest.mark.parametrize(("radius", "expected"), [(42.0, 4.257), (7.875, 121.1)])
def test_four_per_cent_particle_says_how_many_particles_there_are(radius: float, expected: float) -> None:
    """checks.md U13: N = .04 x 768^2 / (pi r^2); the core share of that density is 4 %."""
    count = 0.04 * 768**2 / (math.pi * radius**2)

    knowledge = Knowledge(density=count / 768**2, particle_pixels=radius / 0.3, core_diameters=0.3)

    assert count == pytest.approx(expected, rel=2e-4)
    assert knowledge.core_share == pytest.approx(0.04)


def test_a_soft_map_holds_a_core_and_a_quarter_of_its_ring() -> None:
    """Radius .35 for .3 and .5: 1.36 times the core."""
    knowledge = Knowledge(density=0.001, particle_pixels=20.0, core_diameters=0.3, ring_diameters=0.5)

    assert knowledge.soft_share / knowledge.core_share == pytest.approx(1.361, abs=1e-3)


def test_a_share_is_never_nearly_everything() -> None:
    assert Knowledge(density=1.0, particle_pixels=20.0).core_share == 0.9


def test_a_guess_is_the_mean_the_spread_and_the_votes_of_its_views() -> None:
    views = torch.tensor([0.2, 0.5, 0.8]).reshape(3, 1, 1, 1, 1)

    guess = Guess.from_views(views, torch.ones(1, 1, 1, 1))

    assert float(guess.probability) == pytest.approx(0.5)
    assert float(guess.spread) == pytest.approx(math.sqrt(0.06))
    assert float(guess.votes) == pytest.approx(2 / 3)


def test_one_view_has_no_spread_and_only_valid_pixels_are_pooled() -> None:
    valid = torch.tensor([[[[1.0, 0.0]]]])

    guess = Guess.from_views(torch.tensor([0.7, 0.1]).reshape(1, 1, 1, 1, 2), valid)

    assert float(guess.spread.max()) == 0
    assert guess.sample().tolist() == pytest.approx([0.7])
