"""What an experiment is: data sets, labelled ratios, seeds, and the lines that are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.registry import check_cards
from cryoglean.settings import Effort, Settings, choose_settings

SUPERVISED, ORACLE = "supervised", "oracle"
"""Two lines that every experiment has: the labels alone, and the labels of all micrographs that others lack."""

Ratio = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _refuse_own(settings: tuple[str, ...]) -> tuple[str, ...]:
    """Settings that would make lines or seeds other ones than the grid says."""
    for setting in settings:
        if (name := setting.split("=")[0].strip()) in ("seed", "strategy"):
            raise ValueError(f"'{name}' is no setting here; say it in seeds: or lines:")
    return settings


def _line_called(name: str) -> dict[str, Any]:
    return {"is_oracle": True} if name == ORACLE else {"strategy": name}


class Data(_Part):
    """A data set whose particles are all known, so that labels can be hidden."""

    micrographs: tuple[str, ...]
    """Files, folders, globs or a STAR file."""
    labels: Path
    """The particles of all micrographs; a micrograph that it does not name is used without labels only."""
    diameter_angstrom: Positive
    """Diameter of the particle in angstrom."""
    pixel_size_angstrom: Positive | None = None
    """By default that of the headers."""
    ignore: Path | None = None
    """Points of test micrographs where a pick neither helps nor hurts."""
    border_pixels: Annotated[float, Field(ge=0)] = 0.0
    """Particles and picks nearer to an edge of a test micrograph are left out."""
    group: str | None = None
    """A regular expression; micrographs whose names agree in its first group (a session, a grid square, the picture
    that they are parts of) are never on both sides of test, validation and training."""

    @field_validator("micrographs", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("group")
    @classmethod
    def _has_a_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"it is no regular expression ({error})") from error
            if groups != 1:
                raise ValueError("it needs one group in parentheses")
        return value


class Line(_Part):
    """One way to learn, which is compared with the others."""

    strategy: str = SUPERVISED
    """A strategy card."""
    options: dict[str, Any] = {}
    """Of the card, such as variant: notes."""
    settings: tuple[str, ...] = ()
    """Single settings, such as learn.steps=200."""
    is_oracle: bool = False
    """Whether the labels of all training micrographs are given."""

    @field_validator("settings", mode="after")
    @classmethod
    def _drawn_by_the_grid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _refuse_own(value)


class Grid(_Part):
    """An experiment."""

    data: dict[str, Data] = Field(min_length=1)
    """Data sets by name."""
    ratios: Annotated[tuple[Ratio, ...], Field(min_length=1)] = (0.05, 0.10)
    """Labelled shares of the training micrographs; at least one micrograph is labelled."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    """Each draws who is labelled and who validates, and seeds the training; a number means as many, from 0."""
    lines: dict[str, Line] = {}
    """Ways to learn by name; supervised and oracle are added. A strategy's name alone stands for itself."""
    effort: Effort = "standard"
    """Of all lines."""
    settings: tuple[str, ...] = ()
    """Single settings of all lines."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Of the labelled micrographs; the same for every seed and ratio, and never looked at before the end."""
    validation: Annotated[int, Field(ge=1)] = 2
    """Labelled micrographs on which thresholds and rounds are chosen, besides those of the ratio."""

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return tuple(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("ratios", mode="after")
    @classmethod
    def _sorted(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(value)))

    @field_validator("seeds", mode="after")
    @classmethod
    def _once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("lines", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            value = dict.fromkeys(value)
        if isinstance(value, Mapping):
            value = {name: _line_called(name) if line is None else line for name, line in value.items()}
        return value

    @field_validator("lines", mode="after")
    @classmethod
    def _leaves_the_two(cls, value: dict[str, Line]) -> dict[str, Line]:
        for name in (SUPERVISED, ORACLE):
            if name in value and value[name] != Line.model_validate(_line_called(name)):
                raise ValueError(f"'{name}' is always there and can't be another line; call yours otherwise")
        return value

    @field_validator("settings", mode="after")
    @classmethod
    def _drawn_by_the_grid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _refuse_own(value)

    @field_validator("data", "lines", mode="after")
    @classmethod
    def _fit_for_folders(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(f"'{name}' can't be the name of a folder: letters, digits and . _ + = - only")
        return value

    def all_lines(self) -> dict[str, Line]:
        """The lines, supervised first and the oracle last."""
        rest = {name: line for name, line in self.lines.items() if name not in (SUPERVISED, ORACLE)}
        return {SUPERVISED: Line(), **rest, ORACLE: Line(is_oracle=True)}

    def settings_of(self, line: Line, seed: int) -> Settings:
        """All settings of a training.

        Raises:
            SettingsError: a setting or a card is not known.
        """
        fixed = {"strategy": line.strategy, "seed": seed, "options": line.options}
        chosen = choose_settings(self.effort, fixed=fixed, assignments=[*self.settings, *line.settings])
        check_cards(chosen)
        return chosen

    def to_yaml(self) -> str:
        """The grid as YAML, which `read_grid` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read_grid(path: Path) -> Grid:
    """A grid from a YAML file; paths in it are taken from the file's folder.

    Raises:
        SettingsError: the file can't be read, or says something unknown; all mistakes at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"it can't be read ({error})", where=path) from error
    if not isinstance(content, dict):
        raise SettingsError("it is not a YAML mapping", where=path, fix="Write data:, ratios:, seeds: and lines:.")
    grid = make_grid(content, path)
    data = {name: from_folder(one, path.absolute().parent) for name, one in grid.data.items()}
    return grid.model_copy(update={"data": data})


def make_grid(content: Mapping[str, Any], where: Path | str = "experiment") -> Grid:
    """A grid from nested mappings.

    Raises:
        SettingsError: naming all mistakes at once.
    """
    try:
        return Grid.model_validate(content)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(dict(one)) for one in error.errors()), where=where) from error


def from_folder(data: Data, folder: Path) -> Data:
    """A data set whose relative paths are taken from a folder."""

    def at(path: str | Path) -> str:
        return str(path) if Path(path).is_absolute() else str(folder / path)

    ignore = None if data.ignore is None else Path(at(data.ignore))
    return data.model_copy(
        update={"micrographs": tuple(map(at, data.micrographs)), "labels": Path(at(data.labels)), "ignore": ignore}
    )


def _explain(mistake: dict[str, Any]) -> str:
    place = [str(part) for part in mistake["loc"]]
    if mistake["type"] == "extra_forbidden":
        known = Grid.model_fields if len(place) == 1 else Data.model_fields if place[0] == "data" else Line.model_fields
        return f"there is no '{'.'.join(place)}'. {did_you_mean(place[-1], tuple(known))}"
    return f"{'.'.join(place)}: {mistake['msg'].removeprefix('Value error, ')}"
