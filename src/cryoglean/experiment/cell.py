"""One cell of an experiment: what it is, which cells there are, and which other cell it builds on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.dataset import Dataset
from cryoglean.errors import LabelsError, MicrographError, RunError, SettingsError
from cryoglean.evaluate.rules import Rules
from cryoglean.experiment.division import Division, Rule, divide
from cryoglean.experiment.grid import SUPERVISED, Data, Grid, Line
from cryoglean.io.folders import match_labels
from cryoglean.io.micrographs import (
    find_micrographs,
    micrographs_by_name,
    read_micrograph,
    read_micrograph_shape,
)
from cryoglean.io.picks import read_picks
from cryoglean.picks import Picks
from cryoglean.recipe import read_recipe
from cryoglean.settings import Settings, resolve_settings

CELL_FILE = "cell.json"

ENGINE = 1
"""Raised when results of before can't be compared any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A data set as it is read: files and all labels.

    Args:
        data: what the grid says of it.
        paths: the micrographs by name.
        labels: of all annotated ones.
        ignore: points that neither help nor hurt; None: there are none.
    """

    data: Data
    paths: Mapping[str, Path]
    labels: Picks
    ignore: Picks | None

    @classmethod
    def read(cls, data: Data) -> Truth:
        """Find the micrographs and read the labels.

        Raises:
            CryogleanError: a file can't be used, or none of the labels matches a micrograph.
        """
        paths = find_micrographs(list(data.micrographs))
        by_name = micrographs_by_name(paths)
        table = read_picks(data.labels, micrographs=by_name)
        labels = table.of(match_labels(paths, table).labelled)
        ignore = None if data.ignore is None else read_picks(data.ignore, micrographs=by_name)
        return cls(data, by_name, replace(labels, score=None, extra={}), ignore)

    def counts(self) -> dict[str, int | None]:
        """Particles by micrograph; None where nobody annotated."""
        names, numbers = np.unique(self.labels.micrograph, return_counts=True)
        found = dict(zip(names.tolist(), numbers.tolist(), strict=True))
        annotated = set(self.labels.micrographs)
        return {name: found.get(name, 0) if name in annotated else None for name in self.paths}

    def digest(self) -> str:
        """Changes with the labels, the ignored points, the names of the micrographs and their sizes in bytes."""
        files = sorted((name, path.stat().st_size) for name, path in self.paths.items())
        text = json.dumps([files, sorted(self.labels.micrographs), self.data.model_dump(mode="json", exclude=_PLACES)])
        digest = hashlib.sha256(text.encode())
        digest.update(np.ascontiguousarray(self.labels.xy.round(4)).tobytes())
        digest.update("\n".join(self.labels.micrograph.tolist()).encode())
        if self.ignore is not None:
            digest.update(np.ascontiguousarray(self.ignore.xy.round(4)).tobytes())
            digest.update("\n".join(self.ignore.micrograph.tolist()).encode())
        return digest.hexdigest()[:16]

    def rules(self, names: Sequence[str]) -> Rules:
        """How picks on test micrographs are judged.

        Args:
            names: of the micrographs; the first one's header says the pixel size where the grid doesn't.

        Raises:
            MicrographError: a micrograph can't be read, or nobody says the pixel size.
        """
        shapes = {name: read_micrograph_shape(self.paths[name]) for name in names}
        size = self.data.pixel_size_angstrom
        if size is None:
            size = read_micrograph(self.paths[names[0]]).pixel_size_angstrom
        if size is None:
            raise MicrographError("its header says no pixel size", where=names[0], fix="Say it in the grid.")
        diameter = self.data.diameter_angstrom / size
        return Rules(border_pixels=self.data.border_pixels, shapes=shapes, diameter_pixels=diameter)


_PLACES = {"micrographs", "labels", "ignore"}


@dataclass(frozen=True, eq=False)
class Cell:
    """A training and its test.

    Args:
        data: the name of the data set.
        ratio: labelled share.
        seed: of the draw and of the training.
        line: the name of the line.
        is_oracle: whether all training micrographs are labelled.
        settings: all settings of the training.
        division: who is who.
        digest: of the data set.
        base: the key of the supervised cell whose training this one begins with; empty: none.
    """

    data: str
    ratio: float
    seed: int
    line: str
    is_oracle: bool
    settings: Settings
    division: Division
    digest: str
    base: str = ""

    @cached_property
    def key(self) -> str:
        """The same for the same cell; changes with anything that changes its result."""
        facts = [ENGINE, self.data, self.ratio, self.seed, self.is_oracle, self.digest, asdict(self.division)]
        text = json.dumps([*facts, self.settings.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Below the experiment's folder."""
        names = ("key", "data", "ratio", "seed", "line")
        return folder_of({name: getattr(self, name) for name in names})

    def dataset(self, truth: Truth) -> Dataset:
        """What the training is given: labels of the labelled and the validation micrographs, of no others."""
        roles = self.division.roles(is_oracle=self.is_oracle)
        known = [name for name, role in roles.items() if role in ("train", "validation")]
        known = [name for name in known if name in set(truth.labels.micrographs)]
        roles = {name: role if role != "train" or name in known else "unlabelled" for name, role in roles.items()}
        return Dataset(
            {name: truth.paths[name] for name in sorted(roles)}, roles,
            replace(truth.labels.of(known), diameter_pixels=None),
            truth.data.diameter_angstrom, truth.data.pixel_size_angstrom,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Everything, for `cell.json`."""
        return {
            "key": self.key, "data": self.data, "ratio": self.ratio, "seed": self.seed, "line": self.line,
            "is_oracle": self.is_oracle, "digest": self.digest, "base": self.base,
            "division": asdict(self.division), "settings": self.settings.model_dump(mode="json"),
        }  # fmt: skip

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Cell:
        """What `to_json` made.

        Raises:
            RunError: something is missing in it, or it was changed.
            SettingsError: a setting in it is not known any more.
        """
        try:
            names = ("data", "ratio", "seed", "line", "is_oracle", "digest", "base")
            division = Division(**{name: tuple(value) for name, value in content["division"].items()})
            cell = cls(
                **{name: content[name] for name in names},
                settings=resolve_settings([content["settings"]]), division=division,
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"it lacks something ({error})", where=CELL_FILE, fix="Remove its folder.") from error
        if cell.key != content.get("key"):
            raise RunError("it was changed, or made by another version", where=CELL_FILE, fix="Remove its folder.")
        return cell


def folder_of(facts: Mapping[str, Any]) -> Path:
    """Where the cell with this key, data, ratio, seed and line lies, below the experiment's folder.

    Args:
        facts: of a cell, or of its result.
    """
    data, name = str(facts["data"]), f"{facts['line']}-{facts['key'][:8]}"
    return Path("cells") / data / f"{100 * facts['ratio']:g}" / f"seed_{facts['seed']}" / name


def plan_cells(grid: Grid, truths: Mapping[str, Truth]) -> Iterator[Cell]:
    """All cells of a grid; those that others build on come first.

    Args:
        grid: the experiment.
        truths: its data sets, by name.

    Raises:
        LabelsError: a data set can't be divided; its name is told.
        SettingsError: a setting or card is not known, or two lines are the same.
    """
    for name, truth in truths.items():
        counts, digest = truth.counts(), truth.digest()
        rule = Rule(grid.test_share, grid.validation, grid.data[name].group)
        for seed in grid.seeds:
            for ratio in grid.ratios:
                try:
                    division = divide(counts, rule, ratio, seed)
                except LabelsError as error:
                    raise LabelsError(error.what, where=f"data set {name}", fix=error.fix) from error
                yield from _lines(grid, name, (ratio, seed), division, digest)


def _is_told_again(grid: Grid, line: Line, ratio: float) -> bool:
    """The oracle knows all labels, whatever the ratio: one for each seed is enough."""
    return line.is_oracle and ratio != grid.ratios[-1]


def _lines(grid: Grid, data: str, drawn: tuple[float, int], division: Division, digest: str) -> Iterator[Cell]:
    lines = grid.all_lines()
    first: Cell | None = None
    names: dict[str, str] = {}
    for name, line in lines.items():
        if _is_told_again(grid, line, drawn[0]):
            continue
        cell = Cell(data, *drawn, name, line.is_oracle, grid.settings_of(line, drawn[1]), division, digest)
        if name == SUPERVISED:
            first = cell
        elif first is not None and _begins_like(cell, first):
            cell = replace(cell, base=first.key)
        if (twin := names.setdefault(cell.key, name)) != name:
            raise SettingsError(f"'{name}' is the same as '{twin}'", where="lines", fix="Leave one of them out.")
        yield cell


def _begins_like(cell: Cell, first: Cell) -> bool:
    """Whether the first training of a cell is that of the supervised one: the same settings but the strategy's own."""
    recipe = read_recipe(cell.settings.strategy, cell.settings.options)
    plain = read_recipe(first.settings.strategy, first.settings.options)
    own = {"strategy", "options", "unlabelled"}
    same = cell.settings.model_dump(exclude=own) == first.settings.model_dump(exclude=own)
    has_plain_streams = len(recipe.streams) == len(plain.streams) and recipe.labels == plain.labels
    begins_plainly = has_plain_streams and not recipe.pretrain
    return same and begins_plainly and not cell.is_oracle and cell.settings.strategy != SUPERVISED
