"""`cryoglean pick`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from cryoglean.errors import SettingsError

if TYPE_CHECKING:
    from cryoglean.engine.tasks import EngineChoice
    from cryoglean.learn.picker import Picker
    from cryoglean.picking import Harvest


def pick_command(
    run: Path,
    *micrographs: str,
    out: Path,
    threshold: float | None = None,
    diameter_angstrom: float | None = None,
    contrast: Literal["dark", "light"] | None = None,
    pixel_size_angstrom: float | None = None,
    views: Literal[1, 2, 4, 8] | None = None,
    workers: int = 1,
    cluster: str | None = None,
    dry_run: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Pick micrographs with a trained run, or with `general` and no label at all.

    The same call after an interruption goes on where it stopped.

    Args:
        run: the folder of a finished `cryoglean train`; or `general`, where there is no such folder: the network that
            the package brings along, which knows particles from simulated molecules only.
        micrographs: files, folders, quoted globs or a STAR file.
        out: the picks file to write; its suffix says the format (.csv, .star, .json).
        threshold: lowest score written, 0 to 1; by default the one chosen on validation.
        diameter_angstrom: diameter of the particle in angstrom; needed by `general`, known by a run.
        contrast: whether particles are darker or lighter than the ice; for `general` only, which takes dark.
        pixel_size_angstrom: pixel size in angstrom; by default that used in training, else that of the header.
        views: rotated and mirrored views that are averaged; by default as in validation.
        workers: processes, or jobs of a cluster, that share the work; the file is the same.
        cluster: where workers are: `slurm`, `slurm:FILE` with a job's settings in YAML, the address `tcp://HOST:PORT`
            of a running dask scheduler, or its scheduler file; by default this machine.
        dry_run: only print the script of a SLURM job.
        quiet: no progress.
        json: no progress, and a JSON summary on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.engine.tasks import EngineChoice
    from cryoglean.io.micrographs import find_micrographs
    from cryoglean.io.picks import check_writable

    choice = EngineChoice(workers, cluster).check()
    if dry_run:
        return _print_job(choice)
    check_writable(out)
    paths = find_micrographs(micrographs)
    source = _Source(run, diameter_angstrom, contrast, pixel_size_angstrom)
    picker, chosen, size = source.load(views)
    cut = chosen if threshold is None else threshold
    pick = partial(_pick_here, picker) if choice.is_this_process else partial(_pick_apart, source, views, choice)
    harvest = pick(paths, out, cut, size, quiet=quiet or json)
    if json:
        facts = {"micrographs": harvest.micrographs, "picks": harvest.picks, "skipped": harvest.skipped}
        print_json({**facts, "threshold": harvest.threshold, "resumed": harvest.resumed, "out": str(out)})
    else:
        _say(harvest.skipped)
        if not quiet:
            print(f"{harvest.picks} particles on {harvest.micrographs} micrographs, threshold {cut:.3f}: {out}")
    return 0


def _pick_here(picker: Picker, paths: list[Path], out: Path, cut: float, size: float | None, *, quiet: bool) -> Harvest:
    from cryoglean.cli.progress import counting
    from cryoglean.picking import pick_files

    with counting(quiet=quiet) as make_counter:
        counter = make_counter("pick", len(paths))
        return pick_files(
            picker, paths, out, cut, pixel_size_angstrom=size,
            tell=lambda name, count: counter.advance(f"{name[:40]}: {count}"),
        )  # fmt: skip


def _pick_apart(
    source: _Source, views: int | None, choice: EngineChoice,
    paths: list[Path], out: Path, cut: float, size: float | None, *, quiet: bool,
) -> Harvest:  # fmt: skip
    from cryoglean.cli.progress import counting
    from cryoglean.shards import Picking, pick_files_with_workers

    console = Console(stderr=True, soft_wrap=True, quiet=quiet)
    picking = Picking(partial(_load_picker, source.from_root(), views), cut, size)
    with counting(quiet=quiet, console=console) as make_counter:
        counter = make_counter("pick", len(paths))
        return pick_files_with_workers(
            picking, paths, out, choice,
            tell=lambda name, count: counter.advance(f"{name[:40]}: {count}"),
            say=lambda text: console.print(text, markup=False, highlight=False),
        )  # fmt: skip


def _load_picker(source: _Source, views: int | None) -> Picker:
    return source.load(views)[0]


def _print_job(choice: EngineChoice) -> int:
    from cryoglean.engine.slurm import job_script

    if not choice.is_slurm:
        raise SettingsError("only jobs of SLURM have a script", where="--dry-run", fix="Give --cluster slurm, too.")
    print(job_script(choice.cluster or ""), end="")
    return 0


@dataclass(frozen=True)
class _Source:
    """Which network picks, and what it is told."""

    run: Path
    diameter_angstrom: float | None
    contrast: Literal["dark", "light"] | None
    pixel_size_angstrom: float | None

    def load(self, views: int | None) -> tuple[Picker, float, float | None]:
        """The picker, its threshold, and the pixel size to read micrographs with."""
        from cryoglean.dataset import ParticleSize
        from cryoglean.learn.hardware import find_hardware
        from cryoglean.learn.start import GENERAL, general_picker
        from cryoglean.picking import choose_pixel_size, load_picker
        from cryoglean.run import Run

        folder = Run(self.run)
        if self.run != Path(GENERAL) or folder.model_file.exists():
            self._check_run()
            picker, threshold = load_picker(folder, views=views)
            return picker, threshold, choose_pixel_size(folder, self.pixel_size_angstrom)
        if self.diameter_angstrom is None:
            raise SettingsError("it is missing", where="--diameter-angstrom", fix="Give it: general knows no particle.")
        ParticleSize(self.diameter_angstrom, self.pixel_size_angstrom).check()
        is_dark = self.contrast != "light"
        picker, threshold = general_picker(
            self.diameter_angstrom, find_hardware(), particles_are_dark=is_dark, views=views
        )
        return picker, threshold, self.pixel_size_angstrom

    def from_root(self) -> _Source:
        """The same for a process that was started in another folder."""
        return replace(self, run=self.run.absolute()) if self.run.exists() else self

    def _check_run(self) -> None:
        for option, value in (("--diameter-angstrom", self.diameter_angstrom), ("--contrast", self.contrast)):
            if value is not None:
                raise SettingsError(
                    "a trained run knows it", where=option, fix="Leave it out, or train with another one."
                )


def _say(skipped: dict[str, str]) -> None:
    console = Console(stderr=True, soft_wrap=True)
    if skipped:
        console.print(f"{len(skipped)} micrographs were skipped:", style="yellow")
    for reason in skipped.values():
        console.print(f"  {reason}", markup=False, highlight=False)
