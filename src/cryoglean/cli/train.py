"""`cryoglean train`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console

from cryoglean.dataset import Dataset, LabelFiles, ParticleSize, label_files
from cryoglean.environment import is_first
from cryoglean.errors import SettingsError
from cryoglean.finding import Finding
from cryoglean.registry import check_cards
from cryoglean.settings import Effort, Settings
from cryoglean.settings import choose_settings as resolve_choice


@Parameter(name="*")
@dataclass(frozen=True)
class Data:
    """What is known about the data."""

    diameter_angstrom: float | None = None
    """Diameter of the particle in angstrom; only labels in a data set's folder may say it instead."""
    picks: Path | None = None
    """Labels: every particle of the micrographs named in it, or some (--labels sparse). CSV, STAR or JSON. Needed
    unless a file of patches is given, or a data set's folder."""
    pixel_size_angstrom: float | None = None
    """Pixel size in angstrom; by default that of the header."""
    validation: Path | None = None
    """Labels of micrographs that are held out to choose the threshold; by default some of --picks are."""
    test: Path | None = None
    """Labels of micrographs that must never be looked at."""
    flip_y: bool | None = None
    """y of the labels counts from the last stored row; by default as their format has it."""

    @property
    def size(self) -> ParticleSize:
        """Of the particle and of a pixel."""
        return ParticleSize(self.diameter_angstrom, self.pixel_size_angstrom)

    @property
    def files(self) -> LabelFiles | None:
        """The files of labels; None where the folder of a data set has to say which they are.

        Raises:
            SettingsError: there are others, but none to learn from.
        """
        return label_files(self.picks, self.validation, self.test)

    def check_patches(self, file: Path) -> None:
        """Refuse options that are for micrographs where a file of patches is given.

        Raises:
            SettingsError: naming the option.
        """
        for option in ("picks", "validation", "test", "flip_y"):
            if getattr(self, option) is not None:
                name = f"--{option.replace('_', '-')}"
                raise SettingsError("it is for micrographs", where=name, fix=f"{file} needs no labels.")


@Parameter(name="*")
@dataclass(frozen=True)
class Choice:
    """How to learn."""

    strategy: str | None = None
    """A strategy; see `cryoglean list strategies`. By default `pu_pseudo` with --labels sparse, `recommended`
    where there are unlabelled micrographs, else `supervised`."""
    labels: Literal["complete", "sparse"] | None = None
    """Whether --picks holds every particle of its micrographs (`complete`, the default) or some of them (`sparse`):
    then what is not clicked is not taken for background."""
    per_micrograph: float | None = None
    """About how many particles a micrograph holds, for sparse labels without complete --validation."""
    effort: Effort = "standard"
    """How much time to take."""
    settings: Path | None = None
    """A settings file, such as `settings.yaml` of a run or what `cryoglean doctor --fix` writes; over effort and
    preset, below the other options."""
    seed: int | None = None
    """Seed of every random choice; by default 0."""
    init: Literal["general", "random"] | None = None
    """First weights: `general` ones, learned from simulated molecules, or `random` ones; by default general where
    they fit."""
    preset: str | None = None
    """Named settings; see `cryoglean list presets`."""
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = ()
    """One setting, as in --set learn.steps=200; may be repeated. See `cryoglean list settings`."""


def train_command(
    *micrographs: str,
    data: Data = Data(),
    out: Path,
    choice: Choice = Choice(),
    log: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    resume: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Learn to pick from a few labelled micrographs.

    Args:
        micrographs: files, folders, quoted globs or a STAR file; those without labels are unlabelled. Or, without
            --picks, the folder of a data set (see `cryoglean list layouts`), or one file of positive and unlabelled
            patches (.npz, .pt).
        data: what is known about the data.
        out: the run folder to make.
        choice: how to learn.
        log: tensorboard[:FOLDER] or mlflow[:ADDRESS|FOLDER], to follow it there, too; may be repeated.
        resume: continue an interrupted training, to the same weights as an unbroken one.
        quiet: no progress.
        json: no progress, and the summary as JSON on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.cli.progress import watching_training
    from cryoglean.doctor.diagnosis import check_turned_labels, diagnose_training
    from cryoglean.gather import find_patches_file, gather_dataset, gather_patches
    from cryoglean.launched import train_together
    from cryoglean.logbook import choose_logs, logged
    from cryoglean.patch_pipeline import train_from_patches
    from cryoglean.pipeline import train
    from cryoglean.run import Run

    settings, run = choose_settings(choice), Run(out)
    logs = choose_logs(out, log)
    quiet, json = quiet or not is_first(), json and is_first()
    is_silent = quiet or json
    if (file := find_patches_file(micrographs)) is not None:
        data.check_patches(file)
        learned, patches = gather_patches(file, data.size)
        with (
            train_together(run, settings) as own,
            watching_training(quiet=is_silent) as tell,
            logged(own, logs, tell) as book,
        ):
            train_from_patches(learned, patches, settings, own, tell=book, resumes=resume)
    else:
        dataset, missing = gather_dataset(micrographs, data.size, data.files, flip_y=data.flip_y)
        if is_first():
            say_source(dataset, missing)
        check_turned_labels(dataset, settings)
        with train_together(run, settings) as own:
            with watching_training(quiet=is_silent) as tell, logged(own, logs, tell) as book:
                train(dataset, settings, own, tell=book, resumes=resume)
            say_diagnosis(own.folder, diagnose_training(own), is_quiet=is_silent)
    if json:
        print_json(run.summary())
    elif not quiet:
        say_summary(run.folder, run.summary())
    return 0


def choose_settings(choice: Choice) -> Settings:
    """The settings that the options ask for; see `cryoglean.settings.choose_settings`."""
    fixed: dict[str, Any] = {} if choice.seed is None else {"seed": choice.seed}
    fixed |= {"strategy": choice.strategy} if choice.strategy else {}
    if choice.init:
        fixed["learn"] = {"start": choice.init}
    told = {"kind": choice.labels, "per_micrograph": choice.per_micrograph}
    if any(told.values()):
        fixed["labels"] = {name: value for name, value in told.items() if value is not None}
    settings = resolve_choice(choice.effort, choice.preset, fixed, choice.set, choice.settings)
    check_cards(settings)
    return settings


def say_diagnosis(folder: Path, findings: Sequence[Finding], *, is_quiet: bool) -> None:
    """What the doctor found without looking at micrographs again, on standard error; notes are left out."""
    console = Console(stderr=True, soft_wrap=True, quiet=is_quiet)
    serious = [one for one in findings if one.severity != "note"]
    for one in serious:
        console.print(f"{one.severity}: {one.symptom}. {one.remedy}", markup=False, highlight=False)
    if serious:
        console.print(f"more: cryoglean doctor {folder} --fix mended.yaml", markup=False, highlight=False)


def say_source(dataset: Dataset, missing: Mapping[Path, tuple[str, ...]]) -> None:
    """What was chosen when micrographs and labels were brought together, on standard error."""
    source, lines = dataset.source, []
    if source is not None and source.layout:
        counts = Counter[str](dataset.roles.values())
        roles = ", ".join(f"{counts[role]} {said}" for role, said in _ROLES.items() if counts[role])
        lines.append(f"data set ({source.layout}): {roles}; from {', '.join(source.files)}")
    lines += [f"note: {note}" for note in source.notes] if source is not None else []
    for file, names in missing.items():
        some = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        lines.append(f"note: {file}: {len(names)} labelled micrographs are not among those given: {some}")
    for line in lines:
        Console(stderr=True, soft_wrap=True).print(line, markup=False, highlight=False)


_ROLES = {"train": "labelled", "validation": "for validation", "test": "for test", "unlabelled": "unlabelled"}


def say_summary(folder: Path, summary: dict[str, Any]) -> None:
    """The result in a few lines."""
    how = "by cross-validation" if summary["is_cross_validated"] else "on validation"
    if summary.get("patches"):
        print(_say_patches(summary))
    else:
        print(f"trained on {len(summary['train'])} micrographs; {_say_clicks(summary) or _say_scores(summary, how)}")
    _say_gate(summary)
    _say_rounds(summary, how)
    print(f"threshold {summary['threshold']:.3f} ({summary['threshold_rule']})")
    print(f"run folder: {folder}\nnext: cryoglean pick {folder} MICROGRAPHS... --out picks.star")


def _say_patches(summary: dict[str, Any]) -> str:
    """How the held-out patches are ranked; unlabelled ones are no background, which the prior makes up for."""
    told, clicks = summary["patches"], summary["clicks"]
    auc = "not measured" if told["auc"] is None else f"{told['auc']:.3f}"
    return (
        f"trained on {told['positive']} positive and {told['unlabelled']} unlabelled patches; of those held out "
        f"{clicks['clicks_found']} of {told['held_positive']} positive ones are above the threshold; AUC {auc} "
        f"(corrected for particles among the unlabelled ones: {summary['expected']['per_micrograph']:g})"
    )


def _say_gate(summary: dict[str, Any]) -> None:
    """Whether the first network was good enough, and what to check if not."""
    from cryoglean.report.wording import gate_checks, say_gate

    if said := say_gate(summary):
        print(said)
    if checks := gate_checks(summary):
        print("check, in this order:", *(f"  {place}. {check}" for place, check in enumerate(checks, 1)), sep="\n")


def _say_scores(summary: dict[str, Any], how: str) -> str:
    found = summary["validation"]
    numbers = ", ".join(f"{text} {found[key]:.3f}" for key, text in _SAID.items() if found[key] is not None)
    return f"{how}: {numbers}"


def _say_clicks(summary: dict[str, Any]) -> str:
    """What can be said without complete labels; empty where there are some."""
    from cryoglean.report.wording import say_expected

    clicks = summary.get("clicks")
    if not clicks:
        return ""
    return (
        f"{clicks['clicks_found']} of {clicks['clicks']} clicks are among its {clicks['picks']} picks on "
        f"{clicks['micrographs']} micrographs\n{say_expected(summary['expected'])}"
    )


def _say_rounds(summary: dict[str, Any], how: str) -> None:
    """What the unlabelled micrographs brought; nothing where there were none."""
    from cryoglean.report.wording import count_of, round_outcome

    if summary.get("unlabelled") and not summary.get("patches"):
        micrographs = count_of(summary["unlabelled"], "unlabelled micrograph")
        print(f"the strategy {summary['strategy']} used {micrographs}")
    elif not summary.get("unlabelled", True) and summary["strategy"] != "supervised" and not _is_sparse(summary):
        print(f"no unlabelled micrograph could be used: {summary['strategy']} is the supervised network here")
    for told in summary.get("rounds", ()):
        print(round_outcome(told, how))


def _is_sparse(summary: dict[str, Any]) -> bool:
    return summary.get("labels") == "sparse"


_SAID = {"f1": "F1", "precision": "precision", "recall": "recall", "average_precision": "AP"}
