"""Training from clicks: what is not clicked was not judged."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cryoglean.clicks import clicked
from cryoglean.counting import choose_by_count
from cryoglean.picks import Picks
from cryoglean.prepare.split import Region
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import Selector
from cryoglean.streams import Batch, Phase, taught
from cryoglean.targets import Targets
from cryoglean.task import Task

NOBODY = nn.Identity()


def draw(phase: Phase, step: int = 3, **options: float) -> Batch:
    (batch,) = clicked(**options)(phase)(NOBODY, NOBODY, step)
    return batch


def as_sparse(phase: Phase, **more: object) -> Task:
    settings = phase.task.settings
    labels = settings.labels.model_copy(update={"kind": "sparse"})
    return replace(phase.task, settings=settings.model_copy(update={"labels": labels}), **more)  # type: ignore[arg-type]


def test_near_clicks_only_their_cores_count_and_elsewhere_everything(make_phase: Callable[..., Phase]) -> None:
    batch = draw(make_phase())
    near, anywhere = batch.targets.w.split([2, 3])
    cores = batch.targets.y[:2] > 0

    assert len(batch.images) == 2 + 3
    assert bool(cores.any())
    assert bool((near[~cores] == 0).all())
    assert float(anywhere.mean()) > 0.5
    assert batch.losses == ("nnpu",)


def test_unlabelled_micrographs_are_among_the_unjudged(make_phase: Callable[..., Phase]) -> None:
    """The stand-in unlabelled picture is made dark, so that its crops are known again."""
    phase = make_phase()
    dark = replace(phase.unlabelled()[0], image=torch.full((160, 160), -4.0))
    phase = replace(phase, unlabelled=lambda: (dark,))

    means = torch.cat([draw(phase, step).images.mean((1, 2, 3)) for step in range(12)])

    assert bool((means < -3).any())
    assert bool((means > -1).any())


def test_what_is_clicked_is_taken_off_the_prior(make_phase: Callable[..., Phase]) -> None:
    """Three discs of radius 6 on 160 x 160 pixels are clicked, and one in the unlabelled picture is expected more."""
    phase = make_phase()
    seen, unseen = phase.labelled[0], phase.unlabelled()[0]
    share = float((seen.y * seen.w).sum() / ((seen.w > 0).sum() + (unseen.w > 0).sum()))

    prior = draw(phase).settings.prior

    assert prior == pytest.approx((phase.knowledge.core_share - share) / (1 - share))
    twice = draw(phase, prior_times=2.0).settings.prior
    assert twice == pytest.approx((2 * phase.knowledge.core_share - share) / (1 - share))


def test_a_prior_that_the_user_gives_is_taken_as_it_is(make_phase: Callable[..., Phase]) -> None:
    assert draw(make_phase("loss.prior=0.123")).settings.prior == 0.123


def test_fewer_particles_than_clicks_leave_a_prior_above_0(make_phase: Callable[..., Phase]) -> None:
    phase = make_phase()
    few = replace(phase, knowledge=replace(phase.knowledge, density=1e-9))

    assert 0 < draw(few).settings.prior < 0.001


def test_of_a_clicked_micrograph_a_teacher_says_nothing_about_clicked_pixels(make_phase: Callable[..., Phase]) -> None:
    """Neither core nor ring: a click is never pseudo-labelled background (methods.md S13)."""
    task = as_sparse(make_phase())
    told, free = task.learned(Region("seen")), task.unlearned(task.prepared["seen"])

    assert bool((free.w[told.y > 0] == 0).all())
    assert bool((free.w[told.w == 0] == 0).all())
    assert float(free.w.mean()) > 0.5


def test_clicked_micrographs_may_be_labelled_by_a_teacher_and_complete_ones_not(
    make_phase: Callable[..., Phase],
) -> None:
    complete = make_phase().task

    assert set(complete.unjudged) == {"unseen"}
    assert set(as_sparse(make_phase()).unjudged) == {"seen", "unseen"}


def test_a_threshold_by_count_keeps_as_many_picks_as_are_expected() -> None:
    picks = Picks.of_one("a", np.zeros((10, 2)), np.linspace(0.1, 1.0, 10))

    chosen = choose_by_count(picks, 4.2)

    assert len(picks.above(chosen.threshold)) == 4
    assert chosen.threshold == pytest.approx(0.65)
    assert "4 of 4" in chosen.reason


@pytest.mark.parametrize(("expected", "kept"), [(0.0, 1), (10, 10), (99, 10)])
def test_a_threshold_by_count_stays_within_what_there_is(expected: float, kept: int) -> None:
    picks = Picks.of_one("a", np.zeros((10, 2)), np.linspace(0.1, 1.0, 10))

    assert len(picks.above(choose_by_count(picks, expected).threshold)) == kept


def test_without_a_pick_the_threshold_is_said_to_be_a_guess() -> None:
    assert "guess" in choose_by_count(Picks.empty(("a",)), 5).reason


def test_of_unjudged_pixels_fewer_are_particles_the_more_are_clicked(make_phase: Callable[..., Phase]) -> None:
    """Three particles are clicked; where no more than those are expected, nothing is left to call particle."""
    phase = make_phase()
    phase = replace(phase, task=as_sparse(phase), unlabelled=lambda: ())
    task = phase.task
    clicked = replace(phase, unlabelled=lambda: (task.unlearned(task.prepared["seen"]),))
    seen: list[float] = []
    spy = Labeller(1, (), Selector("spy", lambda guess, _state, knowledge: (
        seen.append(knowledge.density), Targets(guess.probability, guess.valid))[1]))  # fmt: skip

    pixels = float(task.learnable(task.prepared["seen"]).sum()) / task.stride**2
    for expected in (3, 6):
        density = expected / pixels
        one = replace(clicked, knowledge=replace(clicked.knowledge, density=density))
        network = nn.AvgPool2d(2)
        taught(spy, look="plain")(one)(network, network, 9)

    few, more = (density * pixels for density in seen)
    assert few == pytest.approx(0, abs=0.2)
    assert more == pytest.approx(3, abs=0.3)
