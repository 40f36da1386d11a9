"""Which micrographs are learned from."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cryoglean.pseudo.budget import (
    Budget,
    Candidate,
    above,
    by_balance,
    by_confidence,
    by_stability,
    describe,
    keep_all,
    stratified,
    top_k,
)
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.select import confident, everything
from cryoglean.targets import Targets

KNOWLEDGE = Knowledge(density=0.04 / (math.pi * 6**2), particle_pixels=20.0, labelled=2)


def make(count: int = 5, *, confidence: float = 0.9, share: float = 0.04, stability: float = 0.8) -> Candidate:
    return Candidate(f"m{count}", count, share, confidence, 0.8, 0.95, stability)


def discs(centres: list[tuple[int, int]], radius: float, size: int = 96) -> Tensor:
    """(y, x) of 0 and 1."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    out = torch.zeros(size, size)
    for row, column in centres:
        out[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = 1
    return out


def simulate_maps(number: int) -> list[Candidate]:
    """Maps with 0 to 12 particles: logits N(.8, 1.2) on particles, N(-2.5, 1.2) on background (as in S8)."""
    generator = torch.Generator().manual_seed(0)
    places = [(12 + 24 * row, 12 + 24 * column) for row in range(4) for column in range(4)]
    valid = torch.ones(1, 1, 96, 96)
    candidates = []
    for index in range(number):
        count = index % 13
        is_particle = discs(places[:count], 6.0).bool()
        logits = torch.where(is_particle, 0.8, -2.5) + 1.2 * torch.randn(96, 96, generator=generator)
        guess = Guess.from_views(torch.sigmoid(logits)[None, None, None], valid)
        targets = everything().apply(guess, (), KNOWLEDGE)
        candidates.append(describe(f"m{index}", count, guess, targets))
    return candidates


def test_mean_confidence_chooses_the_micrographs_without_particles() -> None:
    """checks.md S7: correlation with the count below -.9, all pass .70, all 31 empty ones are in the best quarter."""
    candidates = simulate_maps(400)
    knowledge = Knowledge(KNOWLEDGE.density, 20.0, labelled=100)
    scores = [by_confidence(candidate, knowledge) for candidate in candidates]

    best = top_k(1.0, by_confidence)(candidates, knowledge)

    empty = {place for place, candidate in enumerate(candidates) if candidate.count == 0}
    assert np.corrcoef(scores, [candidate.count for candidate in candidates])[0, 1] < -0.9
    assert len(above(0.7, by_confidence)(candidates, knowledge)) == 400
    assert len(empty) == 31
    assert empty <= set(best)


def stability_of(first: Tensor, second: Tensor) -> float:
    """Of two checkpoints or views that say 0 or 1."""
    guess = Guess.from_views(torch.stack([first, second])[:, None, None], torch.ones(1, 1, 96, 96))
    targets = everything().apply(guess, (), KNOWLEDGE)
    return by_stability(describe("one", 0, guess, targets), KNOWLEDGE)


EIGHT = [(16 + 30 * row, 16 + 24 * column) for row in range(2) for column in range(4)]
EMPTY, SURE = torch.zeros(96, 96), discs(EIGHT, 4.0)
JITTER = discs([(row, column + 1) for row, column in EIGHT], 4.0)
LOSS = discs([(row, column + 1) for row, column in EIGHT[1:]], 4.0)


def overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over union; 1 where both are empty."""
    union = float(torch.maximum(first, second).sum())
    return float((first * second).sum()) / union if union else 1.0


def test_a_micrograph_without_particles_is_not_the_stablest() -> None:
    """checks.md S12: overlap of both classes (ST++) orders empties > jitter > one lost; ours leaves out the empties."""
    pairs = [(EMPTY, EMPTY), (SURE, JITTER), (SURE, LOSS)]
    both_classes = [(overlap(first, second) + overlap(1 - first, 1 - second)) / 2 for first, second in pairs]

    empties, jitter, loss = (stability_of(first, second) for first, second in pairs)

    assert both_classes[0] == 1 > both_classes[1] > both_classes[2]
    assert 1 > jitter > loss > empties
    assert empties == 0.5


@pytest.mark.parametrize("other", [SURE, JITTER, LOSS], ids=["same", "jitter", "loss"])
def test_stability_is_the_overlap_of_what_two_views_call_particle(other: Tensor) -> None:
    assert stability_of(SURE, other) == pytest.approx(overlap(SURE, other), abs=1e-6)


def test_views_that_are_split_in_halves_are_not_stable_at_all() -> None:
    assert stability_of(SURE, EMPTY) == 0


def test_a_micrograph_is_described_by_its_trusted_pixels() -> None:
    p = torch.tensor([0.9, 0.8, 0.6, 0.1, 0.2, 0.95]).view(1, 1, 1, 6)
    valid = torch.tensor([1.0, 1, 1, 1, 1, 0]).view_as(p)
    spread = torch.tensor([0.1, 0.3, 0.5, 0, 0, 0]).view_as(p)
    guess = Guess(p, spread, (p >= 0.5).float(), valid)

    found = describe("one", 2, guess, confident(trust_above=0.7).apply(guess, (), KNOWLEDGE))

    assert (found.name, found.count) == ("one", 2)
    assert found.share == pytest.approx(2 / 4)
    assert found.confidence == pytest.approx((0.9 + 0.8 + 0.6 + 0.9 + 0.8) / 5)
    assert found.particle_confidence == pytest.approx(0.85)
    assert found.background_confidence == pytest.approx(0.85)
    assert found.stability == pytest.approx(1 - 2 * 0.2)


def test_a_micrograph_of_which_nothing_is_trusted_is_described_too() -> None:
    p = torch.full((1, 1, 4, 4), 0.6)
    guess = Guess(p, p * 0, p * 0, torch.zeros_like(p))

    found = describe("one", 0, guess, Targets(p, torch.zeros_like(p)))

    assert (found.share, found.confidence, found.particle_confidence, found.background_confidence) == (0, 0, 0, 0)
    assert math.isnan(found.stability)


def test_balance_is_best_at_the_prior_and_symmetric_in_ratio() -> None:
    """methods.md S5: 0.3 particle + 0.2 background confidence + 0.5 balance."""
    at, half, twice, none = (by_balance(make(share=share), KNOWLEDGE) for share in (0.04, 0.02, 0.08, 0.0))

    assert at == pytest.approx(0.3 * 0.8 + 0.2 * 0.95 + 0.5)
    assert half == pytest.approx(twice)
    assert half == pytest.approx(at - 0.25)
    assert none == pytest.approx(at - 0.5)


def test_all_are_kept_by_default() -> None:
    assert keep_all()([make(), make(), make()], KNOWLEDGE) == [0, 1, 2]


def test_the_best_are_kept_as_many_as_are_labelled() -> None:
    candidates = [make(confidence=value) for value in (0.2, 0.9, 0.5, 0.8, 0.1)]

    assert top_k(1.0, by_confidence)(candidates, KNOWLEDGE) == [1, 3]
    assert top_k(1.5, by_confidence)(candidates, KNOWLEDGE) == [1, 2, 3]
    assert top_k(0.1, by_confidence)(candidates, KNOWLEDGE) == [1]
    assert top_k(99.0, by_confidence)(candidates, KNOWLEDGE) == [0, 1, 2, 3, 4]


def test_a_threshold_keeps_what_reaches_it_even_none() -> None:
    candidates = [make(confidence=value) for value in (0.2, 0.7, 0.9)]

    assert above(0.7, by_confidence)(candidates, KNOWLEDGE) == [1, 2]
    assert above(0.95, by_confidence)(candidates, KNOWLEDGE) == []


def test_strata_keep_the_best_of_every_crowding() -> None:
    counts, stabilities = [0, 1, 2, 3, 10, 11, 30, 31], [0.5, 0.9, 0.8, 0.7, 0.6, 0.65, 0.3, 0.2]
    candidates = [make(count, stability=value) for count, value in zip(counts, stabilities, strict=True)]

    kept = stratified(2.0, by_stability)(candidates, KNOWLEDGE)

    assert [counts[place] for place in kept] == [1, 2, 11, 30]
    assert [counts[place] for place in top_k(2.0, by_stability)(candidates, KNOWLEDGE)] == [1, 2, 3, 11]


def test_strata_give_what_the_ratio_allows_also_where_it_is_no_multiple_of_them() -> None:
    candidates = [make(count) for count in range(10)]

    for ratio in (0.1, 1.0, 1.5, 3.5, 99.0):
        kept = stratified(ratio, by_stability)(candidates, KNOWLEDGE)

        assert len(set(kept)) == len(kept) == min(max(int(2 * ratio), 1), 10)


@pytest.mark.parametrize(
    "budget",
    [keep_all(), above(0.5, by_confidence), top_k(1.0, by_balance), stratified(1.0, by_stability)],
    ids=["all", "above", "top", "stratified"],
)
def test_no_candidates_are_kept_of_none(budget: Budget) -> None:
    assert budget([], KNOWLEDGE) == []
