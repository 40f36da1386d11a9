"""The external job: labels of RELION in, a trained run, and coordinates that RELION's Extract reads out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cryoglean.dataset import Dataset, LabelFiles, ParticleSize
from cryoglean.doctor.diagnosis import diagnose_training
from cryoglean.durable import write_json_atomically
from cryoglean.errors import RunError, SettingsError
from cryoglean.gather import gather_dataset
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name, read_micrograph
from cryoglean.io.star_tables import read_star_tables
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.loop import Tell
from cryoglean.learn.picker import Picker
from cryoglean.learn.start import GENERAL, general_picker
from cryoglean.micrograph import micrograph_name
from cryoglean.picking import choose_pixel_size, load_picker, pick_files
from cryoglean.pipeline import train
from cryoglean.registry import check_cards
from cryoglean.relion.logfile import Looker, write_logfile
from cryoglean.relion.marks import write_output_nodes
from cryoglean.report.page import make_report
from cryoglean.run import Run
from cryoglean.settings import Settings

INDEX, LOGFILE = "autopick.star", "logfile.pdf"
_NODES = {INDEX: "MicrographCoordsGroup.star.relion.autopick", LOGFILE: "LogFile.pdf.relion.autopick"}


@dataclass(frozen=True, slots=True)
class Job:
    """What RELION and the user ask for.

    Args:
        folder: the job's folder, as RELION says it, from the project's folder.
        micrographs: RELION's STAR file of micrographs.
        labels: a STAR file of particles or of coordinates to learn from; None picks with `run`.
        run: a finished run of before, or `general`; None learns from `labels`.
        diameter_angstrom: of the particle; a run knows it.
        contrast: of the particles, for `general`.
        threshold: lowest score that is written.
    """

    folder: Path
    micrographs: Path
    labels: Path | None
    run: Path | None
    diameter_angstrom: float | None
    contrast: Literal["dark", "light"] | None = None
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told how far it is.

    Args:
        training: is told the events of the training.
        picking: is told each finished micrograph and how many picks it has.
        number: is told how many micrographs there are to pick.
        note: is told, in words, what is left out of the training.
    """

    training: Tell | None = None
    picking: Callable[[str, int], None] | None = None
    number: Callable[[int], None] | None = None
    note: Callable[[str], None] | None = None


def run_job(job: Job, settings: Settings, listeners: Listeners = Listeners()) -> dict[str, Any]:
    """Learn if there are labels, pick every micrograph, and write what RELION reads.

    The same job again goes on where it was interrupted.

    Args:
        job: what is asked for.
        settings: of the training.
        listeners: who is told how far it is.

    Returns:
        What is also written to `cryoglean.json`: counts, the threshold that validation proposes, and files.

    Raises:
        CryogleanError: what is wrong, where, and what to do.
    """
    pixel_size = read_pixel_size(job.micrographs)
    if job.labels is not None and job.run is not None:
        raise SettingsError("there are labels and a run", where="--run", fix="Leave one of them out.")
    picker, proposed, run = _learn(job, settings, pixel_size, listeners) if job.labels else _load(job)
    size = pixel_size if pixel_size is not None or run is None else choose_pixel_size(run, None)
    paths = find_micrographs([job.micrographs])
    if listeners.number is not None:
        listeners.number(len(paths))
    harvest = pick_files(
        picker, paths, job.folder / INDEX, job.threshold, pixel_size_angstrom=size, tell=listeners.picking
    )
    by_name = micrographs_by_name(paths)
    looker = Looker(lambda name: read_micrograph(by_name[name], size), picker.preparation.diameter_pixels)
    write_logfile(_files_in(job.folder / INDEX), proposed, looker, job.folder / LOGFILE)
    write_output_nodes(job.folder, _NODES)
    told = {
        "micrographs": harvest.micrographs, "picks": harvest.picks, "skipped": harvest.skipped,
        "lowest_score_written": harvest.threshold, "proposed_minimum_figure_of_merit": proposed,
        "run": None if run is None else str(run.folder), "coordinates": str(job.folder / INDEX),
    }  # fmt: skip
    write_json_atomically(job.folder / "cryoglean.json", told)
    return told


def read_pixel_size(micrographs: Path) -> float | None:
    """The pixel size in angstrom that RELION's micrographs have; None where it does not say one, or several.

    Args:
        micrographs: RELION's STAR file of micrographs.

    Raises:
        PicksError: the file can't be read.
    """
    tables = read_star_tables(micrographs).values()
    texts = {text for table in tables for text in table.get("rlnMicrographPixelSize", [])}
    try:
        sizes = {float(text) for text in texts}
    except ValueError:
        return None
    return sizes.pop() if len(sizes) == 1 else None


def _learn(
    job: Job, settings: Settings, pixel_size: float | None, listeners: Listeners
) -> tuple[Picker, float, Run | None]:
    check_cards(settings)
    if job.labels is None or job.diameter_angstrom is None:
        raise SettingsError("it is missing", where="--diameter_angstrom", fix="Give the particle's diameter.")
    run = Run(job.folder / "run")
    size, labels = ParticleSize(job.diameter_angstrom, pixel_size), LabelFiles(job.labels)
    gathered, missing = gather_dataset([job.micrographs], size, labels)
    dataset = _without_newcomers(gathered, run)
    _tell_left_out(missing.get(job.labels, ()), len(gathered.roles) - len(dataset.roles), listeners.note)
    try:
        train(dataset, settings, run, tell=listeners.training, resumes=True)
    except RunError as error:
        raise RunError(error.what, where=run.folder, fix="Start a new External job for that.") from error
    diagnose_training(run)
    make_report(run)
    return *load_picker(run), run


def _without_newcomers(dataset: Dataset, run: Run) -> Dataset:
    """The data set that the training began with, where micrographs have come since: those are picked, not learned from.

    A job is continued for them while a session goes on. New labels are another matter: they are left in.
    """
    if not run.dataset_file.exists():
        return dataset
    begun = run.read_json(run.dataset_file)["micrographs"]
    kept = {name: role for name, role in dataset.roles.items() if name in begun or role != "unlabelled"}
    return replace(dataset, roles=kept, paths={name: dataset.paths[name] for name in kept})


def _tell_left_out(missing: Sequence[str], newcomers: int, note: Callable[[str], None] | None) -> None:
    if note is not None and missing:
        some = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        note(f"note: {len(missing)} labelled micrographs are not among the input micrographs: {some}")
    if note is not None and newcomers:
        note(f"note: {newcomers} micrographs came since the training began; they are picked, not learned from")


def _files_in(index: Path) -> dict[str, Path]:
    """The files of picks that the index lists, by micrograph."""
    table = read_star_tables(index)["coordinate_files"]
    pairs = zip(table["rlnMicrographName"], table["rlnMicrographCoordinates"], strict=True)
    return {micrograph_name(path): Path(file) for path, file in pairs}


def _load(job: Job) -> tuple[Picker, float, Run | None]:
    if job.run is None or job.run == Path(GENERAL):
        if job.diameter_angstrom is None:
            raise SettingsError(
                "there are neither labels nor a run, and the general network must be told how large a particle is",
                where="--diameter_angstrom", fix="Give it, or --in_parts or --in_coords, or --run.",
            )  # fmt: skip
        ParticleSize(job.diameter_angstrom).check()
        is_dark = job.contrast != "light"
        return *general_picker(job.diameter_angstrom, find_hardware(), particles_are_dark=is_dark, views=None), None
    run = Run(job.run)
    return *load_picker(run), run
