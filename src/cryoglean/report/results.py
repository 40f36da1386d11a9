"""Everything that the sections of a report draw on, read from the run folder when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from cryoglean.dataset import Dataset
from cryoglean.errors import CryogleanError, RunError
from cryoglean.evaluate.rules import Rules
from cryoglean.io.micrographs import read_micrograph_shape
from cryoglean.io.picks import read_picks
from cryoglean.picks import Picks
from cryoglean.report.judged import Judged, judge_picks
from cryoglean.run import Run
from cryoglean.settings import describe_setting


@dataclass(frozen=True, slots=True, eq=False)
class TestPicks:
    """Picks on micrographs that had no part in the training, and the truth about them.

    Args:
        picks: down to the lowest score kept, with scores if possible.
        truth: the particles; its `micrographs` are those that somebody annotated.
        paths: the file of each micrograph.
        rules: of the comparison.
        threshold: lowest score taken for the counts; None takes all.
    """

    __test__: ClassVar[bool] = False  # pytest would take it for tests

    picks: Picks
    truth: Picks
    paths: Mapping[str, Path]
    rules: Rules
    threshold: float | None


@dataclass(frozen=True, eq=False)
class Results:
    """A finished run, and perhaps a test, to be reported.

    Args:
        run: a finished run.
        test: picks to report beside the validation; None for none.
    """

    run: Run
    test: TestPicks | None = None

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`.

        Raises:
            RunError: the run is not finished.
        """
        return self.run.summary()

    @cached_property
    def settings_text(self) -> str:
        """The complete settings as YAML, as the run wrote them.

        Raises:
            RunError: they are missing.
        """
        try:
            return self.run.settings_file.read_text(encoding="utf-8").rstrip()
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(
                f"settings.yaml can't be read ({error})", where=self.run.folder, fix="Give the folder of a run."
            ) from error

    def setting(self, name: str) -> Any:
        """The value of one setting, also of a run of another version; its default today where the run is silent.

        Args:
            name: such as `learn.steps`.
        """
        value: Any = self._settings
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return describe_setting(name)[1] if value is None else value

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Command, versions and machine; empty when nobody wrote them down."""
        file = self.run.environment_file
        return dict(self.run.read_json(file)) if file.exists() else {}

    @cached_property
    def dataset(self) -> Dataset:
        """The micrographs and the labels of the training."""
        return Dataset.from_json(self.run.read_json(self.run.dataset_file), read_picks(self.run.labels_file))

    @cached_property
    def threshold(self) -> float:
        """The lowest score that is kept."""
        return float(self.summary["threshold"])

    @cached_property
    def validation_names(self) -> tuple[str, ...]:
        """The micrographs that the run was judged on, in order."""
        return tuple(self.summary.get("validation_on", ()))

    @cached_property
    def validation_truth(self) -> Picks:
        """The labels of those micrographs."""
        labels, sizes = self.dataset.labels, self.dataset.diameter_pixels_of
        parts = {name: labels.on(name) for name in self.validation_names}
        if self.dataset.pixel_sizes:  # particles differ in size from micrograph to micrograph
            parts = {
                name: replace(part, diameter_pixels=np.full(len(part), sizes(name), dtype=np.float64))
                for name, part in parts.items()
            }
        return Picks.concatenate(parts.values())

    @cached_property
    def validation_picks(self) -> Picks | None:
        """Every pick on them; None when the file is not there any more."""
        file = self.run.validation_picks_file
        return read_picks(file) if file.exists() else None

    @cached_property
    def missing_files(self) -> tuple[str, ...]:
        """The micrographs of the validation whose files can't be read any more."""
        return tuple(name for name in self.validation_names if name not in self._shapes)

    @cached_property
    def validation(self) -> Judged | None:
        """The validation picks compared with the labels, as the summary does; None when there is nothing to compare.

        Where files of micrographs are missing, their edges are not known, and no border is left out.
        """
        if self.validation_picks is None or not self.validation_names:
            return None
        picks = self.validation_picks.of(self.validation_names)
        if picks.score is None:  # a table without a row has no scores either
            picks = Picks.empty(self.validation_names) if not len(picks) else picks
        return judge_picks(picks, self.validation_truth, self._validation_rules(), self.threshold, self.dataset.paths)

    @cached_property
    def judged_test(self) -> Judged | None:
        """The test picks compared with the truth; None when there is no test."""
        if self.test is None:
            return None
        one = self.test
        return judge_picks(one.picks, one.truth, one.rules, one.threshold, one.paths)

    @cached_property
    def diameter_pixels(self) -> float | None:
        """Diameter of the particle in pixels of the validation micrographs."""
        tolerance = (self.summary.get("validation") or {}).get("tolerance_pixels")
        if tolerance:  # it is half a diameter by the definition that training uses
            return 2.0 * float(tolerance)
        size = self.dataset.pixel_size_angstrom
        return self.dataset.diameter_angstrom / size if size else None

    @cached_property
    def _settings(self) -> Any:
        try:
            return yaml.safe_load(self.settings_text)
        except yaml.YAMLError as error:
            raise RunError("settings.yaml is not YAML", where=self.run.folder, fix="Train again.") from error

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        shapes = {}
        for name in self.validation_names:
            path = self.dataset.paths.get(name)
            if path is None:
                continue
            try:
                shapes[name] = read_micrograph_shape(path)
            except CryogleanError:
                continue
        return shapes

    def _validation_rules(self) -> Rules:
        differs = bool(self.dataset.pixel_sizes)  # then each label has a diameter of its own
        sizes = [self.dataset.diameter_pixels_of(name) for name in self.dataset.names("train", "validation")]
        widest = max(filter(None, sizes), default=0.0) if differs else self.diameter_pixels or 0.0
        border = float(self.setting("prepare.border_diameters")) * widest
        return Rules(
            diameter_pixels=None if differs else self.diameter_pixels,
            border_pixels=0.0 if self.missing_files else border,
            shapes=self._shapes,
            bootstrap_draws=0,
        )
