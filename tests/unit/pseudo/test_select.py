"""Which pixels become what, and which are ignored."""

import math

import pytest
import torch
from torch import Tensor

from cryoglean.pseudo.budget import Candidate, describe
from cryoglean.pseudo.calibrate import State
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.select import Selector, confident, consensus, dual, everything, particles, quantile, soft
from cryoglean.targets import Targets

KNOWLEDGE = Knowledge(density=3 / 80**2, particle_pixels=16.0)


def guess_of(p: Tensor | list[float], votes: Tensor | list[float] | None = None) -> Guess:
    """A guess of (y, x) probabilities, or of a row of them, valid everywhere."""
    maps = torch.as_tensor(p, dtype=torch.float32).reshape(1, 1, *([1, -1] if isinstance(p, list) else p.shape))
    cast = (maps >= 0.5).float() if votes is None else torch.as_tensor(votes).float().view_as(maps)
    return Guess(maps, torch.zeros_like(maps), cast, torch.ones_like(maps))


def bump(heights: dict[tuple[int, int], float], size: int = 80) -> Tensor:
    """(y, x): flat-topped discs of radius 5 that fall to 0 at 8."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    out = torch.zeros(size, size)
    for (row, column), height in heights.items():
        distance = ((y - row) ** 2 + (x - column) ** 2).sqrt()
        out = torch.maximum(out, height * ((8 - distance) / 3).clamp(0, 1))
    return out


def select(selector: Selector, guess: Guess, state: State = (), knowledge: Knowledge = KNOWLEDGE) -> Targets:
    return selector.apply(guess, state, knowledge)


def values(targets: Targets) -> tuple[list[float], list[float]]:
    return targets.y.flatten().tolist(), targets.w.flatten().tolist()


@pytest.mark.parametrize("trust", [0.5, 0.6, 0.7, 0.95])
def test_a_higher_threshold_for_the_label_changes_nothing_inside_the_mask(trust: float) -> None:
    """checks.md U1: 0 of 655,360 pixels differ, the targets of the notes' repair are equal to the bit."""
    guess = guess_of(torch.rand(640, 1024, generator=torch.Generator().manual_seed(0)))

    as_it_was, repaired = select(confident(trust, trust), guess), select(confident(0.5, trust), guess)

    assert torch.equal(as_it_was.w, repaired.w)
    assert torch.equal(as_it_was.y * as_it_was.w, repaired.y * repaired.w)
    assert float(repaired.w.mean()) == pytest.approx(2 * (1 - trust), abs=0.005)


def test_without_the_mask_the_threshold_decides_a_fifth_of_all_pixels() -> None:
    """checks.md U1: 131,376 of 655,360 (20 %) differ at .7."""
    guess = guess_of(torch.rand(640, 1024, generator=torch.Generator().manual_seed(0)))

    differ = select(everything(0.7), guess).y != select(everything(0.5), guess).y

    assert int(differ.sum()) == pytest.approx(131_376, rel=0.01)


UNSURE = {
    "confident": (confident(), ()),
    "confident with a high threshold for the label": (confident(particle_above=0.9, trust_above=0.7), ()),
    "dual": (dual(), ()),
    "dual with a low threshold": (dual(particle=0.3), ()),
    "quantile": (quantile(), (0.9, 0.1)),
    "consensus": (consensus(), ()),
    "unanimous": (consensus(particle=1.0, background=1e-3), ()),
}


@pytest.mark.parametrize("name", UNSURE)
def test_an_unsure_pixel_is_ignored_and_not_background(name: str) -> None:
    """checks.md U16: SSL4MIS calls it background at full weight."""
    selector, state = UNSURE[name]

    _, w = values(select(selector, guess_of([0.45, 0.999, 0.001], votes=[0.5, 1, 0]), state))

    assert w == [0, 1, 1]


@pytest.mark.parametrize("is_soft", [True, False])
def test_an_unsure_particle_is_ignored_and_not_background(*, is_soft: bool) -> None:
    """checks.md U16, at the level of particles: the whole disc and its ring."""
    targets = select(particles(is_soft=is_soft), guess_of(bump({(20, 20): 0.5, (60, 60): 1.0})))

    assert float(targets.w[..., 16:25, 16:25].max()) == 0
    assert (float(targets.w[..., 60, 60]), float(targets.w[..., 40, 40])) == (1, 1)


def test_a_soft_target_of_an_unsure_pixel_is_its_probability() -> None:
    """checks.md U16: neither ignored nor background."""
    y, w = values(select(soft(), guess_of([0.45, 0.9])))

    assert y == pytest.approx([0.45, 0.9])
    assert w == [1, 1]


def test_everything_is_the_selector_that_calls_the_unsure_background() -> None:
    assert values(select(everything(0.7), guess_of([0.65, 0.75]))) == ([0, 1], [1, 1])


@pytest.mark.parametrize(
    "selector", [everything(), confident(), dual(), soft(), consensus(), particles(), quantile()], ids=lambda s: s.name
)
def test_targets_have_the_range_and_ignore_what_is_not_valid(selector: Selector) -> None:
    guess = guess_of(bump({(20, 20): 0.9, (60, 60): 0.3}))
    guess.valid[..., :40] = 0

    state = selector.fit(guess.sample(), KNOWLEDGE)
    targets = select(selector, guess, state)

    assert float(targets.w[..., :40].max()) == 0
    assert float(targets.w[..., 40:].max()) == 1
    assert 0 <= float(targets.y.min()) <= float(targets.y.max()) <= 1


def test_dual_asks_less_of_particles_than_of_background() -> None:
    y, w = values(select(dual(0.6, 0.8), guess_of([0.59, 0.61, 0.21, 0.19])))

    assert w == [0, 1, 0, 1]
    assert y[1::2] == [1, 0]


def survive(selector: Selector) -> tuple[float, float, Candidate]:
    """The trusted shares of true particle and background pixels, and the rest in numbers."""
    generator = torch.Generator().manual_seed(0)
    is_particle = torch.arange(500, dtype=torch.float32).repeat(1000).view(1000, 500) < 20  # 4 %
    noise = torch.randn(1000, 500, generator=generator)
    guess = guess_of(torch.sigmoid(torch.where(is_particle, 0.8, -2.5) + 1.2 * noise))
    targets = select(selector, guess)
    w = targets.w[0, 0]
    return float(w[is_particle].mean()), float(w[~is_particle].mean()), describe("one", 0, guess, targets)


@pytest.mark.parametrize(
    ("selector", "particle", "background", "share"),
    [
        (confident(trust_above=0.7), 0.558, 0.919, 0.0234),
        (confident(trust_above=0.95), 0.036, 0.356, 0.0041),
        (dual(0.6, 0.8), 0.66, 0.833, 0.039),
    ],
    ids=[".70", ".95", "dual"],
)
def test_one_threshold_starves_the_rare_class_and_two_do_not(
    selector: Selector, particle: float, background: float, share: float
) -> None:
    """checks.md S8: logits N(.8, 1.2) and N(-2.5, 1.2), 4 % particle; within .02, the share within .003."""
    found_particle, found_background, candidate = survive(selector)

    assert found_particle == pytest.approx(particle, abs=0.02)
    assert found_background == pytest.approx(background, abs=0.02)
    assert candidate.share == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize(("members", "share"), [(1, 0.0288), (3, 0.0090), (5, 0.0033)])
def test_the_more_must_agree_the_fewer_particles_are_left(members: int, share: float) -> None:
    """checks.md S9: recall .6, specificity .995, 4 % particle; within 5 %."""
    is_particle = torch.arange(3_000_000) < 120_000
    chance = torch.where(is_particle, 0.6, 0.005)
    generator = torch.Generator().manual_seed(0)
    views = torch.stack([(torch.rand(len(chance), generator=generator) < chance).float() for _ in range(members)])
    views = views.view(members, 1, 1, 1, -1)

    targets = select(consensus(particle=1.0, background=1e-3), Guess.from_views(views, torch.ones_like(views[0])))

    assert float((targets.y * targets.w).sum() / targets.w.sum()) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("views", [3, 24])
def test_exactly_two_thirds_of_the_votes_are_a_particle_and_exactly_one_third_is_nothing(views: int) -> None:
    said = torch.zeros(views, 1, 1, 1, 3)
    said[: 2 * views // 3, ..., 0], said[: views // 3, ..., 1] = 1, 1

    y, w = values(select(consensus(), Guess.from_views(said, torch.ones(1, 1, 1, 3))))

    assert (y, w) == ([1, 0, 0], [1, 0, 1])


def test_quantiles_trust_as_many_pixels_of_each_class_as_the_prior_allows() -> None:
    knowledge = Knowledge(0.04 / (math.pi * 6**2), particle_pixels=20.0)
    selector, p = quantile(0.7, 0.8), torch.rand(200, 500, generator=torch.Generator().manual_seed(0))

    targets = select(selector, guess_of(p), selector.fit(p.flatten(), knowledge), knowledge)

    particle = float((targets.y * targets.w).mean())
    assert particle == pytest.approx(0.7 * 0.04, abs=2e-5)
    assert float(targets.w.mean()) - particle == pytest.approx(0.8 * 0.96, abs=2e-5)


def test_quantiles_of_a_flat_map_call_nothing_a_particle() -> None:
    """Before, all of it was: each pixel is as high as the highest."""
    selector, flat = quantile(), torch.full((20, 20), 1e-6)

    targets = select(selector, guess_of(flat), selector.fit(flat.flatten(), KNOWLEDGE))

    assert float((targets.y * targets.w).sum()) == 0
    assert float(targets.w.sum()) == 0


def test_quantiles_of_no_pixels_trust_nothing_but_certainty() -> None:
    selector = quantile()

    state = selector.fit(torch.zeros(0), KNOWLEDGE)

    assert values(select(selector, guess_of([0.99, 0.01, 1.0, 0.0]), state))[1] == [0, 0, 1, 1]


def test_a_particle_is_a_disc_as_sure_as_its_peak_with_an_ignored_ring() -> None:
    targets = select(particles(), guess_of(bump({(40, 40): 0.9})))
    row_y, row_w = targets.y[0, 0, 40], targets.w[0, 0, 40]

    assert row_y[36:45].tolist() == pytest.approx([0.9] * 9, rel=0.03)  # radius .3 of 16
    assert row_w[36:45].tolist() == [1] * 9
    assert (row_w[32:36].tolist(), row_w[45:49].tolist()) == ([0] * 4, [0] * 4)  # to radius .5
    assert (float(row_w[31]), float(row_w[49]), float(row_y[49])) == (1, 1, 0)


def test_a_hard_particle_is_one_and_a_doubtful_one_is_background() -> None:
    guess = guess_of(bump({(20, 20): 0.9, (60, 60): 0.3}))

    hard, gentle = select(particles(is_soft=False), guess), select(particles(), guess)

    assert (float(hard.y[..., 20, 20]), float(hard.w[..., 20, 20])) == (1, 1)
    assert (float(hard.y[..., 60, 60]), float(hard.w[..., 60, 60])) == (0, 1)
    assert float(gentle.y[..., 60, 60]) == pytest.approx(0.3, rel=0.03)


def test_particles_beyond_what_is_plausible_are_ignored_and_not_background() -> None:
    """One is expected, twice that may be kept: of four the two highest."""
    four = {(16, 16): 0.97, (16, 60): 0.95, (60, 16): 0.9, (60, 60): 0.85}
    knowledge = Knowledge(density=1 / 80**2, particle_pixels=16.0)

    targets = select(particles(), guess_of(bump(four)), (), knowledge)

    kept = [(float(targets.y[0, 0, r, c]), float(targets.w[0, 0, r, c])) for r, c in four]
    assert [round(y, 1) for y, _ in kept] == [1.0, 0.9, 0.0, 0.0]
    assert [w for _, w in kept] == [1, 1, 0, 0]


def test_equal_particles_are_not_kept_beyond_what_is_plausible() -> None:
    """Before, a tie at the limit let all of them in."""
    four = dict.fromkeys([(16, 16), (16, 60), (60, 16), (60, 60)], 1.0)
    knowledge = Knowledge(density=1 / 80**2, particle_pixels=16.0)

    targets = select(particles(is_soft=False), guess_of(bump(four)), (), knowledge)

    assert sum(float(targets.y[0, 0, r, c]) for r, c in four) == 2


def test_at_least_one_particle_is_plausible() -> None:
    targets = select(particles(), guess_of(bump({(40, 40): 0.95})), (), Knowledge(0.0, 16.0))

    assert float(targets.y[..., 40, 40]) > 0.9
