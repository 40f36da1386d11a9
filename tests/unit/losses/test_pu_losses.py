"""Positive-unlabelled risks: against numbers of checks.md, against what they stand for, and their two gradients."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from cryoglean.errors import SettingsError
from cryoglean.losses import dist_pu, ge_binomial, ge_kl, imbalanced_nnpu, nnpu, upu
from cryoglean.registry import load_card
from cryoglean.risks import judge, keep_from_falling, negative_risk, positive_risk
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

NAMES = ("upu", "nnpu", "imbalanced_nnpu", "ge_binomial", "ge_kl", "dist_pu")
TOPAZ = LossSettings(prior=0.035)
U5 = {  # checks.md: probabilities of 240 pixels of U, GE-binomial, GE-KL
    "all at the prior": ([0.035] * 240, 2.4698, 0.0),
    "8 sure of 240": ([0.999] * 8 + [0.001] * 232, 1.9800, 1e-5),
    "none": ([0.001] * 240, 7.9997, 0.09102),
    "too few, unsure": ([0.01] * 240, 4.7136, 0.01917),
    "twice too many": ([0.99] * 17 + [0.005] * 223, 6.6421, 0.01405),
    "half of them": ([0.99] * 4 + [0.005] * 236, 2.6131, 0.00370),
}


def as_batch(values: Tensor | list[float]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)


def unlabelled(probabilities: list[float]) -> tuple[Tensor, Targets]:
    logits = as_batch(probabilities).logit()
    return logits, Targets(torch.zeros_like(logits), torch.ones_like(logits))


def of_both(positive: Tensor, other: Tensor) -> tuple[Tensor, Targets]:
    """Logits of labelled positives, then of unlabelled ones."""
    logits = as_batch(torch.cat([positive, other]))
    y = torch.cat([torch.ones(len(positive)), torch.zeros(len(other))])
    return logits, Targets(as_batch(y), torch.ones_like(logits))


def value_of(name: str, logits: Tensor, targets: Targets, settings: LossSettings = TOPAZ) -> float:
    return float(load_card("losses", name).loss(logits, targets, settings).mean().detach())


def gradient(value: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(value, logits)[0]


@pytest.fixture
def learned_by_heart() -> tuple[Tensor, Targets]:
    """Labelled positives are called so for sure, everything else is not: the risk on negatives is below zero."""
    logits, targets = of_both(torch.tensor([4.0, 6.0]), torch.tensor([-3.0, -5.0, -2.0, -4.0]))
    return logits.requires_grad_(), targets


@pytest.fixture
def drawn() -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 1, 30, 20, generator=generator, dtype=torch.float64)
    y = (torch.rand(2, 1, 30, 20, generator=generator) < 0.1).double()
    return logits, Targets(y, (torch.rand(2, 1, 30, 20, generator=generator) < 0.8).double())


@pytest.mark.parametrize("case", U5)
def test_ge_binomial_of_240_pixels_is_the_known_number(case: str) -> None:
    """checks.md U5; without P only the criterion is left."""
    probabilities, expected, _ = U5[case]

    assert value_of("ge_binomial", *unlabelled(probabilities)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("case", U5)
def test_ge_kl_of_240_pixels_is_the_known_number(case: str) -> None:
    """checks.md U5 has the divergence, to five digits; the loss weighs it by 10."""
    probabilities, _, expected = U5[case]

    assert value_of("ge_kl", *unlabelled(probabilities)) / 10 == pytest.approx(expected, abs=6e-6)


def test_the_logistic_loss_of_a_positive_and_of_a_negative_differ_by_the_logit() -> None:
    """checks.md U10: l(z) - l(-z) = -z."""
    logits = torch.linspace(-5, 5, 101, dtype=torch.float64)

    difference = judge(logits, LossSettings()) - judge(-logits, LossSettings())

    assert float((difference + logits).abs().max()) < 1e-15


def test_the_sigmoid_loss_of_a_positive_and_of_a_negative_add_to_one() -> None:
    logits = torch.linspace(-100, 100, 101, dtype=torch.float64)
    settings = LossSettings(surrogate="sigmoid")

    total = judge(logits, settings) + judge(-logits, settings)

    torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("surrogate", ["logistic", "sigmoid"])
@pytest.mark.parametrize(("name", "as_if"), [("upu", 0.04), ("nnpu", 0.04), ("imbalanced_nnpu", 0.5)])
def test_two_gaussians_have_the_risk_that_labels_of_all_would_give(name: str, as_if: float, surrogate: str) -> None:
    """checks.md S1: N(2, 1) against N(0, 1), 4 % positive, g = 2 x - 3, two million of each."""
    random = np.random.default_rng(0)
    settings = LossSettings.model_validate({"prior": 0.04, "surrogate": surrogate})
    n = 2_000_000
    positive, negative, particles = (torch.from_numpy(random.normal(mean, 1, n)) for mean in (2, 0, 2))
    mixed = torch.where(torch.from_numpy(random.random(n) < 0.04), particles, torch.from_numpy(random.normal(0, 1, n)))

    found = value_of(name, *of_both(2 * positive - 3, 2 * mixed - 3), settings)

    expected = as_if * judge(2 * positive - 3, settings).mean() + (1 - as_if) * judge(3 - 2 * negative, settings).mean()
    assert found == pytest.approx(float(expected), abs=0.002)


def test_a_small_batch_has_the_same_risk_on_the_average() -> None:
    """checks.md S2: 20 of P and 400 of U, 4,000 times; mean .2006, deviation .032."""
    random = np.random.default_rng(0)
    settings = LossSettings(prior=0.04)
    targets = of_both(torch.zeros(20), torch.zeros(400))[1]
    risks = []
    for _ in range(4000):
        mixed = random.normal(2.0 * (random.random(400) < 0.04), 1)
        logits = as_batch(torch.from_numpy(2 * np.concatenate([random.normal(2, 1, 20), mixed]) - 3))
        risks.append(float(upu.loss(logits, targets, settings)))

    assert float(np.mean(risks)) == pytest.approx(0.2001, abs=0.003)  # .2001: S1, with labels of all
    assert 0.025 <= float(np.std(risks)) <= 0.04


@pytest.mark.parametrize("surrogate", ["logistic", "sigmoid"])
@pytest.mark.parametrize(("name", "as_if"), [("upu", 0.25), ("nnpu", 0.25), ("imbalanced_nnpu", 0.5)])
def test_unlabelled_pixels_of_which_the_share_is_exact_give_the_exact_risk(
    name: str, as_if: float, surrogate: str
) -> None:
    """U is P and three times as many negatives: nothing is left to chance, and the risk is that of full labels."""
    settings = LossSettings.model_validate({"prior": 0.25, "surrogate": surrogate})
    positive, negative = torch.tensor([0.5, 2.0]), torch.tensor([-1.0, 0.3, -2.0, 1.0, -3.0, 0.0])

    found = value_of(name, *of_both(positive, torch.cat([positive, negative])), settings)

    expected = as_if * judge(positive, settings).mean() + (1 - as_if) * judge(-negative, settings).mean()
    assert found == pytest.approx(float(expected))


def test_unbiased_risk_may_be_negative_and_non_negative_risk_may_not(learned_by_heart: tuple[Tensor, Targets]) -> None:
    settings = LossSettings(prior=0.4)

    assert value_of("upu", *learned_by_heart, settings) < -1
    assert 0 <= value_of("nnpu", *learned_by_heart, settings) < 0.01


@pytest.mark.parametrize(("name", "scale"), [("nnpu", 1.0), ("imbalanced_nnpu", 0.5 / 0.6)])
def test_where_the_risk_on_negatives_is_negative_the_step_is_up_that_risk_alone(
    learned_by_heart: tuple[Tensor, Targets], name: str, scale: float
) -> None:
    """Algorithm 1 of Kiryo 2017; the value is that of the positives, but their gradient is not followed."""
    logits, targets = learned_by_heart
    settings = LossSettings(prior=0.4)
    share = 0.4 if name == "nnpu" else 0.5

    value = load_card("losses", name).loss(logits, targets, settings).mean()

    negative = negative_risk(logits, targets, settings)
    assert bool(negative < 0)
    torch.testing.assert_close(value, share * positive_risk(logits, targets, settings))
    torch.testing.assert_close(gradient(value, logits), -scale * gradient(negative, logits))


def test_where_the_risk_on_negatives_is_positive_the_gradient_is_the_unbiased_ones(
    drawn: tuple[Tensor, Targets],
) -> None:
    logits, targets = drawn
    logits.requires_grad_()

    values = [card.loss(logits, targets, TOPAZ).mean() for card in (nnpu, upu)]

    assert bool(negative_risk(logits, targets, TOPAZ) > 0)
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradient(values[0], logits), gradient(values[1], logits))


@pytest.mark.parametrize(
    ("negative", "value", "slopes"),
    [(0.3, 2.3, (1.0, 1.0)), (-0.1, 1.9, (1.0, 1.0)), (-0.2, 1.8, (1.0, 1.0)), (-0.3, 1.8, (0.0, -0.5))],
)
def test_beta_says_where_the_step_turns_and_gamma_how_long_it_is(
    negative: float, value: float, slopes: tuple[float, float]
) -> None:
    parts = [torch.tensor(2.0, requires_grad=True), torch.tensor(negative, requires_grad=True)]

    found = keep_from_falling(parts[0], parts[1], beta=0.2, gamma=0.5)
    found.backward()

    assert float(found.detach()) == pytest.approx(value)
    assert tuple(0.0 if part.grad is None else float(part.grad) for part in parts) == slopes


def test_a_step_up_the_risk_on_negatives_raises_it(learned_by_heart: tuple[Tensor, Targets]) -> None:
    """The same step down the unbiased risk lowers it further."""
    logits, targets = learned_by_heart
    settings = LossSettings(prior=0.4)
    before = float(negative_risk(logits.detach(), targets, settings))

    after = {}
    for card in (nnpu, upu):
        slope = gradient(card.loss(logits, targets, settings).mean(), logits)
        after[card] = float(negative_risk(logits.detach() - slope, targets, settings))

    assert after[upu] < before < after[nnpu]


def test_half_positive_is_what_the_imbalanced_risk_pretends(drawn: tuple[Tensor, Targets]) -> None:
    settings = LossSettings(prior=0.5)

    torch.testing.assert_close(imbalanced_nnpu.loss(*drawn, settings), nnpu.loss(*drawn, settings))


@pytest.mark.parametrize("name", NAMES)
def test_an_ignored_pixel_is_as_good_as_none(drawn: tuple[Tensor, Targets], name: str) -> None:
    logits, targets = drawn
    counted = targets.w > 0
    kept = Targets(as_batch(targets.y[counted]), as_batch(targets.w[counted]))

    assert value_of(name, *drawn) == pytest.approx(value_of(name, as_batch(logits[counted]), kept))


@pytest.mark.parametrize("name", NAMES)
def test_only_the_proportions_of_weights_matter(drawn: tuple[Tensor, Targets], name: str) -> None:
    """checks.md U18."""
    logits, targets = drawn

    lighter = Targets(targets.y, targets.w * 0.3)

    assert value_of(name, logits, lighter) == pytest.approx(value_of(name, logits, targets))


@pytest.mark.parametrize("name", NAMES)
def test_a_hardly_counted_pixel_hardly_matters(drawn: tuple[Tensor, Targets], name: str) -> None:
    logits, targets = drawn
    faint = torch.where(targets.w > 0, targets.w, 1e-9)

    assert value_of(name, logits, Targets(targets.y, faint)) == pytest.approx(value_of(name, *drawn), rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_batch_has_one_risk_however_it_is_cut_into_crops(drawn: tuple[Tensor, Targets], name: str) -> None:
    """As positives are few, a mean of crops' own risks would be another thing."""
    logits, targets = drawn
    points = (-1, 1, 1, 1)
    card = load_card("losses", name)

    crops = card.loss(logits, targets, TOPAZ)
    patches = card.loss(logits.view(points), Targets(targets.y.view(points), targets.w.view(points)), TOPAZ)

    assert crops.shape == (2,)
    assert patches.shape == (1200,)
    torch.testing.assert_close(patches, crops[:1].expand(1200))
    torch.testing.assert_close(crops[0], crops[1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("upu", 0.02), ("nnpu", 0.02), ("imbalanced_nnpu", 0.25), ("ge_binomial", 0.5), ("ge_kl", 0.5), ("dist_pu", 0.5)],
)
def test_without_unlabelled_pixels_only_the_positives_are_left(name: str, expected: float) -> None:
    """In multiples of what a positive at p = 1/2 costs (ln 2, or 1/2); nothing draws it to the background."""
    logits, targets = of_both(torch.zeros(3), torch.zeros(0))
    logits.requires_grad_()
    unit = 1.0 if name == "dist_pu" else 2 * np.log(2)

    value = load_card("losses", name).loss(logits, targets, LossSettings(prior=0.04)).mean()

    assert float(value.detach()) == pytest.approx(expected * unit)
    assert float(gradient(value, logits).max()) < 0


@pytest.mark.parametrize("name", NAMES)
def test_without_positives_unlabelled_pixels_still_count(name: str) -> None:
    logits, targets = unlabelled([0.5] * 240)
    logits.requires_grad_()

    value = load_card("losses", name).loss(logits, targets, TOPAZ).mean()

    assert float(gradient(value, logits).min()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_prior_is_asked_for(drawn: tuple[Tensor, Targets], name: str) -> None:
    with pytest.raises(SettingsError, match="nobody judged") as caught:
        value_of(name, *drawn, LossSettings())

    assert "loss.prior=0.04" in caught.value.fix
    assert "labels.kind=sparse" in caught.value.fix


def test_a_pixel_of_which_one_is_half_sure_is_half_positive_and_half_unlabelled() -> None:
    logits = as_batch([0.7])
    half = Targets(torch.full_like(logits, 0.5), torch.ones_like(logits))

    both = of_both(torch.tensor([0.7]), torch.tensor([0.7]))
    for name in NAMES:
        assert value_of(name, logits, half) == pytest.approx(value_of(name, *both))


def test_ge_binomial_prefers_a_clean_separation_and_ge_kl_does_not_care() -> None:
    sure, unsure = (unlabelled([0.999] * 8 + [0.0017] * 232), unlabelled([0.035] * 240))

    assert value_of("ge_binomial", *sure) < value_of("ge_binomial", *unsure) - 0.4
    assert value_of("ge_kl", *sure) == pytest.approx(value_of("ge_kl", *unsure), abs=1e-3)


def test_ge_binomial_is_the_cross_entropy_of_scipys_distributions() -> None:
    probabilities = np.random.default_rng(0).uniform(0, 0.3, 100)
    counts = np.arange(101)
    said = stats.norm.pdf(counts, probabilities.sum(), np.sqrt((probabilities * (1 - probabilities)).sum()))

    expected = -(said / said.sum()) @ stats.binom.logpmf(counts, 100, 0.1)

    found = value_of("ge_binomial", *unlabelled(list(probabilities)), LossSettings(prior=0.1))
    assert found == pytest.approx(expected)


def test_ge_binomial_of_many_pixels_is_the_mean_over_groups_that_are_dealt_out() -> None:
    """Pixel 0 goes to the first group, pixel 1 to the second, and so on; a neighbour is in another group."""
    first, second, third = ([0.9] * few + [0.01] * (240 - few) for few in (4, 8, 12))
    dealt = [p for each in zip(first, second, third, strict=True) for p in each]

    found = value_of("ge_binomial", *unlabelled(dealt))

    alone = [value_of("ge_binomial", *unlabelled(group)) for group in (first, second, third)]
    assert found == pytest.approx(float(np.mean(alone)))


@pytest.mark.parametrize("n", [1, 7, 239, 361, 1000, 2417])
def test_ge_binomial_takes_any_number_of_pixels(n: int) -> None:
    """Groups of nearly the same size: pixels that are all at the prior cost what one such group costs."""
    size = n / max(1, round(n / 240))

    found = value_of("ge_binomial", *unlabelled([0.035] * n))

    fewer, more = (value_of("ge_binomial", *unlabelled([0.035] * int(at))) for at in (size, np.ceil(size)))
    assert fewer - 1e-9 <= found <= more + 1e-9


def test_ge_kl_is_smallest_where_the_mean_is_the_prior() -> None:
    means = [0.01, 0.02, 0.03, 0.035, 0.04, 0.06, 0.3, 0.9]

    values = [value_of("ge_kl", *unlabelled([mean - 0.005, mean + 0.005])) for mean in means]

    assert all(left > right for left, right in pairwise(values[:4]))
    assert all(left < right for left, right in pairwise(values[3:]))
    assert values[3] == pytest.approx(0, abs=1e-12)


def test_dist_pu_is_two_means_and_an_entropy() -> None:
    """P at .8; U at .5 and .1 with a prior of .2: .2 + .1 / .4 + .004 (H(.5) + H(.1)) / 2."""
    logits, targets = of_both(torch.tensor([0.8]).logit(), torch.tensor([0.5, 0.1]).logit())

    found = float(dist_pu.loss(logits, targets, LossSettings(prior=0.2)))

    assert found == pytest.approx(0.2 + 0.25 + 0.004 * (0.693147 + 0.325083) / 2, abs=1e-6)


def test_dist_pu_prefers_sure_answers_of_the_same_mean() -> None:
    sure, unsure = unlabelled([0.98] + [0.02] * 9), unlabelled([0.116] * 10)

    assert value_of("dist_pu", *sure) < value_of("dist_pu", *unsure)


def test_certain_counts_have_a_finite_gradient() -> None:
    """Half weights put the mean between two counts, where a Gaussian without a width would jump."""
    logits = as_batch([100.0] * 7 + [-100.0] * 12).float().requires_grad_()
    w = torch.linspace(0.1, 1, 19).view_as(logits)

    for card in (ge_binomial, ge_kl):
        slope = gradient(card.loss(logits, Targets(torch.zeros_like(w), w), TOPAZ).mean(), logits)
        assert bool(torch.isfinite(slope).all())


def test_ge_binomial_never_counts_more_particles_than_a_group_has_pixels() -> None:
    """361 pixels are groups of 181 and 180; almost all of them are particles."""
    probabilities = [0.98] * 361
    settings = LossSettings(prior=0.9)

    found = value_of("ge_binomial", *unlabelled(probabilities), settings)

    alone = [value_of("ge_binomial", *unlabelled(probabilities[start::2]), settings) for start in (0, 1)]
    assert found == pytest.approx(float(np.mean(alone)))
