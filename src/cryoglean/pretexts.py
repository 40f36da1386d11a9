"""Streams of a training before, without labels: what to do is made from the pictures themselves."""

from __future__ import annotations

import torch
from torch import nn

from cryoglean.prepare.blobs import find_blobs
from cryoglean.streams import Batch, Draw, Phase, Stream
from cryoglean.targets import Targets


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
            crops = phase.cut(found, settings.learn, generator)
            return (Batch("blobs", phase.vary(crops, generator), crops.targets, settings.loss.terms),)

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
            crops = phase.cut(everyone, task.settings.learn, generator)
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
