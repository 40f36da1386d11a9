"""The stream of a training from clicks: some particles are known, and of the rest nobody knows."""

from __future__ import annotations

import torch
from torch import nn

from cryoglean.prepare.tiles import LearnedMicrograph
from cryoglean.settings import LossSettings
from cryoglean.streams import Batch, Draw, Phase, Stream
from cryoglean.targets import Targets

_LEAST_PRIOR, _LARGEST_PRIOR = 1e-4, 0.5


def clicked(losses: tuple[str, ...] = ("nnpu",), *, prior_times: float = 1.0, weight: float = 1.0) -> Stream:
    """Crops near clicks, where only the clicked cores count, and crops anywhere, where what is not clicked is unjudged.

    Both go into one risk: in its targets y = 0 means that nobody judged, not background. Crops anywhere are drawn from
    clicked and unlabelled micrographs alike, so that they hold as much particle as micrographs do.

    Args:
        losses: PU loss cards.
        prior_times: the share of particle pixels is that of the expected cores times this: the surroundings of an
            unclicked core look like particle, too, and can't be left out.
        weight: of the stream.
    """

    def start(phase: Phase) -> Draw:
        learn, choice = phase.task.settings.learn, phase.task.settings.unlabelled
        near = learn.model_copy(update={"near_particles": 1.0})
        anywhere = learn.model_copy(update={"near_particles": 0.0, "batch": choice.batch})
        clicks = tuple(one for one in phase.labelled if len(one.xy))
        known = {one.name for one in phase.labelled}
        everyone = phase.labelled + tuple(one for one in phase.unlabelled() if one.name not in known)
        loss = _with_prior(phase, prior_times, everyone)

        def draw(_student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            generator = phase.generator(micro_step, 4)
            cores = phase.dirty(phase.cut(clicks, near, generator), generator)
            rest = phase.dirty(phase.cut(everyone, anywhere, generator), generator)
            images = torch.cat([phase.vary(crops, generator) for crops in (cores, rest)])
            y = torch.cat([cores.targets.y, rest.targets.y])
            w = torch.cat([cores.targets.w * (cores.targets.y > 0), rest.targets.w])
            return (Batch("clicked", images, Targets(y, w), losses, weight, settings=loss),)

        return draw

    return start


def _with_prior(phase: Phase, times: float, everyone: tuple[LearnedMicrograph, ...]) -> LossSettings:
    """The loss settings, the share of particle among unjudged pixels filled in: what is clicked is taken off.

    (pi - c) / (1 - c), where c is the share of clicked pixels (Elkan 2008, doi:10.1145/1401890.1401920, section 2).
    """
    settings = phase.task.settings.loss
    if settings.prior is not None:
        return settings
    pixels = sum(float((one.w > 0).sum()) for one in everyone)
    share = sum(float((one.y * one.w).sum()) for one in everyone) / max(pixels, 1.0)
    prior = (phase.knowledge.core_share * times - share) / (1 - share)
    return settings.model_copy(update={"prior": min(max(prior, _LEAST_PRIOR), _LARGEST_PRIOR)})
