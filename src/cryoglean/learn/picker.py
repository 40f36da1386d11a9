"""A trained network and everything needed to use it: micrograph in, scored picks out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from cryoglean.errors import CryogleanError, RunError, SettingsError
from cryoglean.learn.folding import fold_normalisation
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.predict import predict_map
from cryoglean.micrograph import Micrograph
from cryoglean.pick import find_peaks
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.registry import load_card
from cryoglean.settings import ModelSettings, PickSettings


@dataclass(frozen=True, slots=True, eq=False)
class Picker:
    """See the module.

    Args:
        network: in evaluation mode, on the hardware's device.
        model: which network it is.
        preparation: what micrographs go through first.
        settings: views, distances, lowest score.
        hardware: where it runs.
    """

    network: nn.Module
    model: ModelSettings
    preparation: Preparation
    settings: PickSettings
    hardware: Hardware

    def map(self, prepared: Prepared, views: int | None = None) -> Tensor:
        """The probability of a particle's core at every `stride`-th rescaled pixel; 0 where nothing was seen.

        Args:
            prepared: the picture.
            views: overrides the settings.
        """
        probability = predict_map(
            self.network,
            prepared.image,
            self.hardware,
            stride=self.stride,
            views=views or self.settings.views,
            tile_pixels=self.settings.tile_pixels,
        )
        return probability * prepared.valid[:: self.stride, :: self.stride]

    def pick(self, prepared: Prepared, views: int | None = None) -> Picks:
        """All picks above the lowest score, in pixels of the original micrograph, highest score first."""
        probability = self.map(prepared, views).numpy()
        xy, score = find_peaks(probability, self.preparation.particle_pixels / self.stride, self.settings)
        return Picks.of_one(prepared.name, prepared.scale.to_original(xy * self.stride), score)

    def pick_micrograph(self, micrograph: Micrograph) -> Picks:
        """Prepare and pick; see `Preparation.apply` for errors."""
        return self.pick(self.preparation.apply(micrograph))

    @property
    def stride(self) -> int:
        """Rescaled pixels between two values of the map."""
        return int(load_card("models", self.model.name).STRIDE)

    def to_json(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {
            "model": self.model.model_dump(mode="json"),
            "preparation": self.preparation.to_json(),
            "pick": self.settings.model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], weights: dict[str, Tensor], hardware: Hardware) -> Picker:
        """The picker that `to_json` described, with its weights.

        Raises:
            RunError: something is missing, or the weights are of another network.
        """
        try:
            model = ModelSettings.model_validate(content["model"])
            preparation = Preparation(**content["preparation"])
            settings = PickSettings.model_validate(content["pick"])
            network = build_network(model)
            network.load_state_dict(weights)
        except (KeyError, TypeError, ValidationError, RuntimeError, CryogleanError) as error:
            reason = " ".join(str(error).split())[:200]
            raise RunError(f"the model can't be built ({reason})", fix="Train again with this version.") from error
        return cls(fold_normalisation(hardware.place(network)), model, preparation, settings, hardware)


def build_network(model: ModelSettings, seed: int = 0) -> nn.Module:
    """An untrained network of a model card, its weights decided by the seed.

    Raises:
        SettingsError: there is no such model card, or it can't have these widths.
    """
    card = load_card("models", model.name)
    chosen = {} if model.widths is None else {"widths": model.widths}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network: nn.Module = card.build(card.Settings(**chosen))
        except ValidationError as error:
            raise SettingsError(
                f"{model.name} can't have the widths {list(model.widths or ())}: {error.errors()[0]['msg'].lower()}",
                where="model.widths", fix="Leave it out, or see `cryoglean list models`.",
            ) from error  # fmt: skip
    return network
