"""`cryoglean doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from cryoglean.dataset import ParticleSize, label_files
from cryoglean.errors import SettingsError

if TYPE_CHECKING:
    from cryoglean.dataset import Dataset
    from cryoglean.doctor.diagnosis import Tell
    from cryoglean.doctor.pictures import Pictures
    from cryoglean.finding import Finding
    from cryoglean.settings import Settings

_FINDINGS = 3
"""Exit code where something above a note was found."""


@Parameter(name="*")
@dataclass(frozen=True)
class Patient:
    """What is known about micrographs that nothing was trained on yet."""

    picks: Path | None = None
    """Labels."""
    diameter_angstrom: float | None = None
    """Diameter of the particle in angstrom."""
    pixel_size_angstrom: float | None = None
    """Pixel size in angstrom; by default that of the header."""
    validation: Path | None = None
    """Labels of micrographs that are held out."""
    test: Path | None = None
    """Labels of micrographs that must not be learned from; only their pictures are looked at."""
    labels: Literal["complete", "sparse"] | None = None
    """Whether --picks holds every particle of its micrographs."""
    settings: Path | None = None
    """A settings file that is to be trained with."""
    flip_y: bool | None = None
    """y of the labels counts from the last stored row; by default as their format has it."""

    def is_run(self, what: Sequence[str]) -> bool:
        """Whether a run is asked about, and not micrographs.

        Raises:
            SettingsError: options for micrographs come with a run, or micrographs without --picks.
        """
        from cryoglean.io.folder_datasets import layouts_of

        if self.picks is not None:
            return False
        is_run = len(what) == 1 and (Path(what[0]) / "settings.yaml").exists()
        if len(what) == 1 and not is_run and layouts_of(Path(what[0])):
            return False
        names = ("diameter_angstrom", "pixel_size_angstrom", "validation", "test", "labels", "settings", "flip_y")
        given = next((name for name in names if getattr(self, name) is not None), None)
        if given is None:
            return True
        if is_run:
            raise SettingsError(
                "it is for micrographs, and a run knows its own",
                where=f"--{given.replace('_', '-')}",
                fix="Leave it out.",
            )
        raise SettingsError(
            "it is needed",
            where="--picks",
            fix="Give the labels; without them only a run or a data set's folder can be examined.",
        )


def doctor_command(
    *what: str,
    patient: Patient = Patient(),
    fix: Path | None = None,
    fix_picks: Path | None = None,
    pictures: Path | None = None,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Find why picking fails: in a training, or in micrographs and labels before one. Exit code 3: something was found.

    Args:
        what: the folder of a training; or micrographs, with --picks and --diameter-angstrom; or the folder of a data
            set (see `cryoglean list layouts`).
        patient: what is known about the micrographs.
        fix: a YAML file to write: complete settings that mend what was found, with a comment at each changed line.
        fix_picks: a file of labels to write, moved to where the particles are, if they are elsewhere.
        pictures: a folder for PNG files of what is to be seen; the report of a training has them, too.
        quiet: no progress.
        json: the findings as JSON on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.cli.progress import Counter, counting

    is_run = patient.is_run(what)
    with counting(quiet=quiet or json) as make_counter:
        counters: dict[str, Counter] = {}

        def tell(_name: str, done: int, total: int) -> None:
            counter = counters.setdefault("looks", make_counter("looking at micrographs", total))
            counter.advance("", done)

        asked = _ask_run(what, tell) if is_run else _ask_data(what, patient, tell)
    findings = asked.findings
    if json:
        print_json([one.to_json() for one in findings])
    else:
        say_findings(findings)
    if pictures is not None:
        _write_pictures(pictures, asked.pictures, quiet=json)
    if fix is not None:
        _write_settings(fix, asked, quiet=json)
    if fix_picks is not None:
        _write_picks(fix_picks, asked, quiet=json)
    return _FINDINGS if any(one.severity != "note" for one in findings) else 0


@dataclass(frozen=True)
class _Asked:
    """What was asked about, and what was found."""

    dataset: Dataset
    settings: Settings
    findings: tuple[Finding, ...]
    pictures: Mapping[str, Pictures]


def _ask_run(what: Sequence[str], tell: Tell) -> _Asked:
    from cryoglean.dataset import Dataset
    from cryoglean.doctor.diagnosis import diagnose_run
    from cryoglean.io.picks import read_picks
    from cryoglean.report.findings import read_pictures
    from cryoglean.run import Run
    from cryoglean.settings import read_settings

    if len(what) != 1:
        raise SettingsError(
            f"{len(what)} places were given", where="doctor",
            fix="Give the folder of one training; or micrographs with --picks and --diameter-angstrom.",
        )  # fmt: skip
    run = Run(Path(what[0]))
    findings = diagnose_run(run, tell)
    dataset = Dataset.from_json(run.read_json(run.dataset_file), read_picks(run.labels_file))
    return _Asked(dataset, read_settings(run.settings_file), findings, read_pictures(run.findings_pictures_file))


def _ask_data(what: Sequence[str], patient: Patient, tell: Tell) -> _Asked:
    from cryoglean.cli.train import say_source
    from cryoglean.doctor.diagnosis import diagnose_data
    from cryoglean.gather import gather_dataset
    from cryoglean.settings import choose_settings

    size = ParticleSize(patient.diameter_angstrom, patient.pixel_size_angstrom)
    files = label_files(patient.picks, patient.validation, patient.test)
    dataset, missing = gather_dataset(what, size, files, flip_y=patient.flip_y)
    say_source(dataset, missing)
    fixed = {} if patient.labels is None else {"labels": {"kind": patient.labels}}
    settings = choose_settings(file=patient.settings, fixed=fixed)
    return _Asked(dataset, settings, *diagnose_data(dataset, settings, tell))


def say_findings(findings: Sequence[Finding]) -> None:
    """A paragraph for each, the worst first."""
    from cryoglean.report.wording import say_evidence

    if not findings:
        print("healthy: nothing was found")
        return
    for one in findings:
        print(f"{one.severity}: {one.symptom} [{one.check}]")
        print(f"  evidence: {say_evidence(one.evidence)}")
        print(f"  likely:   {one.cause}")
        print(f"  do:       {one.remedy}{_say_patch(one)}")
    counts = {kind: sum(one.severity == kind for one in findings) for kind in ("error", "warning", "note")}
    print(", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count))


def _say_patch(finding: Finding) -> str:
    words = [f"--set {name}={'null' if value is None else value}" for name, value in finding.patch.items()]
    words += [f"{name} {value}" for name, value in finding.options.items()]
    return f" ({', '.join(words)})" if words else ""


def _write_pictures(folder: Path, pictures: Mapping[str, Pictures], *, quiet: bool) -> None:
    from cryoglean.durable import write_bytes_atomically
    from cryoglean.report.findings import draw_findings

    for name, png in draw_findings(pictures).items():
        write_bytes_atomically(folder / f"{name}.png", png)
        if not quiet:
            print(f"{folder / name}.png")


def _write_settings(file: Path, asked: _Asked, *, quiet: bool) -> None:
    from cryoglean.doctor.fixing import mend_settings, write_mended
    from cryoglean.durable import write_text_atomically

    mended, reasons = mend_settings(asked.settings, asked.findings)
    write_text_atomically(file, write_mended(mended, asked.settings, reasons))
    if not quiet:
        changed = f"changed: {', '.join(reasons)}" if reasons else "nothing changed: no setting would mend this"
        print(f"{file}: complete settings, {changed}")
    if reasons and not quiet:
        print(f"next: cryoglean train ... --settings {file}")


def _write_picks(file: Path, asked: _Asked, *, quiet: bool) -> None:
    from cryoglean.doctor.moves import move_picks
    from cryoglean.io.micrographs import read_micrograph_shape
    from cryoglean.io.picks import write_picks

    name = next((one.labels for one in asked.findings if one.labels), "")
    if not name:
        if not quiet:
            print(f"{file}: not written, the labels need not be moved")
        return
    dataset = asked.dataset
    shapes = {one: read_micrograph_shape(dataset.paths[one]) for one in dataset.names("train", "validation")}
    write_picks(move_picks(dataset.labels, shapes, name), file)
    if not quiet:
        print(f"{file}: all labels, those of --validation among them, moved by {name}; look at them first")
