"""The settings, part by part, each with its meaning, unit and range; see `cryoglean.settings` for all of them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]


def _not_one(folds: int) -> int:
    if folds == 1:
        raise ValueError("one fold would leave nothing to train on; give 0, or 2 or more")
    return folds


def as_json(options: dict[str, Any]) -> dict[str, Any]:
    """As they come back from a settings file, with lists for tuples."""
    return dict(json.loads(json.dumps(options)))


class Part(BaseModel):
    """Settings that belong together; frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class PrepareSettings(Part):
    """How a micrograph becomes the picture that the network sees."""

    particle_pixels: Annotated[float, Field(ge=6.0, le=200.0)] = 20.0
    """Diameter of a particle, in pixels, after rescaling."""
    high_pass_diameters: NotNegative = 1.5
    """Sigma, in diameters, of the Gaussian that is taken off; 0 switches it off."""
    clip: Positive = 5.0
    """Normalised values beyond this many deviations are clipped."""
    contrast: Literal["auto", "dark", "light"] = "auto"
    """Whether particles are darker or lighter than the ice; `auto` asks the labels."""
    border_diameters: NotNegative = 0.5
    """Pixels nearer to the edge than this are not learned from."""


class SplitSettings(Part):
    """Which labelled micrographs are held out to choose the threshold."""

    validation_share: Share = 0.25
    """Share of the labelled micrographs held out when no validation file is given."""
    folds: Annotated[int, Field(ge=0), AfterValidator(_not_one)] = 0
    """Cross-validation folds, 2 or more, instead of holding out; 0 decides by the number of labelled micrographs."""


class TargetSettings(Part):
    """What is painted for a labelled particle."""

    shape: Literal["disc", "gaussian"] = "disc"
    """`disc`: 1 in the core, ignored in the ring; `gaussian`: exp(-d^2 / 2 sigma^2), nothing ignored."""
    core_diameters: Positive = 0.3
    """Radius of the core (disc), or 2.4 sigma (gaussian), in diameters."""
    ring_diameters: Positive = 0.5
    """Outer radius of the ignored ring, in diameters."""


class LabelSettings(Part):
    """What the labels of the training micrographs mean."""

    kind: Literal["complete", "sparse"] = "complete"
    """`complete`: every particle is labelled; `sparse`: some are, and what is not labelled was not judged."""
    per_micrograph: Positive | None = None
    """About how many particles a micrograph holds, where labels are sparse; by default from complete validation
    labels, else estimated."""


class ModelSettings(Part):
    """Which network."""

    name: str = "lean"
    """A model card."""
    widths: Annotated[tuple[Count, ...], Field(min_length=2)] | None = None
    """Channels from the finest to the coarsest level; by default the card's own."""


class LossSettings(Part):
    """What the network is punished for."""

    terms: Annotated[tuple[str, ...], Field(min_length=1)] = ("bce", "dice")
    """Loss cards; their values are added."""
    positive_weight: Positive = 3.0
    """Weight of particle pixels in bce and focal; kept with the model so that probabilities can be corrected."""
    focal_gamma: NotNegative = 2.0
    """Exponent of the focal loss."""
    prior: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Share of particle pixels (or patches) among those that nobody judged, for the PU losses; by default it follows
    from the number of particles that a micrograph holds."""
    surrogate: Literal["logistic", "sigmoid"] = "logistic"
    """What stands for a mistake in the PU losses; only `logistic` yields probabilities."""


class LearnSettings(Part):
    """How long, how fast, on what pieces."""

    start: Literal["auto", "general", "random"] = "auto"
    """First weights: `general` ones, learned from simulated random molecules, or `random` ones; `auto` takes the
    general ones where they fit the model and the particle's size in pixels."""
    steps: Count = 400
    """Optimiser steps."""
    batch: Count = 4
    """Crops in a batch."""
    accumulate: Count = 1
    """Batches whose gradients are added before a step."""
    crop_pixels: Annotated[int, Field(ge=32)] = 192
    """Side of a crop, in rescaled pixels."""
    near_particles: Share = 0.7
    """Share of the crops that are centred near a particle; the rest is anywhere."""
    learning_rate: Positive = 5e-3
    """Highest learning rate of AdamW."""
    weight_decay: NotNegative = 1e-4
    """Weight decay of AdamW."""
    schedule: Literal["poly", "onecycle"] = "onecycle"
    """`poly`: falls as (1 - t/T)^0.9; `onecycle`: rises for 30 %, then falls as a cosine."""
    clip_norm: Positive = 5.0
    """Gradients longer than this are shortened."""
    ema_decay: Share = 0.99
    """Decay of the averaged weights; 0 uses the last weights."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """`auto` uses bfloat16 where the processor multiplies it in hardware."""
    validate_every: Count = 100
    """Steps between validations."""
    checkpoint_every_seconds: NotNegative = 20.0
    """Seconds between the checkpoints that `--resume` continues from."""


class MonitorSettings(Part):
    """How closely a training is watched while it runs."""

    every: Annotated[int, Field(ge=0)] = 50
    """Steps between looks into a step: whether every layer learns, and what unlabelled crops do; 0: never."""
    rolls_back: bool = True
    """Where unlabelled crops spoil the network, go back to its best weights and halve their weight."""


class UnlabelledSettings(Part):
    """How unlabelled micrographs are used, where a strategy uses them."""

    most: Count = 200
    """Micrographs that are looked at, drawn by the seed; more take memory (5 to 10 MB each) and teach no more."""
    batch: Count = 4
    """Unlabelled crops in a batch, beside the labelled ones."""
    weight: NotNegative = 1.0
    """Of the unlabelled crops' loss, beside the labelled ones'."""
    cutmix: Share = 0.5
    """Probability that a crop gets a piece of another one (CutMix), where a strategy uses it."""


class AugmentSettings(Part):
    """How crops are varied."""

    rotate: bool = True
    """Any rotation, mirrored or not; off: only the 8 views of the square."""
    scale: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.08
    """Largest relative change of size."""
    strength: NotNegative = 1.0
    """Scales contrast, noise and spectrum; 0 switches them, cutout and background off."""
    contrast: Share = 0.4
    """Largest relative change of contrast and of gamma."""
    noise: NotNegative = 0.5
    """Largest standard deviation of added white noise."""
    spectrum: NotNegative = 0.3
    """Largest amplitude of the smooth random change of the radial amplitude profile."""
    cutout: Share = 0.5
    """Probability that a block of at most half a diameter is blanked."""
    junk: Share = 0.15
    """Probability that something that is no particle is pasted, as background: a blot, or the edge of a dark area."""
    low_frequencies: Share = 0.0
    """Probability that a crop gets the low-frequency amplitudes of another place, as of thicker or thinner ice."""
    copy_paste: Share = 0.0
    """Probability that a labelled crop gets one to four particles of other places, as particles."""
    background: Share = 0.3
    """Probability that noise of another place is added, phases shuffled."""


class PickSettings(Part):
    """How a map becomes picks."""

    views: Literal[1, 2, 4, 8] = 8
    """Rotated and mirrored views whose maps are averaged."""
    distance_diameters: Positive = 0.6
    """Least distance between two picks."""
    smooth_diameters: NotNegative = 0.1
    """Sigma of the Gaussian that smooths the map before peaks are sought."""
    floor: Share = 0.02
    """Peaks below this score are not kept at all."""
    tile_pixels: Annotated[int, Field(ge=128)] = 2048
    """Micrographs larger than this (rescaled) are predicted in overlapping tiles."""
    cut: Literal["auto", "f1", "count"] = "auto"
    """How the threshold is chosen on validation: best smoothed F1, or as many picks as labels; `auto` takes the
    count below 60 validation particles."""
