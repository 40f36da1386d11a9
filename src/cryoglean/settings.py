"""Every setting, once, with its meaning, unit and range; resolved from preset, file and command line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.preset import read_preset
from cryoglean.setting_parts import (
    AugmentSettings,
    Count,
    LabelSettings,
    LearnSettings,
    LossSettings,
    ModelSettings,
    MonitorSettings,
    NotNegative,
    Part,
    PickSettings,
    Positive,
    PrepareSettings,
    Share,
    SplitSettings,
    TargetSettings,
    UnlabelledSettings,
    as_json,
)

__all__ = [
    "AugmentSettings",
    "Count",
    "Effort",
    "LabelSettings",
    "LearnSettings",
    "LossSettings",
    "ModelSettings",
    "MonitorSettings",
    "NotNegative",
    "PickSettings",
    "Positive",
    "PrepareSettings",
    "Settings",
    "Share",
    "SplitSettings",
    "TargetSettings",
    "UnlabelledSettings",
    "choose_settings",
    "describe_setting",
    "effort_names",
    "parse_assignment",
    "read_settings",
    "resolve_settings",
    "setting_names",
]


class Settings(Part):
    """Everything that decides a training, apart from the data."""

    strategy: str = "auto"
    """A strategy card; `auto` is `pu_pseudo` with sparse labels, else `recommended` where there are unlabelled
    micrographs, else `supervised`."""
    options: Annotated[dict[str, Any], AfterValidator(as_json)] = Field(default={})
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
    monitor: MonitorSettings = MonitorSettings()
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
    file: Path | None = None,
) -> Settings:
    """Settings from effort, preset, settings file, fixed values and single assignments, each over the one before.

    Raises:
        SettingsError: see `resolve_settings` and `read_settings`.
    """
    layers = [read_preset(effort), *([read_preset(preset)] if preset else []), *([_read_file(file)] if file else [])]
    return resolve_settings([*layers, fixed or {}], assignments)


def read_settings(path: Path) -> Settings:
    """Settings from a YAML file; see `resolve_settings`.

    Raises:
        SettingsError: the file is missing, is not YAML, or says something unknown.
    """
    return resolve_settings([_read_file(path)])


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"it can't be read ({error})", where=path) from error
    if not isinstance(content, dict):
        raise SettingsError("it is not a YAML mapping", where=path)
    return content


def setting_names() -> tuple[str, ...]:
    """Every setting by its full name, such as `learn.steps`."""
    names: list[str] = []
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Part):
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
