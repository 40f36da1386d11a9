"""Maps in, targets out."""

import math

import pytest
import torch

from cryoglean.pseudo.calibrate import prior_match, sharpen, undo_loss
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual, quantile

KNOWLEDGE = Knowledge(density=0.1 / (math.pi * 8**2), particle_pixels=20.0, positive_weight=3.0)


def make_guess(seed: int = 0) -> Guess:
    generator = torch.Generator().manual_seed(seed)
    views = torch.sigmoid(1.5 * torch.randn(2, 1, 1, 40, 40, generator=generator) - 1.5)
    valid = torch.ones(1, 1, 40, 40)
    valid[..., :4] = 0
    return Guess.from_views(views, valid)


def test_a_plain_labeller_gives_the_probability_where_it_is_valid() -> None:
    labeller, guess = Labeller(), make_guess()

    calibrated, targets = labeller.label(guess, labeller.fit(guess.sample(), KNOWLEDGE), KNOWLEDGE)

    assert torch.equal(targets.y, guess.probability)
    assert torch.equal(targets.w, guess.valid)
    assert torch.equal(calibrated.probability, guess.probability)
    assert labeller.views == 8


def test_each_step_is_fitted_to_what_the_step_before_made() -> None:
    """The mean is at the prior only if the shift was found after the weight was undone."""
    guess, labeller = make_guess(), Labeller(1, (undo_loss(), prior_match()))

    states = labeller.fit(guess.sample(), KNOWLEDGE)
    calibrated = labeller.calibrated(guess, states)

    assert states[0] == (3.0, 0.0)
    assert float(calibrated.sample().mean()) == pytest.approx(KNOWLEDGE.soft_share, abs=1e-4)


def test_the_order_of_calibrators_matters() -> None:
    guess = make_guess()
    first, second = (Labeller(1, steps) for steps in [(prior_match(), sharpen(0.5)), (sharpen(0.5), prior_match())])

    sharp_last, matched_last = (
        float(each.calibrated(guess, each.fit(guess.sample(), KNOWLEDGE)).sample().mean()) for each in (first, second)
    )

    assert matched_last == pytest.approx(KNOWLEDGE.soft_share, abs=1e-4)
    assert sharp_last < 0.8 * matched_last


def test_the_selector_is_fitted_to_and_sees_calibrated_probabilities() -> None:
    guess, labeller = make_guess(), Labeller(1, (undo_loss(), prior_match()), quantile(0.7, 0.8))

    states = labeller.fit(guess.sample(), KNOWLEDGE)
    calibrated, targets = labeller.label(guess, states, KNOWLEDGE)

    assert len(states) == 3
    assert states[-1][0] == pytest.approx(float(calibrated.sample().quantile(1 - 0.7 * KNOWLEDGE.core_share)), abs=0.01)
    trusted = (targets.y * targets.w).sum() / guess.valid.sum()
    assert float(trusted) == pytest.approx(0.7 * KNOWLEDGE.core_share, abs=1e-3)


def test_a_state_fitted_to_all_micrographs_is_applied_to_each_as_it_is() -> None:
    """Pooled: a crowded and an empty micrograph must not both be moved to the prior."""
    crowded = make_guess()
    empty = crowded.with_probability(crowded.probability * 0.01)
    labeller = Labeller(1, (prior_match(),))

    states = labeller.fit(torch.cat([crowded.sample(), empty.sample()]), KNOWLEDGE)
    means = [float(labeller.calibrated(guess, states).sample().mean()) for guess in (crowded, empty)]

    assert sum(means) / 2 == pytest.approx(KNOWLEDGE.soft_share, abs=1e-4)
    assert means[0] > 10 * means[1]


def test_calibration_leaves_spread_votes_and_the_guess_itself_alone() -> None:
    guess, labeller = make_guess(), Labeller(1, (undo_loss(),))
    before = guess.probability.clone()

    calibrated = labeller.calibrated(guess, labeller.fit(guess.sample(), KNOWLEDGE))

    assert torch.equal(guess.probability, before)
    assert torch.equal(calibrated.spread, guess.spread)
    assert torch.equal(calibrated.votes, guess.votes)
    assert bool((calibrated.probability < before).all())


def test_undoing_the_weight_changes_what_is_trusted() -> None:
    """Without it a network trained with weight 3 calls far too much a particle."""
    guess = make_guess()
    raw, undone = Labeller(1, (), dual()), Labeller(1, (undo_loss(),), dual())

    shares = [
        float((targets.y * targets.w).mean())
        for labeller in (raw, undone)
        for _, targets in [labeller.label(guess, labeller.fit(guess.sample(), KNOWLEDGE), KNOWLEDGE)]
    ]

    assert shares[1] < 0.5 * shares[0]
