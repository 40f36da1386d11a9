"""Streams: one geometric operation for both views, state that is carried, weights that count."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cryoglean.learn.agreement import measure_agreement
from cryoglean.learn.inspection import UNLABELLED_WEIGHT
from cryoglean.pseudo.calibrate import prior_match
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident
from cryoglean.streams import (
    Batch,
    Phase,
    Stream,
    add_losses,
    join_streams,
    labelled,
    pseudo_labelled,
    taught,
)
from cryoglean.targets import Targets


class Blur(nn.Module):
    """A stand-in for a network: logits at every second pixel, the same for a turned picture turned."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, image: Tensor) -> Tensor:
        smooth = nn.functional.avg_pool2d(image, 5, stride=1, padding=2, count_include_pad=False)
        return self.gain * smooth[..., ::2, ::2]


def batches(phase: Phase, stream: Stream, step: int = 9, network: nn.Module | None = None) -> tuple[Batch, ...]:
    chosen = network or Blur()
    return stream(phase)(chosen, chosen, step)


def test_with_unvaried_views_the_teacher_agrees_with_itself(make_phase: Callable[..., Phase]) -> None:
    """checks.md U14: geometry is shared, so without photometrics and with one network the loss is nothing."""
    phase, network = make_phase(), Blur()

    (batch,) = batches(phase, taught(Labeller(views=1), losses=("mse",)), network=network)
    value, _ = add_losses(network(batch.images), batch.targets, ("mse",), phase.task.settings.loss)

    assert float(value.detach()) < 1e-10


@pytest.mark.parametrize("views", [2, 8])
def test_more_views_of_an_equivariant_network_change_nothing(make_phase: Callable[..., Phase], views: int) -> None:
    """At the rim the network sees less; there the views may differ."""
    phase = make_phase()

    (one,) = batches(phase, taught(Labeller(views=1)))
    (many,) = batches(phase, taught(Labeller(views=views)))

    inner = (..., slice(3, -3), slice(3, -3))
    torch.testing.assert_close(many.targets.y[inner], one.targets.y[inner], atol=1e-5, rtol=0)


def test_strong_views_change_the_picture_and_not_the_target(make_phase: Callable[..., Phase]) -> None:
    calm, strong = make_phase(), make_phase("augment.strength=1")

    (before,) = batches(calm, taught(Labeller(views=1)))
    (after,) = batches(strong, taught(Labeller(views=1)))

    torch.testing.assert_close(after.targets.y, before.targets.y)
    assert float((after.images - before.images).abs().max()) > 0.1


def test_nothing_is_taught_during_the_burn_in_or_without_unlabelled_micrographs(
    make_phase: Callable[..., Phase],
) -> None:
    assert batches(make_phase(), taught(Labeller(views=1)), step=1) == ()
    assert batches(make_phase(unlabelled=tuple), taught(Labeller(views=1))) == ()
    assert batches(make_phase("unlabelled.weight=0"), taught(Labeller(views=1))) == ()
    assert batches(make_phase(pseudo=()), pseudo_labelled()) == ()


def test_two_views_share_the_weight_and_differ(make_phase: Callable[..., Phase]) -> None:
    phase = make_phase("augment.strength=1")

    first, second = batches(phase, taught(Labeller(views=1), views=2))

    assert first.weight + second.weight == pytest.approx(1.0)
    assert not torch.equal(first.images, second.images)
    assert torch.equal(first.targets.y, second.targets.y)


def test_the_teacher_may_be_the_student_and_keeps_its_mode(make_phase: Callable[..., Phase]) -> None:
    student, teacher = Blur().train(), Blur().eval()
    with torch.no_grad():
        teacher.gain.fill_(-2.0)
    phase = make_phase()
    one, other = (
        taught(Labeller(views=1), teacher_is=who)(phase)(student, teacher, 9)[0].targets.y  # type: ignore[arg-type]
        for who in ("student", "average")
    )

    torch.testing.assert_close(one, 1 - other)
    assert student.training


def test_a_calibration_is_averaged_over_steps_and_remembered(make_phase: Callable[..., Phase]) -> None:
    """One batch says little about a prior; what is remembered is what a checkpoint keeps."""
    phase = make_phase()
    stream = taught(Labeller(1, (prior_match(),)))(phase)
    network = Blur()

    stream(network, network, 8)
    first = phase.memory["labeller.0"][0]
    stream(network, network, 9)
    second = phase.memory["labeller.0"][0]
    fresh = taught(Labeller(1, (prior_match(),)))(make_phase())(network, network, 9)
    alone = make_phase()
    taught(Labeller(1, (prior_match(),)))(alone)(network, network, 9)

    assert fresh
    assert second == pytest.approx(0.9 * first + 0.1 * alone.memory["labeller.0"][0])
    assert second != first


def test_an_unsure_pixel_is_ignored(make_phase: Callable[..., Phase]) -> None:
    """checks.md U16, through the stream."""
    phase = make_phase()

    (batch,) = batches(phase, taught(Labeller(1, (), confident(0.5, 0.7)), look="varied"))
    (soft,) = batches(phase, taught(Labeller(1), look="varied"))

    unsure = (soft.targets.y > 0.3) & (soft.targets.y < 0.7)
    assert unsure.any()
    assert float(batch.targets.w[unsure].max()) == 0


def test_all_streams_go_through_the_student_at_once_and_weigh_what_they_should(
    make_phase: Callable[..., Phase],
) -> None:
    phase = make_phase("unlabelled.weight=0.5")
    seen: list[int] = []

    class Counting(Blur):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(len(image))
            return super().forward(image)

    student = Counting()
    terms, facts = join_streams(phase, (labelled(), pseudo_labelled(losses=None)))(student, student, 3)

    assert seen == [2 + 3]
    assert float(terms["labelled"].detach()) == pytest.approx(facts["bce"] + facts["dice"], rel=1e-5)
    pseudo = 0.5 * (facts["pseudo.bce"] + facts["pseudo.dice"])
    assert float(terms["pseudo"].detach()) == pytest.approx(pseudo, rel=1e-5)


def test_after_a_roll_back_unlabelled_crops_weigh_less_and_labels_as_before(make_phase: Callable[..., Phase]) -> None:
    phase, student = make_phase(), Blur()
    objective = join_streams(phase, (labelled(), pseudo_labelled()))

    whole, _ = objective(student, student, 3)
    phase.memory[UNLABELLED_WEIGHT] = (0.25,)
    less, _ = objective(student, student, 3)

    assert float(less["labelled"].detach()) == float(whole["labelled"].detach())
    assert float(less["pseudo"].detach()) == pytest.approx(0.25 * float(whole["pseudo"].detach()))


@pytest.mark.parametrize("place", range(8))
def test_a_view_that_was_turned_without_its_target_agrees_better_turned_back(place: int) -> None:
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(2, 1, 12, 12, generator=generator) < 0.2).float()
    turned = torch.rot90(y.flip(-1) if place >= 4 else y, place % 4, (-2, -1))

    found = measure_agreement(8 * turned - 4, Targets(y, torch.ones_like(y)))

    assert (found["agreement"] > 0.99) is (place == 0)
    assert (found["agreement_turned"] > 0.99) is (place > 0)


def test_flat_maps_agree_with_nothing() -> None:
    y = torch.zeros(1, 1, 8, 8)

    assert measure_agreement(y, Targets(y, torch.ones_like(y))) == {}


def test_agreement_is_told_now_and_then(make_phase: Callable[..., Phase]) -> None:
    phase, student = make_phase(), Blur()
    phase.pseudo[0].y[30:40, 30:60] = 1.0
    objective = join_streams(phase, (labelled(), pseudo_labelled()))

    told = [step for step in range(21) if "pseudo.agreement" in objective(student, student, step)[1]]

    assert told == [0, 10, 20]


def test_by_default_pseudo_labels_are_learned_by_cross_entropy_alone(make_phase: Callable[..., Phase]) -> None:
    """Dice makes soft targets hard: .840 AP instead of .859 (docs/log.md, 2026-11-23)."""
    batch = pseudo_labelled()(make_phase())(nn.Identity(), nn.Identity(), 3)[0]

    assert batch.losses == ("bce",)


def test_the_weight_of_a_stream_scales_its_loss_relative_to_the_others(make_phase: Callable[..., Phase]) -> None:
    phase, network = make_phase(), Blur()

    (whole,), (half,) = (batches(phase, labelled(weight), network=network) for weight in (1.0, 0.5))

    assert (whole.weight, half.weight) == (1.0, 0.5)
    assert torch.equal(whole.images, half.images)


def test_targets_of_a_batch_do_not_depend_on_the_other_streams(make_phase: Callable[..., Phase]) -> None:
    """Each stream draws from its own random numbers, so that labelled batches are the same in every strategy."""
    phase = make_phase("augment.strength=1")

    alone = batches(phase, labelled())
    batches(phase, taught(Labeller(views=1)))
    again = batches(phase, labelled())

    assert torch.equal(alone[0].images, again[0].images)
    assert isinstance(alone[0].targets, Targets)


def test_mixed_crops_are_pieces_of_others_and_varied_ones_are_not(make_phase: Callable[..., Phase]) -> None:
    phase = make_phase("unlabelled.cutmix=1")

    (mixed,), (varied,) = (batches(phase, pseudo_labelled(look=look)) for look in ("mixed", "varied"))  # type: ignore[arg-type]

    changed = (mixed.images != varied.images).flatten(1).float().mean(1)
    assert bool(((changed > 0.05) & (changed < 0.6)).all())
    assert float(mixed.targets.w.sum()) < float(varied.targets.w.sum())  # the seam is ignored


def test_plain_crops_are_not_varied(make_phase: Callable[..., Phase]) -> None:
    calm, strong = make_phase(), make_phase("augment.strength=1", "augment.junk=1")

    (before,), (after,) = (batches(phase, pseudo_labelled(look="plain")) for phase in (calm, strong))

    assert torch.equal(before.images, after.images)


def test_particles_are_pasted_into_labelled_crops_if_asked_for(make_phase: Callable[..., Phase]) -> None:
    (without,), (with_more,) = (batches(make_phase(f"augment.copy_paste={share}"), labelled()) for share in (0, 1))

    assert float(with_more.targets.y.sum()) > float(without.targets.y.sum())
