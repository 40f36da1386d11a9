"""Pictures of the test micrographs on which lines fail; what they show is what the scores counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cryoglean.errors import CryogleanError, RunError
from cryoglean.evaluate.rules import Rules
from cryoglean.experiment.cell import Truth, folder_of
from cryoglean.experiment.page.outcome import Outcome, say_ratio
from cryoglean.experiment.page.worst import Counts, Training
from cryoglean.experiment.working import PICKS_FILE, read_cell
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.micrograph import MARK_COLOURS, View, draw_micrograph, judged_marks, make_view
from cryoglean.report.judged import Verdict, judge_picks
from cryoglean.report.section import Gallery, Notice, Picture
from cryoglean.report.wording import decimals

_SIDE_PIXELS = 600


def picture_trainings(outcome: Outcome, data: str, trainings: Sequence[Training]) -> list[Gallery | Notice]:
    """A micrograph as each training picked it; those with the same picks share a picture.

    Args:
        outcome: the experiment.
        data: the data set.
        trainings: at least one.

    Returns:
        The pictures, and a sentence where there is none: files are gone, or data or picks have changed.
    """
    shown: dict[tuple[str, bytes, bytes], _Shown] = {}
    lacking: dict[str, list[str]] = {}
    try:
        judge = _Judge(outcome.folder, Truth.read(outcome.grid.data[data]))
    except (CryogleanError, OSError) as error:
        return [_say_lacking(data, _reason(error))]
    for training in trainings:
        try:
            verdict, view = judge.judge(training)
        except (CryogleanError, OSError) as error:
            lacking.setdefault(_reason(error), []).append(training.row["line"])
            continue
        picks = (training.micrograph, verdict.found.xy.tobytes(), verdict.false.xy.tobytes())
        alike = shown.setdefault(picks, _Shown(verdict, view, {})).lines
        alike.setdefault(_say_training(outcome, training), []).append(training.row["line"])
    pictures = tuple(_draw(data, number, one) for number, one in enumerate(shown.values()))
    blocks: list[Gallery | Notice] = [Gallery(pictures, is_small=True)] if pictures else []
    for reason, lines in lacking.items():
        blocks.append(_say_lacking(f"{data}, {', '.join(lines)}" if pictures else data, reason))
    return blocks


@dataclass(frozen=True, eq=False)
class _Judge:
    """Compares the picks of cells with a data set by the rules of their scores, and reads each thing once.

    Args:
        folder: the experiment's.
        truth: the data set as it is now.
        rules: by the names of the test micrographs.
        views: by micrograph.
    """

    folder: Path
    truth: Truth
    rules: dict[tuple[str, ...], Rules] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Of the data set as it is now."""
        return self.truth.digest()

    def judge(self, training: Training) -> tuple[Verdict, View]:
        """What became of picks and particles, and the micrograph.

        Raises:
            CryogleanError: data or picks are not those of the result any more, or a file can't be read.
        """
        place = self.folder / folder_of(training.row)
        cell = read_cell(place)
        if cell.digest != self.digest:
            raise RunError("its micrographs or labels have changed since the test")
        test, name = cell.division.test, training.micrograph
        if test not in self.rules:
            self.rules[test] = replace(self.truth.rules(test), bootstrap_draws=0)
        truth, ignore = self.truth, self.truth.ignore
        judged = judge_picks(
            read_picks(place / PICKS_FILE).on(name), truth.labels.on(name), self.rules[test],
            training.row["threshold"], truth.paths, None if ignore is None else ignore.on(name),
        )  # fmt: skip
        if judged is None or _counts(judged.verdicts[0]) != training.counts:
            raise RunError("its picks are not those that were counted", where=place / PICKS_FILE)
        return judged.verdicts[0], self._view(name, judged.diameter_pixels)

    def _view(self, name: str, diameter_pixels: float | None) -> View:
        if name not in self.views:
            micrograph = read_micrograph(self.truth.paths[name], self.truth.data.pixel_size_angstrom)
            self.views[name] = make_view(micrograph, diameter_pixels, _SIDE_PIXELS)
        return self.views[name]


def _counts(verdict: Verdict) -> Counts:
    """What the picture shows, as results count it."""
    found = len(verdict.found)
    return Counts(found, found + len(verdict.false), found + len(verdict.missed))


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A picture before it is drawn, and the lines whose picks it shows, by what they were trained with."""

    verdict: Verdict
    view: View
    lines: dict[str, list[str]]


def _draw(data: str, number: int, shown: _Shown) -> Picture:
    verdict = shown.verdict
    marks = judged_marks(verdict.found, verdict.false, verdict.missed)
    png = to_png(draw_micrograph(shown.view, marks, is_small=True), on_grey=MARK_COLOURS, greys=16)
    picked = "; ".join(f"{_list(lines)} ({trained})" for trained, lines in shown.lines.items())
    counts = f"{len(verdict.found)} found, {len(verdict.false)} false, {len(verdict.missed)} missed"
    f1 = decimals(verdict.score.tally.f1)
    said = f"{picked} on {data}, {verdict.name}: {counts}; F1 {f1}."
    return Picture(f"worst-{data}-{number}", png, f"Picks of {said}", said)


def _list(lines: Sequence[str]) -> str:
    return lines[0] if len(lines) == 1 else f"{', '.join(lines[:-1])} and {lines[-1]} alike"


def _say_training(outcome: Outcome, training: Training) -> str:
    row = training.row
    is_oracle = outcome.grid.all_lines()[row["line"]].is_oracle
    labelled = "all labels" if is_oracle else f"{say_ratio(row['ratio'])} labelled"
    return f"{labelled}, seed {row['seed']}"


def _say_lacking(what: str, reason: str) -> Notice:
    return Notice(f"No pictures of {what}: {reason}.", level="note")


def _reason(error: CryogleanError | OSError) -> str:
    """The rest of a sentence."""
    if isinstance(error, OSError):
        return str(error)
    return f"{error.what} ({error.where})" if error.where else error.what
