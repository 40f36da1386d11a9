"""Where batches come from. A strategy is a tuple of streams; all crops of a step go through the student in one forward.

One forward, because batch normalisation would otherwise see another distribution in each stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from cryoglean.learn.loop import Objective
from cryoglean.learn.predict import predict_crops
from cryoglean.learn.schedule import ramp_up
from cryoglean.prepare.augment import vary_look
from cryoglean.prepare.blobs import find_blobs
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
    """

    name: str
    images: Tensor
    targets: Targets
    losses: tuple[str, ...]
    weight: float = 1.0
    facts: dict[str, float] = field(default_factory=dict)


Draw = Callable[[nn.Module, nn.Module, int], tuple[Batch, ...]]
"""(student, averaged teacher, micro-step) -> batches; none where the stream has nothing to say."""

Stream = Callable[[Phase], Draw]

Look = Literal["plain", "varied", "mixed"]
"""Of unlabelled crops: as they are; varied as labelled ones are; or varied and mixed, as `unlabelled.cutmix` says."""


def join_streams(phase: Phase, streams: tuple[Stream, ...]) -> Objective:
    """The objective of a phase: one forward over all batches, then each batch's own loss."""
    draws = [stream(phase) for stream in streams]
    task, settings = phase.task, phase.task.settings.loss

    def objective(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Tensor, dict[str, float]]:
        batches = [batch for draw in draws for batch in draw(student, teacher, micro_step)]
        images = torch.cat([batch.images for batch in batches])
        with task.hardware.precision():
            logits = student(task.hardware.send(images)).float()
        terms: list[Tensor] = []
        facts: dict[str, float] = {}
        for batch, said in zip(batches, logits.split([len(batch.images) for batch in batches]), strict=True):
            value, each = add_losses(said, batch.targets.to(task.hardware.device), batch.losses, settings)
            terms.append(batch.weight * value)
            prefix = "" if batch.name == "labelled" else f"{batch.name}."
            facts |= {f"{prefix}{name}": number for name, number in {**each, **batch.facts}.items()}
        return torch.stack(terms).sum(), facts

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
            crops = _cut(phase, phase.labelled, settings.learn, generator)
            if stamps is not None:
                crops = paste_particles(
                    crops, stamps, share=share, settings=settings.targets, stride=task.stride, generator=generator
                )
            crops = _dirty(phase, crops, generator)
            return (Batch("labelled", _vary(phase, crops, generator), crops.targets, settings.loss.terms, weight),)

        return draw

    return start


def pseudo_labelled(*, losses: tuple[str, ...] | None = None, weight: float = 1.0, look: Look = "mixed") -> Stream:
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
            crops = _cut(phase, phase.pseudo, learn, generator)
            if look != "plain":
                crops = _dirty(phase, crops, generator)
            images, targets = _see(phase, crops, crops.targets, look, generator)
            facts = {"particle_share": _share(targets)}
            return (Batch("pseudo", images, targets, losses or settings.loss.terms, weight * choice.weight, facts),)

        return draw

    return start


def taught(
    labeller: Labeller,
    *,
    losses: tuple[str, ...] = ("bce",),
    weight: float = 1.0,
    teacher_is: Literal["average", "student"] = "average",
    views: int = 1,
    look: Look = "mixed",
) -> Stream:
    """Crops of unlabelled micrographs whose targets the teacher makes at each step, from the same crops unvaried.

    Both views share one geometric operation: the crop is cut once, then looked at twice.

    Args:
        labeller: its `views` are taken from the eight of the square.
        losses: cards.
        weight: times `unlabelled.weight`, after the ramp.
        teacher_is: the averaged network, or the student itself.
        views: strong views of each crop; they share the weight.
        look: of the strong views, see `Look`.
    """

    def start(phase: Phase) -> Draw:
        choice = phase.task.settings.unlabelled
        learn = phase.task.settings.learn.model_copy(update={"batch": choice.batch})
        unlabelled = phase.unlabelled()

        def draw(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            factor = weight * choice.weight * ramp_up(phase.time(micro_step))
            if factor == 0 or not unlabelled:
                return ()
            generator = phase.generator(micro_step, 2)
            crops = _cut(phase, unlabelled, learn, generator)
            network = teacher if teacher_is == "average" else student
            guess = _look(phase, network, crops, labeller.views)
            guess, targets = _label(phase, labeller, guess)
            batches = []
            for view in range(views):
                images, mixed = _see(phase, crops, targets, look, generator)
                facts = {"particle_share": _share(mixed), "usage": float(mixed.w.mean())} if view == 0 else {}
                batches.append(Batch("taught", images, mixed, losses, factor / views, facts))
            return tuple(batches)

        return draw

    return start


def blobs(*, crowding: float = 1.0) -> Stream:
    """Crops of all micrographs with discs at the strongest answers of a blob filter: a pretext, no labels.

    Args:
        crowding: how many, times the number expected.
    """

    def start(phase: Phase) -> Draw:
        task, settings = phase.task, phase.task.settings
        pixels = task.preparation.particle_pixels
        density = crowding * phase.knowledge.density / task.stride**2
        everyone = phase.labelled + phase.unlabelled()
        found = tuple(find_blobs(one, pixels, density, settings.targets) for one in everyone)

        def draw(_student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            generator = phase.generator(micro_step, 3)
            crops = _cut(phase, found, settings.learn, generator)
            return (Batch("blobs", _vary(phase, crops, generator), crops.targets, settings.loss.terms),)

        return draw

    return start


def masked(*, share: float = 0.5) -> Stream:
    """Crops of all micrographs with blanked blocks, to be painted in: a pretext, no labels.

    The target of a pixel is its value, brought from -5 ... 5 to 0 ... 1; only blanked pixels count.
    """

    def start(phase: Phase) -> Draw:
        task = phase.task
        block = max(round(task.preparation.particle_pixels / 2 / task.stride), 1)
        everyone = phase.labelled + phase.unlabelled()

        def draw(_student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            generator = phase.generator(micro_step, 3)
            crops = _cut(phase, everyone, task.settings.learn, generator)
            rows, columns = crops.targets.w.shape[-2:]
            coarse = torch.rand((len(crops.images), 1, -(-rows // block), -(-columns // block)), generator=generator)
            blank = (coarse < share).repeat_interleave(block, -2).repeat_interleave(block, -1)[..., :rows, :columns]
            fine = blank.repeat_interleave(task.stride, -2).repeat_interleave(task.stride, -1)
            size = crops.images.shape[-1]
            images = crops.images * ~fine[..., :size, :size]
            y = ((crops.images[..., :: task.stride, :: task.stride] + 5) / 10).clamp(0, 1)
            return (Batch("masked", images, Targets(y, blank.to(y.dtype) * (crops.targets.w > 0)), ("mse",)),)

        return draw

    return start


def _cut(
    phase: Phase, micrographs: tuple[LearnedMicrograph, ...], learn: LearnSettings, generator: torch.Generator
) -> Crops:
    return cut_crops(micrographs, learn, phase.task.settings.augment, phase.task.stride, generator)


def _dirty(phase: Phase, crops: Crops, generator: torch.Generator) -> Crops:
    task = phase.task
    return add_junk(crops, task.settings.augment, task.preparation.particle_pixels, task.stride, generator)


def _vary(phase: Phase, crops: Crops, generator: torch.Generator) -> Tensor:
    return vary_look(crops, phase.task.settings.augment, phase.task.preparation.particle_pixels, generator)


def _see(
    phase: Phase, crops: Crops, targets: Targets, look: Look, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """The crops as the student sees them, and their targets."""
    images = crops.images if look == "plain" else _vary(phase, crops, generator)
    if look != "mixed":
        return images, targets
    task = phase.task
    seam = task.settings.targets.core_diameters * task.preparation.particle_pixels / task.stride
    share = task.settings.unlabelled.cutmix
    return cut_mix(images, targets, share=share, stride=task.stride, generator=generator, seam_pixels=seam)


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


def _label(phase: Phase, labeller: Labeller, guess: Guess) -> tuple[Guess, Targets]:
    """Calibrate and select with states that are averaged over steps: one batch alone says little about a prior."""
    states = []
    for place, fresh in enumerate(labeller.fit(guess.sample(), phase.knowledge)):
        old = phase.memory.get(f"labeller.{place}", fresh)
        mixed = tuple(_MOMENTUM * before + (1 - _MOMENTUM) * now for before, now in zip(old, fresh, strict=True))
        phase.memory[f"labeller.{place}"] = mixed
        states.append(mixed)
    return labeller.label(guess, states, phase.knowledge)
