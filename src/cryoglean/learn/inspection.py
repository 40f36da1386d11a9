"""A look into one training step: does every layer learn, and do unlabelled crops pull with the labelled ones?

Costs one more backward pass where there are unlabelled crops, and next to nothing where there are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

OF_PERSONS = ("labelled", "clicked")
"""Streams whose targets a person made; those of all others are a network's guess."""

UNLABELLED_WEIGHT = "unlabelled_weight"
"""In a training's memory: what the terms of the other streams are multiplied with, 1 unless a roll-back halved it."""

_SMALLEST = 1e-12


def has_unlabelled(terms: Iterable[str]) -> bool:
    """Whether a step has a term of a stream that no person labelled."""
    return any(name not in OF_PERSONS for name in terms)


class Inspection:
    """Measures one step; call `before` the backward pass, `after_backward`, and `after_step`.

    Args:
        network: the student, before the step.
    """

    def __init__(self, network: nn.Module) -> None:
        self._named = [(name, each) for name, each in network.named_parameters() if each.ndim > 1]
        self._every = [each for each in network.parameters() if each.requires_grad]
        self._old = [each.detach().clone() for _, each in self._named]
        self._unlabelled: list[Tensor | None] | None = None
        self._gradients: list[float] = []
        self._pull: dict[str, float] = {}

    def before(self, terms: Mapping[str, Tensor], accumulate: int) -> None:
        """The gradient of the terms that no person labelled, alone.

        Args:
            terms: of the step.
            accumulate: the loss is divided by it.
        """
        others = [value for name, value in terms.items() if name not in OF_PERSONS]
        if not others or len(others) == len(terms):  # nothing to compare with
            return
        loss = torch.stack(others).sum() / accumulate
        if not loss.requires_grad:
            self._unlabelled = [None] * len(self._every)
            return
        self._unlabelled = list(torch.autograd.grad(loss, self._every, retain_graph=True, allow_unused=True))

    def after_backward(self) -> None:
        """Gradients of each layer, and how the two kinds of terms pull; before anything is clipped."""
        self._gradients = [0.0 if each.grad is None else _known(float(each.grad.norm())) for _, each in self._named]
        if self._unlabelled is None:
            return
        both = zip(self._every, self._unlabelled, strict=True)
        pairs = [
            (each.grad, torch.zeros_like(each) if one is None else one) for each, one in both if each.grad is not None
        ]
        if not pairs:
            return
        unlabelled = torch.cat([one.flatten() for _, one in pairs])
        labelled = torch.cat([(whole - one).flatten() for whole, one in pairs])
        sizes = float(unlabelled.norm()), float(labelled.norm())
        if not (math.isfinite(sizes[0]) and math.isfinite(sizes[1])):
            return
        cosine = float(unlabelled @ labelled) / max(sizes[0] * sizes[1], _SMALLEST)
        self._pull = {"unlabelled_share": sizes[0] / max(sizes[1], _SMALLEST), "unlabelled_cosine": cosine}

    def after_step(self) -> dict[str, Any]:
        """What was measured.

        Returns:
            `layers`: name -> (gradient norm, -1 where that overflowed; length of the step relative to the weights);
            `update_ratio`: the median of the latter; `unlabelled_share`: length of the unlabelled terms' gradient
            relative to the labelled terms', and `unlabelled_cosine` of the angle between them, where there are both.
        """
        layers: dict[str, tuple[float, float]] = {}
        for (name, each), old, gradient in zip(self._named, self._old, self._gradients, strict=True):
            moved = float((each.detach() - old).norm()) / max(float(old.norm()), _SMALLEST)
            layers[name.removesuffix(".weight")] = (gradient, moved)
        ratios = torch.tensor([moved for _, moved in layers.values()] or [0.0])
        return {"update_ratio": float(ratios.median()), "layers": layers, **self._pull}


def _known(norm: float) -> float:
    return norm if math.isfinite(norm) else -1.0
