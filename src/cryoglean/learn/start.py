"""Where a network starts: at random, or from the general start that the package brings along (src/cryoglean/starts)."""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import Any

from torch import nn

from cryoglean.dataset import ParticleSize
from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.learn.checkpoint import load_tensors
from cryoglean.learn.folding import fold_normalisation
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.picker import Picker, build_network
from cryoglean.prepare.normalize import Preparation
from cryoglean.registry import load_card
from cryoglean.settings import ModelSettings, PickSettings, PrepareSettings, Settings

GENERAL = "general"
_LARGEST_SIZE_CHANGE = 0.35  # of the logarithm of the particle's pixels: 14 to 28 for a start of 20


def start_names() -> tuple[str, ...]:
    """The starts that the package holds; empty where none was put in."""
    folder = resources.files("cryoglean") / "starts"
    if not folder.is_dir():
        return ()
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json")))


def read_start_facts(name: str = GENERAL) -> dict[str, Any]:
    """What a start is: its model, its preparation, how it was made, its threshold.

    Args:
        name: one of `start_names()`.

    Raises:
        SettingsError: there is no such start.
    """
    if name not in start_names():
        raise SettingsError(f"there is no start '{name}'", where="learn.start", fix=did_you_mean(name, start_names()))
    text = (resources.files("cryoglean") / "starts" / f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def load_start(name: str, model: ModelSettings) -> nn.Module:
    """The network of a start, with its weights.

    Args:
        name: one of `start_names()`.
        model: what the network must be.

    Raises:
        SettingsError: there is no such start, or its network is another one.
        RunError: its file is missing or broken.
    """
    facts = read_start_facts(name)
    if not _is_same_network(facts["model"], model):
        known = facts["model"]
        raise SettingsError(
            f"the start '{name}' is a {known['name']} of widths {known['widths']}, not a {model.name} of "
            f"{list(_widths(model))}",
            where="learn.start", fix="Leave model.name and model.widths as they are, or say learn.start=random.",
        )  # fmt: skip
    network = build_network(model)
    with resources.as_file(resources.files("cryoglean") / "starts" / f"{name}.safetensors") as path:
        network.load_state_dict(load_tensors(path)[0])
    return network


def choose_start(settings: Settings) -> str:
    """`general` or `random`: what `auto` means for these settings, else what they say.

    `auto` is `general` where the package holds it, the network is the same one, and particles are about as large for
    it (14 to 28 pixels for one that learned at 20).
    """
    if settings.learn.start != "auto":
        return settings.learn.start
    if GENERAL not in start_names():
        return "random"
    facts = read_start_facts(GENERAL)
    change = math.log(settings.prepare.particle_pixels / facts["prepare"]["particle_pixels"])
    fits = _is_same_network(facts["model"], settings.model) and abs(change) <= _LARGEST_SIZE_CHANGE
    return GENERAL if fits else "random"


def start_network(settings: Settings) -> nn.Module:
    """The network that a training begins with.

    Raises:
        SettingsError: a start was asked for that is of another network.
    """
    name = choose_start(settings)
    return build_network(settings.model, settings.seed) if name == "random" else load_start(name, settings.model)


def take_weights(network: nn.Module, source: nn.Module, *, but_last_layer: bool = False) -> None:
    """Give a network the weights of another one of its kind.

    Args:
        network: is changed.
        source: stays as it is.
        but_last_layer: whether the last convolution is left out: that belongs to the task.
    """
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)][-1]
    own = {name: value for name, value in network.state_dict().items() if name.startswith(f"{last}.")}
    network.load_state_dict({**source.state_dict(), **(own if but_last_layer else {})})


def general_picker(
    diameter_angstrom: float, hardware: Hardware, *, particles_are_dark: bool = True, views: int | None = None
) -> tuple[Picker, float]:
    """The general start as a picker that needs no label, and its threshold.

    Args:
        diameter_angstrom: of the particle, above 0.
        hardware: where it runs.
        particles_are_dark: on the stored micrographs.
        views: overrides the number of rotated and mirrored views.

    Raises:
        SettingsError: the diameter is not above 0.
    """
    ParticleSize(diameter_angstrom).check()
    facts = read_start_facts(GENERAL)
    model = ModelSettings.model_validate(facts["model"])
    prepare = PrepareSettings.model_validate(facts["prepare"])
    preparation = Preparation(
        diameter_angstrom, prepare.particle_pixels, prepare.high_pass_diameters, prepare.clip,
        particles_are_dark=particles_are_dark,
    )  # fmt: skip
    settings = PickSettings() if views is None else PickSettings().model_copy(update={"views": views})
    network = fold_normalisation(hardware.place(load_start(GENERAL, model)))
    return Picker(network, model, preparation, settings, hardware), float(facts["threshold"])


def _is_same_network(known: dict[str, Any], model: ModelSettings) -> bool:
    return model.name == known["name"] and _widths(model) == tuple(known["widths"])


def _widths(model: ModelSettings) -> tuple[int, ...]:
    chosen = load_card("models", model.name).Settings().widths if model.widths is None else model.widths
    return tuple(chosen)
