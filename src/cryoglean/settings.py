"""Every setting, once, with its meaning, unit and range; resolved from preset, file and command line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.preset import read_preset

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]


def _not_one(folds: int) -> int:
    if folds == 1:
        raise ValueError("one fold would leave nothing to train on; give 0, or 2 or more")
    return folds


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """As they come back from a settings file, with lists for tuples."""
    return dict(json.loads(json.dumps(options)))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class PrepareSettings(_Part):
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


class SplitSettings(_Part):
    """Which labelled micrographs are held out to choose the threshold."""

    validation_share: Share = 0.25
    """Share of the labelled micrographs held out when no validation file is given."""
    folds: Annotated[int, Field(ge=0), AfterValidator(_not_one)] = 0
    """Cross-validation folds, 2 or more, instead of holding out; 0 decides by the number of labelled micrographs."""


class TargetSettings(_Part):
    """What is painted for a labelled particle."""

    shape: Literal["disc", "gaussian"] = "disc"
    """`disc`: 1 in the core, ignored in the ring; `gaussian`: exp(-d^2 / 2 sigma^2), nothing ignored."""
    core_diameters: Positive = 0.3
    """Radius of the core (disc), or 2.4 sigma (gaussian), in diameters."""
    ring_diameters: Positive = 0.5
    """Outer radius of the ignored ring, in diameters."""


class LabelSettings(_Part):
    """What the labels of the training micrographs mean."""

    kind: Literal["complete", "sparse"] = "complete"
    """`complete`: every particle is labelled; `sparse`: some are, and what is not labelled was not judged."""
    per_micrograph: Positive | None = None
    """About how many particles a micrograph holds, where labels are sparse; by default from complete validation
    labels, else estimated."""


class ModelSettings(_Part):
    """Which network."""

    name: str = "lean"
    """A model card."""
    widths: Annotated[tuple[Count, ...], Field(min_length=2)] | None = None
    """Channels from the finest to the coarsest level; by default the card's own."""


class LossSettings(_Part):
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


class LearnSettings(_Part):
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


class UnlabelledSettings(_Part):
    """How unlabelled micrographs are used, where a strategy uses them."""

    most: Count = 200
    """Micrographs that are looked at, drawn by the seed; more take memory (5 to 10 MB each) and teach no more."""
    batch: Count = 4
    """Unlabelled crops in a batch, beside the labelled ones."""
    weight: NotNegative = 1.0
    """Of the unlabelled crops' loss, beside the labelled ones'."""
    cutmix: Share = 0.5
    """Probability that a crop gets a piece of another one (CutMix), where a strategy uses it."""


class AugmentSettings(_Part):
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


class PickSettings(_Part):
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


class Settings(_Part):
    """Everything that decides a training, apart from the data."""

    strategy: str = "auto"
    """A strategy card; `auto` is `pu_pseudo` with sparse labels, else `recommended` where there are unlabelled
    micrographs, else `supervised`."""
    options: Annotated[dict[str, Any], AfterValidator(_as_json)] = {}
    """What the strategy's own card asks for, such as variant=notes; see its page."""
    seed: Annotated[int, Field(ge=0, le=2**32)] = 0
    """Seed of every random choice."""
    labels: LabelSettings = LabelSettings()
    prepare: PrepareSettings = PrepareSettings()
    split: SplitSettings = SplitSettings()
    targets: TargetSettings = TargetSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    learn: LearnSettings = LearnSettings()
    unlabelled: UnlabelledSettings = UnlabelledSettings()
    augment: AugmentSettings = AugmentSettings()
    pick: PickSettings = PickSettings()

    def to_yaml(self) -> str:
        """The complete settings as YAML."""
        return yaml.safe_dump(json.loads(self.model_dump_json()), sort_keys=False)


def resolve_settings(layers: Sequence[Mapping[str, Any]], assignments: Sequence[str] = ()) -> Settings:
    """Settings from defaults, then each layer over the one before, then `a.b=c` assignments over all.

    Args:
        layers: nested mappings, as in YAML.
        assignments: texts such as `learn.steps=200`; the value is read as YAML.

    Raises:
        SettingsError: names all mistakes at once, each with the nearest known name or the allowed range.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    for assignment in assignments:
        merged = _merge(merged, parse_assignment(assignment))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(mistake) for mistake in error.errors()), where="settings") from error


def choose_settings(
    effort: str = "standard",
    preset: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> Settings:
    """Settings from effort, preset, fixed values and single assignments, each over the one before.

    Raises:
        SettingsError: see `resolve_settings`.
    """
    layers = [read_preset(effort), *([read_preset(preset)] if preset else []), fixed or {}]
    return resolve_settings(layers, assignments)


def read_settings(path: Path) -> Settings:
    """Settings from a YAML file; see `resolve_settings`.

    Raises:
        SettingsError: the file is missing, is not YAML, or says something unknown.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"it can't be read ({error})", where=path) from error
    if not isinstance(content, dict):
        raise SettingsError("it is not a YAML mapping", where=path)
    return resolve_settings([content])


def setting_names() -> tuple[str, ...]:
    """Every setting by its full name, such as `learn.steps`."""
    names: list[str] = []
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Part):
            names += [f"{name}.{inner}" for inner in info.annotation.model_fields]
        else:
            names.append(name)
    return tuple(names)


def describe_setting(name: str) -> tuple[str, Any]:
    """The meaning of a setting and its default.

    Args:
        name: a full name from `setting_names`.
    """
    part, _, inner = name.rpartition(".")
    model: type[BaseModel] = type(getattr(Settings(), part)) if part else Settings
    info = model.model_fields[inner]
    return (" ".join((info.description or "").split()), info.default)


def effort_names() -> tuple[str, ...]:
    """The efforts that `--effort` knows, from the fastest to the most careful."""
    return get_args(Effort)


Effort = Literal["quick", "standard", "thorough"]


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def parse_assignment(assignment: str) -> dict[str, Any]:
    """`a.b=c` as nested mappings; the value is read as YAML.

    Raises:
        SettingsError: it is not `name=value`.
    """
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"'{assignment}' is not name=value", where="--set", fix="Write --set learn.steps=200.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"the value of '{assignment}' can't be read", where="--set") from error
    if isinstance(value, str):  # YAML 1.1 reads 1e-3 as text; people mean a number
        with contextlib.suppress(ValueError):
            value = float(value)
    for part in reversed(name.strip().split(".")):
        value = {part: value}
    return dict(value)


def _explain(mistake: Any) -> str:
    name = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        return f"there is no setting '{name}'. {did_you_mean(name, setting_names(), 0.5)}"
    return f"{name} = {mistake['input']!r}: {mistake['msg'].lower()}"
