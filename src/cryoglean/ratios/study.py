"""One ratio: the supervised baseline and the pseudo-labels, each an ordinary training, and the test of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.dataset import Dataset, Role
from cryoglean.doctor.diagnosis import diagnose_training
from cryoglean.durable import write_json_atomically, write_text_atomically
from cryoglean.errors import LabelsError, MicrographError, RunError
from cryoglean.evaluate.score import Rules
from cryoglean.io.micrographs import read_micrograph, read_micrograph_shape
from cryoglean.io.picks import read_picks, write_picks
from cryoglean.learn.loop import Tell
from cryoglean.picking import load_picker, pick_files
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.ratios.drawing import Draw, draw
from cryoglean.ratios.method import Method, working_particle_pixels
from cryoglean.ratios.results import Tested, describe_study
from cryoglean.ratios.sources import Source
from cryoglean.run import Run
from cryoglean.settings import Settings

_SAMPLED_SIDES = 25
_STRAY_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Study:
    """One ratio of labelled micrographs.

    Args:
        source: micrographs and annotations.
        method: how to learn.
        ratio: share of the training micrographs that is labelled.
        out: the folder of all ratios.
        roles: who is who.
    """

    source: Source
    method: Method
    ratio: float
    out: Path
    roles: Draw

    @classmethod
    def plan(cls, source: Source, method: Method, ratio: float, out: Path) -> Study:
        """Draw who is labelled; see `draw` for errors."""
        return cls(source, method, ratio, out, draw(source, ratio, method.seed))

    @property
    def percent(self) -> str:
        """The ratio as it is in file names: 5 for 0.05."""
        return f"{round(100 * self.ratio, 6):g}"

    @property
    def result_file(self) -> Path:
        """`pseudolabel_ratio_5.json`, or the like; written when everything else is done."""
        return self.out / f"{self.method.title}_ratio_{self.percent}.json"

    @property
    def runs(self) -> dict[str, Run]:
        """The run folders of the two trainings, by strategy, the baseline first."""
        folder = self.out / f"ratio_{self.percent}"
        return {name: Run(folder / name) for name in ("supervised", self.method.strategy)}

    def result(self) -> dict[str, Any] | None:
        """The result, where it is there already.

        Raises:
            RunError: the file is of other data or options, or broken.
        """
        if not self.result_file.exists():
            return None
        try:
            content = json.loads(self.result_file.read_text(encoding="utf-8"))
            made_from = content["made_from"]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                "it is no result", where=self.result_file, fix="Remove it, and its ratio runs again."
            ) from error
        if made_from != self.made_from():
            raise RunError(
                "it was made with other options, micrographs or labels", where=self.result_file,
                fix="Give another --output-dir, or the same command.",
            )  # fmt: skip
        return dict(content)

    def made_from(self) -> str:
        """Changes with everything that decides the result."""
        source = self.source
        facts = [asdict(self.method), self.ratio, asdict(self.roles), sorted(source.diameters.items())]
        digest = hashlib.sha256(json.dumps(facts).encode())
        digest.update("\n".join([*source.picks.micrographs, *source.picks.micrograph.tolist()]).encode())
        digest.update(np.ascontiguousarray(source.picks.xy.round(4)).tobytes())
        return digest.hexdigest()[:16]

    def dataset(self) -> Dataset:
        """For both trainings; a particle has the same size for the network on every micrograph."""
        diameters, usual = self.source.diameters, self.diameter_pixels
        roles: dict[str, Role] = dict.fromkeys(self.roles.unlabeled, "unlabelled")
        roles |= dict.fromkeys(self.roles.labeled, "train")
        roles |= dict.fromkeys(self.roles.validation, "validation")
        roles |= dict.fromkeys(self.roles.test, "test")
        labels = self.source.picks.of((*self.roles.labeled, *self.roles.validation))
        sizes = {name: usual / diameters[name] for name in roles if diameters[name] != usual}
        return Dataset(
            {name: self.source.paths[name] for name in sorted(roles)}, roles, replace(labels, score=None, extra={}),
            diameter_angstrom=usual, pixel_size_angstrom=1.0, pixel_sizes=sizes, unit="pixel",
        )  # fmt: skip

    @cached_property
    def diameter_pixels(self) -> float:
        """The usual diameter of a particle, in pixels of the pictures."""
        return float(np.median(list(self.source.diameters.values())))

    @cached_property
    def particle_pixels(self) -> float:
        """Of the network's particles; see `working_particle_pixels`."""
        names = sorted(self.source.paths)
        sampled = [self.source.paths[name] for name in names[:: -(-len(names) // _SAMPLED_SIDES)]]
        sides = [max(read_micrograph_shape(path)) for path in sampled]
        return working_particle_pixels(self.diameter_pixels, round(float(np.median(sides))), self.method.target_size)

    def check(self) -> None:
        """Refuse before the training what would fail after it.

        Raises:
            LabelsError: annotations of a test micrograph lie outside it.
            MicrographError: the file of one is broken.
            SettingsError: a setting is out of range.
        """
        for strategy in self.runs:
            self.settings(strategy)
        _ = self.rules

    def settings(self, strategy: str) -> Settings:
        """All settings of one of `runs`; see `Method.settings`."""
        return self.method.settings(strategy, self.particle_pixels)

    def train(self, strategy: str, tell: Tell | None = None) -> Run:
        """Train, or go on with an interrupted training, and ask the doctor.

        Args:
            strategy: one of `runs`.
            tell: is told what happens.

        Raises:
            RunError: the folder holds another training; CryogleanError: see `cryoglean.pipeline.train`.
        """
        run = self.runs[strategy]
        try:
            train(self.dataset(), self.settings(strategy), run, tell=tell, resumes=True)
        except RunError as error:
            fix = error.fix.replace("another --out.", "another --output-dir.")
            raise RunError(error.what, where=error.where, fix=fix) from error
        diagnose_training(run)
        return run

    def pick_test(self, strategy: str, tell: Callable[[str, int], None] | None = None) -> Path:
        """Pick the test micrographs with a finished training, down to the lowest score kept; once.

        Args:
            strategy: one of `runs`.
            tell: is told each finished micrograph.

        Raises:
            MicrographError: one of them can't be used.
        """
        run = self.runs[strategy]
        file = run.folder / "picks" / "test.csv"
        if not file.exists():  # it is there only when it is complete
            picker, _ = load_picker(run)
            usual = self.diameter_pixels
            sizes = {name: usual / self.source.diameters[name] for name in self.roles.test}
            paths = [self.source.paths[name] for name in self.roles.test]
            made = pick_files(picker, paths, file, picker.settings.floor, pixel_size_angstrom=sizes, tell=tell)
            for name, reason in made.skipped.items():
                file.unlink()  # what can't be picked is not missed
                raise MicrographError(
                    f"it can't be tested on ({reason})", where=name, fix="Take it out, and start anew."
                )
        return file

    def truth(self) -> Picks:
        """The particles of the test micrographs, each with its diameter."""
        diameters = self.source.diameters
        return Picks.concatenate(
            replace(part, score=None, extra={}, diameter_pixels=np.full(len(part), diameters[name]))
            for name, part in self.source.picks.of(self.roles.test).each()
        )

    @cached_property
    def rules(self) -> Rules:
        """How the test is judged: the default definition, half of the largest diameter at the edges left out.

        Raises:
            LabelsError: many annotations of a micrograph lie outside it.
            MicrographError: a file is broken.
        """
        shapes = {name: read_micrograph(self.source.paths[name]).shape for name in self.roles.test}
        for name, part in self.source.picks.of(self.roles.test).each():
            xy, (rows, columns) = part.xy, shapes[name]
            outside = int(((xy < -0.5) | (xy > (columns - 0.5, rows - 0.5))).any(axis=1).sum())
            if outside > _STRAY_SHARE * len(xy):
                raise LabelsError(
                    f"{outside} of its {len(xy)} particles lie outside its {columns} x {rows} pixels", where=name,
                    fix="Coordinates must be in pixels (x, y) of these very pictures, not of larger or smaller ones.",
                )  # fmt: skip
        border = 0.5 * max(self.source.diameters[name] for name in self.roles.test)
        return Rules(border_pixels=border, shapes=shapes)

    def finish(self) -> dict[str, Any]:
        """Judge both on the test, and write the result: from then on the ratio is done."""
        truth, rules = self.truth(), self.rules
        write_picks(truth, self.result_file.parent / f"ratio_{self.percent}" / "test.csv")
        tested = {
            strategy: Tested.judge(run, read_picks(run.folder / "picks" / "test.csv"), truth, rules)
            for strategy, run in self.runs.items()
        }
        size = {
            "particle_diameter_pixels": self.diameter_pixels,
            "target_size": self.method.target_size,
            "working_particle_pixels": self.settings(self.method.strategy).prepare.particle_pixels,
        }
        particles = sum(self.source.counts.get(name, 0) for name in self.roles.labeled)
        counts = {**_describe_draw(self.roles), "n_labeled_particles": particles}
        facts = {"labeled_ratio": self.ratio, **counts, "size": size}
        result = describe_study(facts, self.method, tested, (truth, rules), self.out)
        content = {**result, "split": asdict(self.roles), "made_from": self.made_from()}
        write_json_atomically(self.result_file, content)
        return content


def _describe_draw(roles: Draw) -> dict[str, int]:
    return {f"n_{name}": len(names) for name, names in asdict(roles).items()}


def write_summary(studies: Sequence[Study], results: Sequence[dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Write a row for each ratio, unless the file says just that already.

    Args:
        studies: of one method, at least one.
        results: what each came to.

    Returns:
        The file and what it says.
    """
    file = studies[0].out / f"{studies[0].method.title}_summary.json"
    rows = [
        {
            "labeled_ratio": result["labeled_ratio"],
            "n_labeled": result["n_labeled"],
            **{f"supervised_{name}": result["supervised"][name] for name in ("precision", "recall", "f1")},
            **{f"pseudolabel_{name}": result["pseudolabel"][name] for name in ("precision", "recall", "f1")},
            "gain_f1": result["gain"]["f1"],
            "gain": result["gain"]["said"],
            "best_iteration": result["best_iteration"],
            "file": study.result_file.name,
        }
        for study, result in zip(studies, results, strict=True)
    ]
    method = studies[0].method
    content = {
        "strategy": method.strategy, "variant": method.variant, "seed": method.seed, "judged_on": "test",
        "definition": results[0]["definition"], "results": rows,
    }  # fmt: skip
    text = json.dumps(content, indent=2) + "\n"
    if not file.exists() or file.read_bytes() != text.encode():
        write_text_atomically(file, text)
    return file, content
