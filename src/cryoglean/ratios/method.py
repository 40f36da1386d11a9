"""The notes' options, and what they mean to the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cryoglean.errors import SettingsError
from cryoglean.recipe import Variant, read_recipe
from cryoglean.settings import Effort, PrepareSettings, Settings, TargetSettings, choose_settings

Strategy = Literal["pseudo_label", "class_balanced", "limited"]

SMALLEST_PARTICLE_PIXELS = 6.0
LARGEST_PARTICLE_PIXELS = PrepareSettings().particle_pixels
_TITLES = {"pseudo_label": "pseudolabel", "class_balanced": "balanced_pseudolabel", "limited": "limited_pseudolabel"}


@dataclass(frozen=True, slots=True)
class Method:
    """How to learn; None leaves the default of the strategy or the engine.

    Args:
        strategy: which of the notes' three scripts.
        variant: `notes`: its rules as they were; `corrected`: put right.
        confidence_threshold: of `pseudo_label` and `limited`.
        confidence_threshold_particle: of `class_balanced`.
        confidence_threshold_background: of `class_balanced`.
        target_particle_ratio: of `class_balanced`: share of pixels in discs as large as a particle.
        pseudo_to_labeled_ratio: of `class_balanced` and `limited`: most micrographs that are pseudo-labelled.
        n_iterations: rounds at most, 1 or more.
        batch_size: labelled crops in a batch, and as many unlabelled ones.
        target_size: longest side of a picture for the network, in pixels.
        seed: of who is labelled, and of the training.
        effort: how much time to take.
        assignments: single settings over all this, such as `learn.steps=200`.
    """

    strategy: Strategy = "pseudo_label"
    variant: Variant = "corrected"
    confidence_threshold: float | None = None
    confidence_threshold_particle: float | None = None
    confidence_threshold_background: float | None = None
    target_particle_ratio: float | None = None
    pseudo_to_labeled_ratio: float | None = None
    n_iterations: int = 3
    batch_size: int | None = None
    target_size: int | None = None
    seed: int = 0
    effort: Effort = "standard"
    assignments: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the result files are called after."""
        return _TITLES[self.strategy]

    def options(self) -> dict[str, Any]:
        """Of the strategy's card.

        Raises:
            SettingsError: an option is of another strategy.
        """
        known: dict[str, Any] = {"rounds": self.n_iterations, "variant": self.variant}
        for name, option in self._own().items():
            value = getattr(self, name)
            if value is None:
                continue
            if not option:
                raise SettingsError(
                    f"'{self.strategy}' has no such option", where="--" + name.replace("_", "-"),
                    fix=f"Leave it out, or choose another --strategy; it is {self.strategy}.",
                )  # fmt: skip
            known[option] = value
        if self.target_particle_ratio is not None:
            known["target"] = self.target_particle_ratio * _core_share_of_disc(TargetSettings())
        return known

    def _own(self) -> dict[str, str]:
        """The name on the strategy's card of each of the notes' options; empty where it has none."""
        balanced, limited = self.strategy == "class_balanced", self.strategy == "limited"
        return {
            "confidence_threshold": "" if balanced else "trust_above",
            "confidence_threshold_particle": "particle" if balanced else "",
            "confidence_threshold_background": "background" if balanced else "",
            "target_particle_ratio": "target" if balanced else "",
            "pseudo_to_labeled_ratio": "cap" if balanced else "ratio" if limited else "",
        }

    def settings(self, strategy: str, particle_pixels: float) -> Settings:
        """All settings of a training.

        Args:
            strategy: that of the method, or `supervised`.
            particle_pixels: see `working_particle_pixels`.

        Raises:
            SettingsError: a value is out of range.
        """
        fixed: dict[str, Any] = {"strategy": strategy, "seed": self.seed}
        fixed["options"] = {} if strategy == "supervised" else self.options()
        fixed["prepare"] = {"particle_pixels": particle_pixels}
        if self.batch_size is not None:
            fixed |= {"learn": {"batch": self.batch_size}, "unlabelled": {"batch": self.batch_size}}
        settings = choose_settings(self.effort, fixed=fixed, assignments=self.assignments)
        if (settings.strategy, settings.seed) != (strategy, self.seed):
            raise SettingsError("it has an option of its own", where="--set", fix="Use --strategy and --seed.")
        read_recipe(settings.strategy, settings.options)
        return settings


def working_particle_pixels(diameter_pixels: float, longest_side: int, target_size: int | None) -> float:
    """How large a particle is for the network: as on a picture brought to `target_size`, within what the engine takes.

    Pictures are never enlarged, and particles never larger than the network learned them: that would only cost time.

    Args:
        diameter_pixels: on the picture as given.
        longest_side: of the picture as given, in pixels.
        target_size: of the picture for the network; None: as the engine likes it.

    Raises:
        SettingsError: the particle would be too small to be seen, or the size is not above 0.
    """
    if target_size is None:
        return LARGEST_PARTICLE_PIXELS
    if target_size < 1:
        raise SettingsError(f"it is {target_size}", where="--target-size", fix="Give pixels, such as 768.")
    wanted = diameter_pixels * min(target_size / longest_side, 1.0)
    if wanted < SMALLEST_PARTICLE_PIXELS:
        least = math.ceil(SMALLEST_PARTICLE_PIXELS / diameter_pixels * longest_side)
        raise SettingsError(
            f"a particle of {diameter_pixels:g} of {longest_side} pixels would be {wanted:.1f} pixels across",
            where="--target-size",
            fix=f"Give {least} or more; --particle-radius is in pixels of the pictures as they are."
            if least <= longest_side
            else "Check --particle-radius: it is in pixels of the pictures as they are.",
        )
    return min(round(wanted, 2), LARGEST_PARTICLE_PIXELS)


def parse_ratios(text: str | Sequence[float]) -> tuple[float, ...]:
    """The ratios of a text such as `0.05,0.10`, in order, each once.

    Raises:
        SettingsError: there is none, or one is not a number above 0 and at most 1.
    """
    words = text.split(",") if isinstance(text, str) else [str(one) for one in text]
    ratios: dict[float, None] = {}
    for word in filter(None, map(str.strip, words)):
        try:
            ratio = float(word)
        except ValueError:
            ratio = math.nan
        if not 0 < ratio <= 1:
            raise SettingsError(
                f"'{word}' is no share above 0 and at most 1", where="--labeled-ratios", fix="Write 0.05 for 5 %."
            )
        ratios[ratio] = None
    if not ratios:
        raise SettingsError("there is none", where="--labeled-ratios", fix="Write 0.05,0.10.")
    return tuple(sorted(ratios))


def _core_share_of_disc(targets: TargetSettings) -> float:
    """How much of a disc as large as a particle its core is."""
    return min((2 * targets.core_diameters) ** 2, 1.0)
