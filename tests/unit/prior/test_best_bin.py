"""The best-bin estimate: exact on made-up bins, an upper bound under overlap, honest about luck."""

from __future__ import annotations

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.prior.best_bin import best_ratio, estimate_best_bin, purer_ratio, separate
from cryoglean.prior.counting import count_scores, shares_above


def gaussians(share, distance, seed=0, labelled=300, unlabelled=4000):
    random = np.random.default_rng(seed)
    hidden = random.binomial(unlabelled, share)
    rest = random.normal(0, 1, unlabelled - hidden)
    return random.normal(distance, 1, labelled), np.concatenate([random.normal(distance, 1, hidden), rest])


def crowds(seed, spread=0.9, micrographs=20):
    """Micrographs that differ widely in how many of their 100 things are particles; the mean share is .3."""
    random = np.random.default_rng(seed)
    shares = random.uniform(0.3 - 0.3 * spread, 0.3 + 0.3 * spread, micrographs)
    hidden = random.random((micrographs, 100)) < shares[:, None]
    unlabelled = np.where(hidden, 6.0, 0.0) + random.normal(0, 1, hidden.shape)
    positive = 6 + random.normal(0, 1, 20 * micrographs)
    return positive, unlabelled.ravel(), np.repeat(np.arange(micrographs), 20), np.repeat(np.arange(micrographs), 100)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.6, 1.0])
def test_scores_that_never_overlap_give_the_exact_share(share):
    hidden = round(share * 400)
    positive = np.tile([5.0, 6.0, 7.0, 8.0], 25)
    unlabelled = np.concatenate([np.resize(positive, hidden), np.zeros(400 - hidden)])

    estimate = estimate_best_bin(positive, unlabelled)

    assert estimate.ratio == pytest.approx(share)
    assert estimate.low <= share <= estimate.high


@pytest.mark.parametrize("share", [0.04, 0.1, 0.2, 0.5])
def test_well_parted_gaussians_give_the_share_within_the_accepted_error(share):
    """S3: at most .05 off, .08 at a half."""
    estimate = estimate_best_bin(*gaussians(share, 3))

    assert estimate.is_identifiable
    assert estimate.value == pytest.approx(share, abs=0.05 if share < 0.5 else 0.08)
    assert estimate.low <= share <= estimate.high


@pytest.mark.parametrize("seed", range(10))
def test_overlapping_gaussians_give_a_sentence_and_no_number(seed):
    """S6: at distance 1 the formula says about .28 where .04 is true."""
    estimate = estimate_best_bin(*gaussians(0.04, 1, seed))

    assert estimate.ratio > 0.15
    assert (estimate.value, estimate.is_identifiable, estimate.low) == (None, False, 0.0)
    assert estimate.high >= estimate.ratio
    assert "Not identifiable" in estimate.reason
    assert "upper bound" in estimate.reason


def test_scores_without_any_difference_are_not_identifiable():
    random = np.random.default_rng(0)

    estimate = estimate_best_bin(random.normal(size=200), random.normal(size=2000))

    assert estimate.value is None
    assert estimate.high > 0.9


def test_half_clear_and_half_lost_particles_are_refused_though_the_bin_is_pure():
    """A known weakness, on the safe side: the ratio would be right, but nothing tells it from overlap."""
    random = np.random.default_rng(0)
    positive = np.concatenate([random.normal(6, 1, 150), random.normal(0, 1, 150)])
    unlabelled = np.concatenate([random.normal(6, 1, 200), random.normal(0, 1, 3800)])

    estimate = estimate_best_bin(positive, unlabelled)

    assert estimate.value is None
    assert estimate.ratio == pytest.approx(0.1, abs=0.02)


def test_few_labels_give_a_wider_interval_and_say_so():
    """Twenty clicks against 300; the mean width over draws, and the sentence."""
    widths = {}
    for labelled in (20, 300):
        told = [estimate_best_bin(*gaussians(0.2, 4, seed, labelled)) for seed in range(8)]
        widths[labelled] = np.mean([one.high - one.low for one in told])
        assert all(("Only 20 labelled" in one.reason) == (labelled == 20) for one in told if one.is_identifiable)

    assert widths[20] > 1.5 * widths[300]


def test_a_handful_of_labels_is_too_few_however_clear():
    """Fewer than 15: at distance 1 they would look parted in most draws."""
    estimate = estimate_best_bin(np.full(14, 9.0), np.zeros(1000))

    assert not estimate.is_identifiable
    assert "luck" in estimate.reason


def test_twenty_labels_are_seldom_parted_by_luck():
    """At distance 1; with the draws' own 2.5 % quantile alone it was one in five."""
    told = [estimate_best_bin(*gaussians(0.04, 1, seed, 20), draws=100).is_identifiable for seed in range(60)]

    assert sum(told) <= 6


def test_a_monotone_change_of_the_scores_changes_nothing_but_the_cut():
    positive, unlabelled = gaussians(0.1, 3)

    plain, bent = estimate_best_bin(positive, unlabelled), estimate_best_bin(np.exp(positive), np.exp(unlabelled))

    assert (plain.value, plain.low, plain.high) == (bent.value, bent.low, bent.high)
    assert plain.evidence.share_above == bent.evidence.share_above
    assert bent.evidence.cut == pytest.approx(np.exp(plain.evidence.cut))


def test_the_evidence_is_what_can_be_counted_at_the_cut():
    positive, unlabelled = gaussians(0.1, 3)

    estimate = estimate_best_bin(positive, unlabelled)

    above = [np.mean(scores >= estimate.evidence.cut) for scores in (positive, unlabelled)]
    assert estimate.evidence.share_above == pytest.approx(above[0])
    assert estimate.ratio == pytest.approx(above[1] / above[0])
    assert (estimate.evidence.positives, estimate.evidence.unlabelled) == (300, 4000)


def test_the_cut_minimises_ratio_and_bound_as_in_the_paper():
    """Written out anew from methods.md, over all cuts in a loop."""
    positive, unlabelled = gaussians(0.1, 2, labelled=60, unlabelled=300)
    error = 1.01 * (np.sqrt(np.log(40) / 600) + np.sqrt(np.log(40) / 120))
    bounds = {c: (np.mean(unlabelled >= c) + error) / np.mean(positive >= c) for c in positive}

    estimate = estimate_best_bin(positive, unlabelled)

    assert estimate.evidence.cut == min(bounds, key=bounds.get)


def test_many_labels_are_cut_at_quantiles_without_harm():
    positive, unlabelled = gaussians(0.1, 3, labelled=5000, unlabelled=20_000)
    counts = count_scores(positive, unlabelled)
    every = [np.mean(positive[:, None] >= np.unique(positive), axis=0), None]
    every[1] = 1 - np.searchsorted(np.sort(unlabelled), np.unique(positive)) / len(unlabelled)
    exact, _ = best_ratio(every[0], every[1], (5000, 20_000))

    estimate = estimate_best_bin(positive, unlabelled)

    assert len(counts.cuts) <= 512
    assert estimate.ratio == pytest.approx(exact[0], abs=0.003)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    scores = gaussians(0.1, 3)

    first, again, other = (estimate_best_bin(*scores, seed=seed) for seed in (1, 1, 2))

    assert (first.low, first.high) == (again.low, again.high)
    assert (first.low, first.high) != (other.low, other.high)
    assert first.ratio == other.ratio


def test_micrographs_that_differ_make_the_interval_wider_than_single_scores_do():
    positive, unlabelled, of_positive, of_unlabelled = crowds(0)

    single = estimate_best_bin(positive, unlabelled)
    grouped = estimate_best_bin(positive, unlabelled, positive_groups=of_positive, unlabelled_groups=of_unlabelled)

    assert grouped.ratio == single.ratio
    assert grouped.high - grouped.low > 1.3 * (single.high - single.low)


def test_interval_over_micrographs_holds_the_truth_in_about_95_of_100_repeats():
    """Binomial error 2.8 % with 60 repeats; single scores hold it less often."""
    inside = {"grouped": 0, "single": 0}
    for seed in range(60):
        positive, unlabelled, *groups = crowds(seed)
        grouped = estimate_best_bin(
            positive, unlabelled, positive_groups=groups[0], unlabelled_groups=groups[1], draws=120
        )
        single = estimate_best_bin(positive, unlabelled, draws=120)
        inside["grouped"] += grouped.low <= 0.3 <= grouped.high
        inside["single"] += single.low <= 0.3 <= single.high

    assert 52 <= inside["grouped"] <= 60
    assert inside["single"] < inside["grouped"]


def test_one_micrograph_is_drawn_by_single_scores():
    positive, unlabelled = gaussians(0.2, 4)
    groups = {"positive_groups": ["a"] * 300, "unlabelled_groups": ["a"] * 4000}

    assert estimate_best_bin(positive, unlabelled, **groups) == estimate_best_bin(positive, unlabelled)


def test_separation_of_parted_scores_is_one_and_of_equal_ones_zero():
    above = np.array([1.0, 1.0, 0.5]), np.array([1.0, 0.2, 0.1])

    assert separate(*above, np.array([0.2]))[0] == pytest.approx(1.0)
    assert separate(above[0], above[0], np.array([0.2]))[0] == 0.0


def test_separation_is_that_of_particles_and_the_rest_if_the_share_is_right():
    """At distance 2 the shares above the middle differ by 2 * Phi(1) - 1 = .683."""
    counts = count_scores(*gaussians(0.3, 2, labelled=20_000, unlabelled=60_000))
    above = shares_above(counts.positive.sum(axis=0)), shares_above(counts.unlabelled.sum(axis=0))

    assert separate(*above, np.array([0.3]))[0] == pytest.approx(0.683, abs=0.012)


def test_the_upper_half_of_a_pure_bin_has_the_same_ratio_and_of_an_impure_one_less():
    """Shares above four cuts: pure from the second on; and one whose ratio falls to the top."""
    positive = np.array([1.0, 0.8, 0.4, 0.2])
    pure, impure = np.array([1.0, 0.16, 0.08, 0.04]), np.array([1.0, 0.4, 0.1, 0.04])

    assert purer_ratio(positive, pure, np.array([1]))[0] == pytest.approx(0.2)
    assert purer_ratio(positive, impure, np.array([1]))[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("positive", "unlabelled", "words"),
    [
        ([], [1.0], "labelled particles"),
        ([1.0], [], "the unlabelled"),
        ([np.nan], [1.0], "1 of them not finite"),
        ([[1.0]], [1.0], "labelled particles"),
    ],
)
def test_scores_that_cannot_be_used_are_refused(positive, unlabelled, words):
    with pytest.raises(LabelsError, match=words):
        estimate_best_bin(positive, unlabelled)


@pytest.mark.parametrize("groups", [(["a"], None), (None, ["a"]), (["a", "b"], ["a"])])
def test_groups_that_do_not_fit_are_refused(groups):
    with pytest.raises(LabelsError, match="groups for 1 and 1 scores"):
        estimate_best_bin([1.0], [0.0], positive_groups=groups[0], unlabelled_groups=groups[1])
