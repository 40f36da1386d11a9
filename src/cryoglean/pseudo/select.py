"""Which pixels become what, and how much that counts. What is not trusted has w = 0; it is never called background.

A selector is fitted to a pooled sample like a calibrator, and then makes `Targets` of each map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cryoglean.pseudo.calibrate import State
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.particles import find_particles, paint_particles
from cryoglean.targets import Targets


@dataclass(frozen=True, slots=True)
class Selector:
    """See the module.

    Args:
        name: in the events.
        apply: (guess, state, knowledge) -> targets of the guess's shape.
        fit: (sample (k,), knowledge) -> state.
    """

    name: str
    apply: Callable[[Guess, State, Knowledge], Targets]
    fit: Callable[[Tensor, Knowledge], State] = lambda _sample, _knowledge: ()


def everything(particle_above: float = 0.5) -> Selector:
    """Every pixel a hard label, none ignored: an unsure pixel becomes background."""

    def apply(guess: Guess, _state: State, _knowledge: Knowledge) -> Targets:
        return Targets((guess.probability >= particle_above).to(guess.valid.dtype), guess.valid)

    return Selector("everything", apply)


def confident(particle_above: float = 0.5, trust_above: float = 0.7) -> Selector:
    """Hard labels where max(p, 1 - p) is at least `trust_above` (Sohn 2020, arXiv 2001.07685)."""
    return dual(trust_above, trust_above, particle_above)


def dual(particle: float = 0.6, background: float = 0.8, particle_above: float = 0.5) -> Selector:
    """Hard labels where what is called particle has p of at least `particle`, and the rest 1 - p of `background`."""

    def apply(guess: Guess, _state: State, _knowledge: Knowledge) -> Targets:
        p = guess.probability
        is_particle = p >= particle_above
        trusted = torch.where(is_particle, p >= particle, 1 - p >= background)
        return Targets(is_particle.to(p.dtype), trusted.to(p.dtype) * guess.valid)

    return Selector("dual", apply)


def quantile(particle_share: float = 0.7, background_share: float = 0.8) -> Selector:
    """Hard labels for the surest pixels of each class, as many as the prior allows.

    Where the highest and the lowest ones are equal (a flat map) they are ignored.

    Args:
        particle_share: of the expected particle pixels, the highest ones.
        background_share: of the expected background pixels, the lowest ones.
    """

    def fit(sample: Tensor, knowledge: Knowledge) -> State:
        prior = knowledge.core_share
        if not len(sample):
            return (1.0, 0.0)
        ranked = torch.sort(sample).values
        high = min(int(len(ranked) * (1 - particle_share * prior)), len(ranked) - 1)
        low = min(int(len(ranked) * background_share * (1 - prior)), len(ranked) - 1)
        return (float(ranked[high]), float(ranked[low]))

    def apply(guess: Guess, state: State, _knowledge: Knowledge) -> Targets:
        p, (high, low) = guess.probability, state
        is_particle = (p >= high) & (p > low)
        is_background = (p <= low) & (p < high)
        return Targets(is_particle.to(p.dtype), (is_particle | is_background).to(p.dtype) * guess.valid)

    return Selector("quantile", apply, fit)


def soft() -> Selector:
    """The probability itself is the target, everywhere."""
    return Selector("soft", lambda guess, _state, _knowledge: Targets(guess.probability, guess.valid))


def consensus(*, particle: float = 2 / 3, background: float = 1 / 3) -> Selector:
    """Particle where a share of networks and views votes for it, background where few do; between: ignored.

    Args:
        particle: least share of the votes for a particle; 1 asks for all.
        background: background needs fewer votes than this share.
    """

    def apply(guess: Guess, _state: State, _knowledge: Knowledge) -> Targets:
        yes = (guess.votes >= particle - 1e-6).to(guess.valid.dtype)
        no = (guess.votes < background).to(guess.valid.dtype)
        return Targets(yes, torch.maximum(yes, no) * guess.valid)

    return Selector("consensus", apply)


def particles(*, crowding: float = 2.0, is_soft: bool = True, ignore: tuple[float, float] = (0.4, 0.6)) -> Selector:
    """Discs at the peaks of the map, each as sure as its peak, no more of them than are plausible.

    Args:
        crowding: a map or batch may hold this many times the expected number of particles (the sum of the peaks'
            heights); what is left out is ignored, or background where it is lower than `ignore`.
        is_soft: whether a disc's target is its peak's height, or 1.
        ignore: discs whose height is inside are ignored, and so are the rings of the higher ones; lower discs are
            background (soft: their own height).
    """

    def apply(guess: Guess, _state: State, knowledge: Knowledge) -> Targets:
        heights = find_particles(guess.probability * guess.valid, knowledge.particle_pixels)
        kept = _within(heights, max(crowding * knowledge.density * float(guess.valid.sum()), 1.0))
        core = paint_particles(kept, knowledge.core_diameters * knowledge.particle_pixels)
        ring = paint_particles(heights, knowledge.ring_diameters * knowledge.particle_pixels)
        low, high = ignore
        y = core if is_soft else (core >= high).to(core.dtype)
        unsure = ((ring >= low) & (core < low)) | ((core >= low) & (core < high))
        return Targets(y, (~unsure).to(core.dtype) * guess.valid)

    return Selector("particles", apply)


def _within(heights: Tensor, most: float) -> Tensor:
    """The highest peaks, as many as their sum allows."""
    flat = heights.flatten()
    ranked, order = torch.sort(flat, descending=True, stable=True)
    kept = ranked * (torch.cumsum(ranked, 0) <= most)
    return torch.zeros_like(flat).scatter(0, order, kept).view_as(heights)
