"""Bring what a teacher says nearer to probabilities: undo weights, fit to what is known, match the prior.

A calibrator is fitted to a sample of pixels, pooled over a batch or over all unlabelled micrographs, and then applied
to each map: `fit(sample, knowledge) -> state`, `apply(probability, state) -> probability`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from torch import Tensor

from cryoglean.pseudo.guess import Knowledge

State = tuple[float, ...]
_EDGE = 1e-6
_LARGEST_SHIFT = 4.0  # beyond it the teacher has collapsed, and moving it further only makes it sure of noise


@dataclass(frozen=True, slots=True)
class Calibrator:
    """See the module.

    Args:
        name: in the events.
        fit: (sample (k,), knowledge) -> state.
        apply: (probability, state) -> probability of the same shape.
    """

    name: str
    fit: Callable[[Tensor, Knowledge], State]
    apply: Callable[[Tensor, State], Tensor]


def undo_loss() -> Calibrator:
    """Undo the weight on particles in the cross entropy, or the focal loss, that the teacher learned with."""

    def apply(probability: Tensor, state: State) -> Tensor:
        weight, gamma = state
        return undo_focal(probability, gamma, weight) if gamma else undo_weight(probability, weight)

    return Calibrator("undo_loss", lambda _sample, known: (known.positive_weight, known.focal_gamma), apply)


def platt() -> Calibrator:
    """Scale and shift the logit so that it fits held-out labelled pixels (Platt 1999); nothing where none are known."""

    def fit(_sample: Tensor, knowledge: Knowledge) -> State:
        known = knowledge.known
        return (1.0, 0.0) if known is None or not len(known) else fit_platt(known[:, 0], known[:, 1])

    return Calibrator("platt", fit, lambda p, state: torch.sigmoid(state[0] * to_logit(p) + state[1]))


def prior_match(*, by_entropy: bool = False) -> Calibrator:
    """Move all logits so that the mean is the expected share of particle.

    By one shift (a change of prior), or in proportion to each pixel's entropy: then it is DARP's projection in closed
    form (Kim 2020, arXiv 2007.08844; two classes).
    """

    def fit(sample: Tensor, knowledge: Knowledge) -> State:
        return (find_shift(sample, knowledge.soft_share, by_entropy=by_entropy),)

    return Calibrator("prior_match", fit, lambda p, state: shift_logits(p, state[0], by_entropy=by_entropy))


def distribution_alignment() -> Calibrator:
    """Multiply the odds by the ratio of expected and found shares (ReMixMatch, Berthelot 2020, arXiv 1911.09785)."""

    def fit(sample: Tensor, knowledge: Knowledge) -> State:
        found = float(sample.mean()) if len(sample) else knowledge.soft_share
        return (max(knowledge.soft_share, _EDGE), min(max(found, _EDGE), 1 - _EDGE))

    return Calibrator("distribution_alignment", fit, lambda p, state: align(p, *state))


def sharpen(temperature: float = 0.5) -> Calibrator:
    """p^(1/T) / (p^(1/T) + (1 - p)^(1/T)) (MixMatch, Berthelot 2019, arXiv 1905.02249)."""
    return Calibrator("sharpen", lambda _sample, _known: (temperature,), lambda p, state: sharpen_by(p, state[0]))


def undo_weight(probability: Tensor, weight: float) -> Tensor:
    """What a network says, trained with weight omega on particles, as a probability."""
    return probability / (weight - (weight - 1) * probability)


def undo_focal(said: Tensor, gamma: float, weight: float = 1.0) -> Tensor:
    """The probability behind what a focal loss taught a network to say (Charoenphakdee 2021, arXiv 2011.09172).

    Args:
        said: in (0, 1).
        gamma: of the focal loss, at least 0.
        weight: of particles in it.
    """
    q = said.clamp(_EDGE, 1 - _EDGE).to(torch.float64)
    for_particle, for_background = q / _slope(q, gamma), (1 - q) / _slope(1 - q, gamma)
    odds = for_particle / for_background / weight
    return (odds / (1 + odds)).to(said.dtype)


def _slope(q: Tensor, gamma: float) -> Tensor:
    return (1 - q) ** gamma - gamma * (1 - q) ** (gamma - 1) * q * torch.log(q)


def to_logit(probability: Tensor) -> Tensor:
    """Its logit, of at most about 14 either way."""
    return torch.logit(probability, eps=_EDGE)


def shift_logits(probability: Tensor, shift: float, *, by_entropy: bool = False) -> Tensor:
    """sigma(z + shift), or sigma(z + shift x entropy)."""
    p = probability.clamp(_EDGE, 1 - _EDGE)
    factor = -(p * p.log() + (1 - p) * (1 - p).log()) if by_entropy else 1.0
    return torch.sigmoid(torch.logit(p) + shift * factor)


def find_shift(sample: Tensor, mean: float, *, by_entropy: bool = False) -> float:
    """The shift that brings the mean of the sample to `mean`, of at most 4 either way.

    Args:
        sample: (k,) probabilities; empty gives 0.
        mean: in (0, 1).
        by_entropy: see `shift_logits`.
    """
    if not len(sample):
        return 0.0
    exact = sample.to(torch.float64)

    def surplus(shift: float) -> float:
        return float(shift_logits(exact, shift, by_entropy=by_entropy).mean()) - mean

    low, high = -_LARGEST_SHIFT, _LARGEST_SHIFT
    if surplus(low) >= 0:
        return low
    if surplus(high) <= 0:
        return high
    return float(brentq(surplus, low, high, xtol=1e-6))


def align(probability: Tensor, expected: float, found: float) -> Tensor:
    """P x expected / found against (1 - p) x (1 - expected) / (1 - found), normalised."""
    particle = probability * expected / found
    background = (1 - probability) * (1 - expected) / (1 - found)
    return particle / (particle + background)


def sharpen_by(probability: Tensor, temperature: float) -> Tensor:
    """See `sharpen`; the same as dividing the logit by T."""
    return torch.sigmoid(torch.logit(probability) / temperature)


def fit_platt(said: Tensor, true: Tensor) -> tuple[float, float]:
    """Scale (above 0) and shift of the logit that fit best, with a mild pull to (1, 0).

    Args:
        said: (k,) probabilities.
        true: (k,) 0 or 1.
    """
    z, y = to_logit(said.to(torch.float64)).numpy(), true.to(torch.float64).numpy()

    def risk(values: NDArray[np.float64]) -> float:
        logit = np.exp(values[0]) * z + values[1]
        return float(np.mean(np.logaddexp(0, logit) - y * logit) + 1e-4 * (values**2).sum())

    log_scale, shift = minimize(risk, np.zeros(2), method="L-BFGS-B").x
    return float(np.exp(log_scale)), float(shift)
