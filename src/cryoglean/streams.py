"""Where batches come from. A strategy is a tuple of streams; all crops of a step go through the student in one forward.

One forward, because batch normalisation would otherwise see another distribution in each stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from cryoglean.learn.agreement import measure_agreement
from cryoglean.learn.inspection import OF_PERSONS, UNLABELLED_WEIGHT
from cryoglean.learn.loop import Objective
from cryoglean.learn.predict import predict_crops
from cryoglean.learn.schedule import ramp_up
from cryoglean.prepare.augment import vary_look
from cryoglean.prepare.junk import add_junk
from cryoglean.prepare.mix import cut_mix
from cryoglean.prepare.paste import cut_stamps, paste_particles
from cryoglean.prepare.tiles import Crops, LearnedMicrograph, cut_crops
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.labeller import Labeller
from cryoglean.registry import load_card
from cryoglean.settings import LearnSettings, LossSettings
from cryoglean.targets import Targets
from cryoglean.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """One training of a recipe.

    Args:
        task: what it is for.
        labelled: micrographs with the targets of a person.
        unlabelled: gives the micrographs without targets; asked only by streams that look at them.
        pseudo: unlabelled micrographs with the targets of the last round's teacher.
        knowledge: see `Knowledge`.
        seed: decides the batches.
        memory: numbers that streams carry from step to step.
    """

    task: Task
    labelled: tuple[LearnedMicrograph, ...]
    unlabelled: Callable[[], tuple[LearnedMicrograph, ...]] = tuple
    pseudo: tuple[LearnedMicrograph, ...] = ()
    knowledge: Knowledge = field(default_factory=lambda: Knowledge(0.0, 1.0))
    seed: int = 0
    memory: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def time(self, micro_step: int) -> float:
        """The share of the training that is done, in [0, 1)."""
        learn = self.task.settings.learn
        return micro_step / (learn.steps * learn.accumulate)

    def generator(self, micro_step: int, stream: int = 0) -> torch.Generator:
        """Random numbers that depend on nothing but seed, step and stream."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + micro_step) * 31 + stream)

    def cut(
        self, micrographs: tuple[LearnedMicrograph, ...], learn: LearnSettings, generator: torch.Generator
    ) -> Crops:
        """Crops of some micrographs; see `cut_crops`. Where the network judges patches, only their middle counts.

        Patches from a file are all cut around their middle, labelled or not: it alone was judged.
        """
        task, augment = self.task, self.task.settings.augment
        if task.patch_prior is not None:
            learn = learn.model_copy(update={"near_particles": 1.0})
        if not task.is_of_patches:
            return cut_crops(micrographs, learn, augment, task.stride, generator)
        inside = task.settings.targets.core_diameters * task.preparation.particle_pixels / math.sqrt(2)
        crops = cut_crops(micrographs, learn, augment, task.stride, generator, inside)
        middle = (learn.crop_pixels - 1) // 2 // task.stride
        w = torch.zeros_like(crops.targets.w)
        w[..., middle, middle] = crops.targets.w[..., middle, middle]
        return replace(crops, targets=replace(crops.targets, w=w))

    def dirty(self, crops: Crops, generator: torch.Generator) -> Crops:
        """The crops, some with things that are no particles; see `add_junk`."""
        task = self.task
        return add_junk(crops, task.settings.augment, task.preparation.particle_pixels, task.stride, generator)

    def vary(self, crops: Crops, generator: torch.Generator) -> Tensor:
        """The crops' pictures with another look; see `vary_look`."""
        return vary_look(crops, self.task.settings.augment, self.task.preparation.particle_pixels, generator)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of one stream.

    Args:
        name: in the events.
        images: (n, 1, y, x).
        targets: at every `stride`-th pixel.
        losses: cards; their values are added.
        weight: of the stream.
        facts: numbers worth telling.
        settings: of the losses; None: those of the task.
    """

    name: str
    images: Tensor
    targets: Targets
    losses: tuple[str, ...]
    weight: float = 1.0
    facts: dict[str, float] = field(default_factory=dict)
    settings: LossSettings | None = None


Draw = Callable[[nn.Module, nn.Module, int], tuple[Batch, ...]]
"""(student, averaged teacher, micro-step) -> batches; none where the stream has nothing to say."""

Stream = Callable[[Phase], Draw]

Look = Literal["plain", "varied", "mixed"]
"""Of unlabelled crops: as they are; varied as labelled ones are; or varied and mixed, as `unlabelled.cutmix` says."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """How the weight of a stream grows; see `ramp_up`.

    Args:
        weight: in the end.
        burn_in: share of the steps without the stream.
        rise: share of the steps in which the weight grows.
    """

    weight: float = 1.0
    burn_in: float = 0.2
    rise: float = 0.2


def join_streams(phase: Phase, streams: tuple[Stream, ...]) -> Objective:
    """The objective of a phase: one forward over all batches, then each batch's own loss."""
    draws = [stream(phase) for stream in streams]
    task, settings = phase.task, phase.task.settings.loss

    def objective(
        student: nn.Module, teacher: nn.Module, micro_step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        batches = [batch for draw in draws for batch in draw(student, teacher, micro_step)]
        images = torch.cat([batch.images for batch in batches])
        with task.hardware.precision():
            logits = student(task.hardware.send(images)).float()
        terms: dict[str, Tensor] = {}
        facts: dict[str, float] = {}
        kept = phase.memory.get(UNLABELLED_WEIGHT, (1.0,))[0]  # less than 1 after a roll-back
        for batch, said in zip(batches, logits.split([len(batch.images) for batch in batches]), strict=True):
            value, each = add_losses(
                said, batch.targets.to(task.hardware.device), batch.losses, batch.settings or settings
            )
            weight = batch.weight * (1.0 if batch.name in OF_PERSONS else kept)
            terms[batch.name] = terms[batch.name] + weight * value if batch.name in terms else weight * value
            prefix = "" if batch.name == "labelled" else f"{batch.name}."
            facts |= {f"{prefix}{name}": number for name, number in {**each, **batch.facts}.items()}
            if batch.name not in OF_PERSONS and micro_step % _AGREEMENT_EVERY == 0:
                facts |= {f"{prefix}{name}": number for name, number in measure_agreement(said, batch.targets).items()}
        return terms, facts

    return objective


def add_losses(
    logits: Tensor, targets: Targets, losses: tuple[str, ...], settings: LossSettings
) -> tuple[Tensor, dict[str, float]]:
    """The sum over loss cards of their mean over crops, and each by name."""
    terms = {name: load_card("losses", name).loss(logits, targets, settings).mean() for name in losses}
    return torch.stack(list(terms.values())).sum(), {name: float(value.detach()) for name, value in terms.items()}


def labelled(weight: float = 1.0) -> Stream:
    """The supervised stream: varied crops of labelled micrographs, all losses of the settings."""

    def start(phase: Phase) -> Draw:
        task, settings = phase.task, phase.task.settings
        share = settings.augment.copy_paste
        stamps = cut_stamps(phase.labelled, task.preparation.particle_pixels) if share else None

        def draw(_student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            generator = phase.generator(micro_step)
            crops = phase.cut(phase.labelled, settings.learn, generator)
            if stamps is not None:
                crops = paste_particles(
                    crops, stamps, share=share, settings=settings.targets, stride=task.stride, generator=generator
                )
            crops = phase.dirty(crops, generator)
            return (Batch("labelled", phase.vary(crops, generator), crops.targets, settings.loss.terms, weight),)

        return draw

    return start


def pseudo_labelled(*, losses: tuple[str, ...] | None = ("bce",), weight: float = 1.0, look: Look = "mixed") -> Stream:
    """Crops of unlabelled micrographs with the last round's targets.

    Args:
        losses: cards; None: those of the settings. Not `dice` for soft targets, it makes them hard.
        weight: times `unlabelled.weight`.
        look: see `Look`.
    """

    def start(phase: Phase) -> Draw:
        settings, choice = phase.task.settings, phase.task.settings.unlabelled
        learn = settings.learn.model_copy(update={"batch": choice.batch})

        def draw(_student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            if not phase.pseudo or weight * choice.weight == 0:
                return ()
            generator = phase.generator(micro_step, 1)
            crops = phase.cut(phase.pseudo, learn, generator)
            if look != "plain":
                crops = phase.dirty(crops, generator)
            images, targets = _see(phase, crops, crops.targets, look, generator)
            facts = {"particle_share": _share(targets)}
            return (Batch("pseudo", images, targets, losses or settings.loss.terms, weight * choice.weight, facts),)

        return draw

    return start


def taught(
    labeller: Labeller,
    *,
    losses: tuple[str, ...] = ("bce",),
    weight: float | Ramp = 1.0,
    teacher_is: Literal["average", "student"] = "average",
    views: int = 1,
    look: Look = "mixed",
) -> Stream:
    """Crops of unlabelled micrographs whose targets the teacher makes at each step, from the same crops unvaried.

    Both views share one geometric operation: the crop is cut once, then looked at twice.

    Args:
        labeller: its `views` are taken from the eight of the square.
        losses: cards.
        weight: times `unlabelled.weight`, after the ramp; a number is a `Ramp` of the default times.
        teacher_is: the averaged network, or the student itself.
        views: strong views of each crop; they share the weight.
        look: of the strong views, see `Look`.
    """

    def start(phase: Phase) -> Draw:
        choice = phase.task.settings.unlabelled
        learn = phase.task.settings.learn.model_copy(update={"batch": choice.batch})
        unlabelled = phase.unlabelled()
        knowledge = _without_clicks(phase, unlabelled)
        ramp = weight if isinstance(weight, Ramp) else Ramp(weight)

        def draw(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            now = ramp_up(phase.time(micro_step), ramp.burn_in, ramp.rise)
            factor = ramp.weight * choice.weight * now
            if factor == 0 or not unlabelled:
                return ()
            generator = phase.generator(micro_step, 2)
            crops = phase.cut(unlabelled, learn, generator)
            network = teacher if teacher_is == "average" else student
            guess = _look(phase, network, crops, labeller.views)
            guess, targets = _label(phase, labeller, guess, knowledge)
            batches = []
            for view in range(views):
                images, mixed = _see(phase, crops, targets, look, generator)
                facts = _describe(guess, mixed, knowledge) if view == 0 else {}
                batches.append(Batch("taught", images, mixed, losses, factor / views, facts))
            return tuple(batches)

        return draw

    return start


def _without_clicks(phase: Phase, unlabelled: tuple[LearnedMicrograph, ...]) -> Knowledge:
    """What is known of the pixels that a teacher may label: the clicked particles are not among them."""
    task, known = phase.task, phase.knowledge
    if not task.is_sparse:
        return known
    clicked = float(sum(len(one.xy) for one in phase.labelled))
    counted = max(sum(float((one.w > 0).sum()) for one in unlabelled) / task.stride**2, 1.0)
    left_out = clicked * math.pi * (known.ring_diameters * known.particle_pixels) ** 2
    return replace(known, density=max(known.density * (counted + left_out) - clicked, 0.0) / counted)


def _see(
    phase: Phase, crops: Crops, targets: Targets, look: Look, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """The crops as the student sees them, and their targets."""
    images = crops.images if look == "plain" else phase.vary(crops, generator)
    if look != "mixed":
        return images, targets
    task = phase.task
    seam = task.settings.targets.core_diameters * task.preparation.particle_pixels / task.stride
    share = task.settings.unlabelled.cutmix
    return cut_mix(images, targets, share=share, stride=task.stride, generator=generator, seam_pixels=seam)


def _describe(guess: Guess, targets: Targets, knowledge: Knowledge) -> dict[str, float]:
    """What the teacher said and what was made of it: a spread or a usage near 0 is a collapse."""
    counted, is_particle = targets.w.clamp(0, 1), (targets.y >= 0.5).to(targets.w.dtype)
    valid = guess.valid.sum().clamp_min(1)
    return {
        "particle_share": _share(targets),
        "expected_share": knowledge.core_share,
        "usage": float(counted.sum() / valid),
        "particle_usage": float((counted * is_particle).sum() / valid),
        "background_usage": float((counted * (1 - is_particle)).sum() / valid),
        "spread": float(guess.sample().std(correction=0)) if len(guess.sample()) > 1 else 0.0,
    }


def _share(targets: Targets) -> float:
    return float((targets.y * targets.w).sum() / targets.w.sum().clamp_min(1e-6))


def _look(phase: Phase, network: nn.Module, crops: Crops, views: int) -> Guess:
    """What the network says of crops as they are, in evaluation mode."""
    was_training = network.training
    network.eval()
    said = predict_crops(network, crops.images, phase.task.hardware, stride=phase.task.stride, views=views)
    network.train(was_training)
    return Guess.from_views(said, crops.targets.w)


_MOMENTUM = 0.9
_AGREEMENT_EVERY = 10  # micro-steps


def _label(phase: Phase, labeller: Labeller, guess: Guess, knowledge: Knowledge) -> tuple[Guess, Targets]:
    """Calibrate and select with states that are averaged over steps: one batch alone says little about a prior."""
    states = []
    for place, fresh in enumerate(labeller.fit(guess.sample(), knowledge)):
        old = phase.memory.get(f"labeller.{place}", fresh)
        mixed = tuple(_MOMENTUM * before + (1 - _MOMENTUM) * now for before, now in zip(old, fresh, strict=True))
        phase.memory[f"labeller.{place}"] = mixed
        states.append(mixed)
    return labeller.label(guess, states, knowledge)
