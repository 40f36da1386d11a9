"""Named settings that the package brings along: src/cryoglean/presets/*.yaml."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from cryoglean.errors import SettingsError, did_you_mean


def preset_names() -> tuple[str, ...]:
    """The names of the presets in the package."""
    folder = resources.files("cryoglean") / "presets"
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml")))


def read_preset(name: str) -> dict[str, Any]:
    """The settings that a preset changes.

    Raises:
        SettingsError: there is no such preset.
    """
    if name not in preset_names():
        raise SettingsError(f"there is no preset '{name}'", fix=did_you_mean(name, preset_names(), 0.5))
    text = (resources.files("cryoglean") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text) or {})


def read_preset_summary(name: str) -> str:
    """The first comment of a preset: what it is for."""
    text = (resources.files("cryoglean") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return text.split("\n", maxsplit=1)[0].lstrip("# ").rstrip(".")
