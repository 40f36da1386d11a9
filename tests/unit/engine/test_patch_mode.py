"""A patch classifier in the engine: of a crop only the middle counts, and a clicked core is never background."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cryoglean.clicks import clicked
from cryoglean.prepare.targets import paint_discs
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import confident, quantile
from cryoglean.recipe import read_recipe
from cryoglean.registry import card_names
from cryoglean.settings import TargetSettings, choose_settings
from cryoglean.streams import Batch, Phase, Ramp, Stream, taught
from cryoglean.task import Task

NOBODY = nn.Identity()
PATCH = ("model.name=small_cnn_patch", "learn.crop_pixels=49", "learn.batch=16", "unlabelled.batch=16")
MIDDLE = 6  # logit of the middle pixel 24 of 49


class Darkness(nn.Module):
    """Says that everything is background, and surely so."""

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, image: Tensor) -> Tensor:
        return -8.0 - image[..., :: self.stride, :: self.stride].abs() * 0.01


def batch_of(phase: Phase, stream: Stream, step: int = 9, network: nn.Module = NOBODY) -> Batch:
    (batch,) = stream(phase)(network, network, step)
    return batch


def as_sparse(phase: Phase) -> Phase:
    """Clicks on `seen`; it is unjudged beside its clicks, and so is `unseen`."""
    settings = phase.task.settings
    labels = settings.labels.model_copy(update={"kind": "sparse"})
    task = replace(phase.task, settings=settings.model_copy(update={"labels": labels}))
    unjudged = tuple(task.unlearned(one) for one in task.unjudged.values())
    return replace(phase, task=task, unlabelled=lambda: unjudged)


def coded(phase: Phase) -> Phase:
    """Pictures whose brightness is the distance to the nearest click, in units of ten pixels."""
    y, x = np.mgrid[:160, :160]
    nearest = np.min([np.hypot(y - row, x - column) for column, row in phase.labelled[0].xy], axis=0)
    image = torch.from_numpy((nearest / 10).astype(np.float32))
    return replace(phase, labelled=tuple(replace(one, image=image) for one in phase.labelled))


def test_only_the_middle_of_a_crop_counts(make_phase: Callable[..., Phase]) -> None:
    phase = make_phase(*PATCH)

    for batch in (batch_of(phase, clicked()), batch_of(phase, taught(Labeller(1)), network=Darkness())):
        elsewhere = batch.targets.w.clone()
        elsewhere[..., MIDDLE, MIDDLE] = 0
        assert batch.targets.w.shape[-2:] == (13, 13)
        assert bool((elsewhere == 0).all())
        assert bool((batch.targets.w[..., MIDDLE, MIDDLE] > 0).any())


def test_a_dense_network_counts_everywhere(make_phase: Callable[..., Phase]) -> None:
    batch = batch_of(make_phase(*PATCH[1:]), clicked())

    assert float((batch.targets.w[16:] > 0).float().mean()) > 0.5


def test_the_middles_of_crops_at_clicks_lie_in_cores(make_phase: Callable[..., Phase]) -> None:
    """The picture tells how far a pixel is from its click: a core is 6 pixels."""
    phase = coded(make_phase(*PATCH, "augment.junk=0", "augment.rotate=false", "augment.scale=0"))

    batches = [batch_of(phase, clicked(), step) for step in range(6)]
    middles = torch.cat([batch.images[:16, 0, 24, 24] for batch in batches])
    weights = torch.cat([batch.targets.w[:16, 0, MIDDLE, MIDDLE] for batch in batches])
    y = torch.cat([batch.targets.y[:16, 0, MIDDLE, MIDDLE] for batch in batches])

    assert float(middles.max()) <= 0.65
    assert float(weights.mean()) > 0.95
    assert bool((y[weights > 0] > 0.5).all())


def test_the_middles_of_unjudged_crops_lie_anywhere(make_phase: Callable[..., Phase]) -> None:
    phase = coded(make_phase(*PATCH, unlabelled=tuple))

    middles = torch.cat([batch_of(phase, clicked(), step).images[16:, 0, 24, 24] for step in range(6)])

    assert float(middles.min()) < 2.0
    assert float(middles.max()) > 4.0
    assert float(middles.std()) > 1.0


@pytest.mark.parametrize("select", [confident(0.5, 0.75), quantile(0.8, 0.8)])
@pytest.mark.parametrize(("model", "stride"), [("small_cnn_patch", 4), ("lean", 2)])
def test_a_clicked_core_is_never_pseudo_labelled(
    select: object, model: str, stride: int, make_phase: Callable[..., Phase]
) -> None:
    """A teacher that calls everything background is not heard inside a clicked core, nor in its ring."""
    phase = as_sparse(make_phase(*PATCH, f"model.name={model}"))
    seen = phase.unlabelled()[0]
    discs, _ = paint_discs(phase.labelled[0].xy, (160, 160), 20.0, TargetSettings(core_diameters=0.35))
    marked = replace(seen, image=seen.image + torch.from_numpy(discs) * 50.0)
    phase = replace(phase, unlabelled=lambda: (marked,))

    told = [
        batch_of(phase, taught(Labeller(1, (), select), weight=Ramp(1, 0, 0), look="plain"), step, Darkness(stride))  # type: ignore[arg-type]
        for step in range(8)
    ]

    assert seen.name == "seen"
    for batch in told:
        in_core = batch.images[..., ::stride, ::stride] > 30
        assert bool((batch.targets.w[in_core] == 0).all())
    assert any(bool((batch.images[..., ::stride, ::stride] > 30).any()) for batch in told)
    assert any(bool((batch.targets.w > 0).any()) for batch in told)


def test_usage_is_the_share_of_what_may_be_used(make_phase: Callable[..., Phase]) -> None:
    """A middle is one of 169 logits; told as a share of all of them it would look like a collapse."""
    sure = batch_of(make_phase(*PATCH), taught(Labeller(1, (), confident(0.5, 0.75))), network=Darkness())
    unsure = batch_of(make_phase(*PATCH), taught(Labeller(1, (), confident(0.5, 0.9999))), network=Darkness())

    assert sure.facts["usage"] == pytest.approx(1.0)
    assert sure.facts["background_usage"] == pytest.approx(1.0)
    assert unsure.facts["usage"] == 0.0


def test_patches_of_a_file_are_cut_around_their_middle_labelled_or_not(make_phase: Callable[..., Phase]) -> None:
    """Else a particle of an unlabelled patch would lie elsewhere than in a positive one."""
    phase = make_phase(*PATCH, "augment.rotate=false", "augment.scale=0")
    task: Task = replace(phase.task, patch_prior=0.2)
    y, x = np.mgrid[:160, :160]
    image = torch.from_numpy(np.hypot(y - 80, x - 80).astype(np.float32))
    unseen = task.unlearned(replace(task.unlabelled["unseen"], image=image))
    phase = replace(phase, task=task, labelled=(), unlabelled=lambda: (unseen,))

    crops = phase.cut(phase.unlabelled(), task.settings.learn.model_copy(update={"near_particles": 0.0}),
                      phase.generator(1))  # fmt: skip

    assert float(crops.images[:, 0, 24, 24].max()) <= 6.5
    assert np.array_equal(unseen.xy, [[80.0, 80.0]])


def test_the_gate_network_takes_what_is_not_clicked_for_background_and_the_round_does_not(
    make_phase: Callable[..., Phase],
) -> None:
    recipe = read_recipe("fixmatch_pu", {})
    phase = as_sparse(make_phase(*PATCH, "loss.prior=0.1"))

    (first,) = (batch for stream in recipe.streams for batch in stream(phase)(NOBODY, NOBODY, 9))
    early = [batch.name for stream in recipe.rounds[0].streams for batch in stream(phase)(NOBODY, Darkness(), 1)]
    late = [batch for stream in recipe.rounds[0].streams for batch in stream(phase)(NOBODY, Darkness(), 9)]

    assert first.losses == ("bce",)
    assert early == ["clicked"]
    assert [(batch.name, batch.losses) for batch in late] == [("clicked", ("nnpu",)), ("taught", ("bce",))]
    assert recipe.least_auc == 0.6


@pytest.mark.parametrize("preset", ["fixmatch_pu", "fixmatch_pu_debugged", "fixmatch_pu_fixed_v2"])
def test_a_preset_is_a_patch_classifier_whose_middle_is_a_logit(preset: str) -> None:
    settings = choose_settings(preset=preset)
    read_recipe(settings.strategy, settings.options)

    assert settings.model.name in card_names("models")
    assert settings.labels.kind == "sparse"
    assert settings.unlabelled.cutmix == 0
    assert (settings.learn.crop_pixels - 1) // 2 % 4 == 0


def test_the_notes_patch_presets_are_as_they_wrote_them() -> None:
    """configs/fixmatch_pu_debugged.yaml and fixmatch_pu_fixed_v2.yaml of the source notes."""
    debugged, second = (choose_settings(preset=f"fixmatch_pu_{name}") for name in ("debugged", "fixed_v2"))

    assert (debugged.loss.prior, debugged.options["trust_above"]) == (0.197, 0.75)
    assert (debugged.learn.learning_rate, debugged.unlabelled.weight) == (5e-5, 0.3)
    assert debugged.options["rise"] == 30 / 100
    assert (second.learn.learning_rate, second.learn.clip_norm, second.learn.accumulate) == (1e-5, 0.5, 4)
    assert second.options["burn_in"] == 10 / 100
    assert {debugged.options["variant"], second.options["variant"]} == {"notes"}
