"""`cryoglean train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from cryoglean.settings import Effort, Settings, read_preset, resolve_settings

if TYPE_CHECKING:
    from cryoglean.dataset import Dataset
    from cryoglean.picks import Picks


@Parameter(name="*")
@dataclass(frozen=True)
class Data:
    """What is known about the data."""

    picks: Path
    """Labels: every particle of the micrographs named in it. CSV, STAR or JSON."""
    diameter_angstrom: float
    """Diameter of the particle in angstrom."""
    pixel_size_angstrom: float | None = None
    """Pixel size in angstrom; by default that of the header."""
    validation: Path | None = None
    """Labels of micrographs that are held out to choose the threshold; by default some of --picks are."""
    test: Path | None = None
    """Labels of micrographs that must never be looked at."""


@Parameter(name="*")
@dataclass(frozen=True)
class Choice:
    """How to learn."""

    strategy: str | None = None
    """A strategy; see `cryoglean list strategies`."""
    effort: Effort = "standard"
    """How much time to take."""
    seed: int = 0
    """Seed of every random choice."""
    preset: str | None = None
    """Named settings; see `cryoglean list presets`."""
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = ()
    """One setting, as in --set learn.steps=200; may be repeated. See `cryoglean list settings`."""


def train_command(
    *micrographs: str,
    data: Data,
    out: Path,
    choice: Choice = Choice(),
    resume: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Learn to pick from a few labelled micrographs.

    Args:
        micrographs: files, folders, quoted globs or a STAR file; those without labels are unlabelled.
        data: what is known about the data.
        out: the run folder to make.
        choice: how to learn.
        resume: continue an interrupted training, to the same weights as an unbroken one.
        quiet: no progress.
        json: no progress, and the summary as JSON on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.cli.progress import watching_training
    from cryoglean.pipeline import train
    from cryoglean.run import Run

    settings = choose_settings(choice)
    dataset = load_dataset(micrographs, data)
    run = Run(out)
    with watching_training(quiet=quiet or json) as tell:
        train(dataset, settings, run, tell=tell, resumes=resume)
    summary = run.summary()
    if json:
        print_json(summary)
    elif not quiet:
        say_summary(run.folder, summary)
    return 0


def choose_settings(choice: Choice) -> Settings:
    """Settings from effort, preset, strategy and seed, and single assignments, each over the one before.

    Raises:
        SettingsError: see `resolve_settings`.
    """
    layers: list[dict[str, Any]] = [read_preset(choice.effort)]
    if choice.preset is not None:
        layers.append(read_preset(choice.preset))
    layers.append({"seed": choice.seed} | ({"strategy": choice.strategy} if choice.strategy else {}))
    settings = resolve_settings(layers, choice.set)
    check_cards(settings)
    return settings


def check_cards(settings: Settings) -> None:
    """Refuse names of strategies, models and losses that do not exist, before anything is read.

    Raises:
        SettingsError: with the nearest known name.
    """
    from cryoglean.errors import SettingsError
    from cryoglean.registry import card_names, did_you_mean

    asked = [("strategies", settings.strategy), ("models", settings.model.name)]
    for kind, name in [*asked, *(("losses", term) for term in settings.loss.terms)]:
        if name not in card_names(kind):
            raise SettingsError(f"there is none called '{name}'", where=kind, fix=did_you_mean(name, card_names(kind)))


def load_dataset(micrographs: tuple[str, ...], data: Data) -> Dataset:
    """Find the micrographs, read the labels, and give each micrograph its role.

    Raises:
        CryogleanError: nothing found, no label matches, the diameter is not above 0, or two roles for one.
    """
    from cryoglean.dataset import Dataset, Role
    from cryoglean.errors import LabelsError, SettingsError
    from cryoglean.io.folders import match_labels
    from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
    from cryoglean.io.picks import read_picks

    if not data.diameter_angstrom > 0:
        raise SettingsError(
            f"it is {data.diameter_angstrom}", where="--diameter-angstrom", fix="Give angstrom above 0."
        )
    paths = find_micrographs(micrographs)
    roles: dict[str, Role] = dict.fromkeys(micrographs_by_name(paths), "unlabelled")
    tables: list[Picks] = []
    for file, role in ((data.picks, "train"), (data.validation, "validation"), (data.test, "test")):
        if file is None:
            continue
        table = read_picks(file)
        matched = match_labels(paths, table)
        warn_about_missing(file, matched.without_micrograph)
        for name in matched.labelled:
            if roles[name] not in ("unlabelled", role) and role == "test":
                raise LabelsError(f"it is for {roles[name]} and for test", where=name, fix="Take it out of one file.")
            roles[name] = _role(role)
        if role != "test":
            tables.append(table.of(matched.labelled))
    labels = _join_labels(tables)
    return Dataset(micrographs_by_name(paths), roles, labels, data.diameter_angstrom, data.pixel_size_angstrom)


def _role(role: str) -> Literal["train", "validation", "test"]:
    return "validation" if role == "validation" else "test" if role == "test" else "train"


def _join_labels(tables: list[Picks]) -> Picks:
    """All labels; a micrograph in both files is taken from the validation file."""
    from cryoglean.picks import Picks

    if len(tables) == 1:
        return tables[0]
    first, second = tables
    kept = [name for name in first.micrographs if name not in second.micrographs]
    return Picks.concatenate([first.of(kept), second])


def warn_about_missing(file: Path, missing: tuple[str, ...]) -> None:
    """Say on standard error which labelled micrographs were not among those given."""
    if missing:
        some = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        Console(stderr=True, soft_wrap=True).print(
            f"note: {file}: {len(missing)} labelled micrographs are not among those given: {some}",
            markup=False, highlight=False,
        )  # fmt: skip


def say_summary(folder: Path, summary: dict[str, Any]) -> None:
    """The result in a few lines."""
    found = summary["validation"]
    how = "by cross-validation" if summary["is_cross_validated"] else "on validation"
    numbers = ", ".join(f"{text} {found[key]:.3f}" for key, text in _SAID.items() if found[key] is not None)
    print(f"trained on {len(summary['train'])} micrographs; {how}: {numbers}")
    print(f"threshold {summary['threshold']:.3f} ({summary['threshold_rule']})")
    print(f"run folder: {folder}\nnext: cryoglean pick {folder} MICROGRAPHS... --out picks.star")


_SAID = {"f1": "F1", "precision": "precision", "recall": "recall", "average_precision": "AP"}
