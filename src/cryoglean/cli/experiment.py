"""`cryoglean experiment`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from cryoglean.errors import SettingsError
from cryoglean.settings import Effort

if TYPE_CHECKING:
    from cryoglean.experiment.cell import Cell
    from cryoglean.experiment.grid import Grid


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """An experiment on one data set, where there is no file that describes it."""

    data: str | None = None
    """The micrographs: a folder, a quoted glob or a STAR file."""
    labels: Path | None = None
    """The particles of all of them; by default coordinates.csv, .json or .star in the folder --data."""
    diameter_angstrom: float | None = None
    """Diameter of the particle in angstrom."""
    pixel_size_angstrom: float | None = None
    """Pixel size in angstrom; by default that of the header."""
    ratios: str = "0.05,0.10"
    """Labelled shares of the training micrographs."""
    strategies: str = "recommended"
    """Strategies to compare with supervised and oracle, which are always there; see `cryoglean list strategies`."""
    seeds: int = 3
    """How many draws of who is labelled; each seeds its trainings, too."""
    test_share: float = 0.2
    """Share of the micrographs that is kept for the test."""
    validation: int = 2
    """How many micrographs validate."""
    effort: Effort = "standard"
    """How much time a training takes."""
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = ()
    """One setting of all trainings, as in --set learn.steps=200; may be repeated."""


def experiment_command(
    grid: Path | None = None,
    *,
    asked: Asked = Asked(),
    out: Path,
    workers: int = 1,
    cluster: str | None = None,
    log: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    dry_run: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Compare ways to learn, over labelled ratios and seeds, with the same splits for each; run what is missing of it.

    Labels of most micrographs are hidden, and all ways learn from the same few. Test micrographs are the same for all.
    The same command again runs only what is missing, whatever was killed. Results: `cryoglean results` and the page.

    Args:
        grid: a YAML file that describes the experiment; without it, --data and the options beside it do.
        asked: the experiment, where there is no file.
        out: the experiment's folder.
        workers: how many processes, or jobs of a cluster.
        cluster: slurm, slurm:FILE with the settings of a job, the address of a dask scheduler, or its file.
        log: tensorboard[:FOLDER] or mlflow[:ADDRESS|FOLDER]: each cell is a run there, too; may be repeated.
        dry_run: only say what would be run.
        quiet: no progress.
        json: no progress, and a JSON summary on standard output.
    """
    from cryoglean.cli.main import print_json
    from cryoglean.cli.progress import counting
    from cryoglean.engine.tasks import EngineChoice
    from cryoglean.experiment.page.report import write_report
    from cryoglean.experiment.running import Listeners, plan, run_experiment
    from cryoglean.experiment.store import Store
    from cryoglean.logbook import choose_logs

    chosen, store = _choose(grid, asked), Store(out)
    cells = plan(chosen)
    if dry_run:
        _say_plan(cells, store)
        return 0
    logs = choose_logs(out, log)
    say = partial(Console(stderr=True, soft_wrap=True).print, markup=False, highlight=False)
    with counting(quiet=quiet or json) as make_counter:
        counters: dict[str, Any] = {}

        def ended(cell: Cell, result: dict[str, Any] | str) -> None:
            place = f"{cell.data} {100 * cell.ratio:g} % seed {cell.seed} {cell.line}"
            told = f"F1 {result['f1']:.3f}" if not isinstance(result, str) else "failed"
            counters["cells"].advance(f"{place}: {told}")
            if isinstance(result, str):
                say(f"{place}: {result}")

        listeners = Listeners(ended, say, lambda number: counters.update(cells=make_counter("cells", number)))
        progress = run_experiment(chosen, store, EngineChoice(workers, cluster), listeners, cells, logs)
    page = write_report(store, {cell.key for cell in cells})
    if json:
        print_json({
            "cells": progress.cells, "finished_before": progress.before, "finished": progress.finished,
            "failed": dict(progress.failed), "out": str(out), "report": str(page),
        })  # fmt: skip
    elif not quiet:
        done = progress.before + progress.finished
        print(f"{done} of {progress.cells} cells are finished: {out}\nreport: {page}\nnext: cryoglean results {out}")
    return 1 if progress.failed else 0


def _choose(file: Path | None, asked: Asked) -> Grid:
    from cryoglean.experiment.grid import from_folder, make_grid, read_grid

    if file is not None:
        if asked != Asked():
            raise SettingsError("a file describes the experiment", where=file, fix="Leave out --data and the like.")
        return read_grid(file)
    if asked.data is None or asked.diameter_angstrom is None:
        raise SettingsError(
            "there is neither a file that describes an experiment nor --data and --diameter-angstrom",
            where="experiment", fix="Give one of them; see docs/how-to/experiments.md.",
        )  # fmt: skip
    labels = asked.labels or _find_labels(Path(asked.data))
    content = {
        "data": {
            _name_of(asked.data): {
                "micrographs": asked.data, "labels": labels, "diameter_angstrom": asked.diameter_angstrom,
                "pixel_size_angstrom": asked.pixel_size_angstrom,
            }
        },
        "ratios": [_number(text) for text in asked.ratios.split(",")], "seeds": asked.seeds,
        "lines": [name.strip() for name in asked.strategies.split(",") if name.strip()],
        "effort": asked.effort, "settings": asked.set, "test_share": asked.test_share, "validation": asked.validation,
    }  # fmt: skip
    grid = make_grid(content)
    here = Path.cwd()
    return grid.model_copy(update={"data": {name: from_folder(one, here) for name, one in grid.data.items()}})


def _name_of(data: str) -> str:
    """A name for a data set: that of its folder or file."""
    parts = [part for part in Path(data).absolute().parts if not set(part) & set("*?[")]
    name = Path(*parts).name.removesuffix(".star")
    return re.sub(r"[^A-Za-z0-9._+=-]", "_", name).lstrip("._+=-") or "data"


def _find_labels(folder: Path) -> Path:
    for name in ("coordinates.csv", "coordinates.json", "coordinates.star"):
        if (folder / name).exists():
            return folder / name
    raise SettingsError("it is needed", where="--labels", fix="Give the particles of all micrographs.")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"'{text}' is no number", where="--ratios", fix="Write 0.05,0.10.") from None


def _say_plan(cells: list[Cell], store: Any) -> None:
    missing = [cell for cell in cells if store.result_of(cell) is None]
    for cell in missing:
        division = cell.division
        counts = (
            f"{len(division.labelled)} labelled, {len(division.unlabelled)} unlabelled, "
            f"{len(division.validation)} for validation, {len(division.test)} for test"
        )
        print(f"{cell.data} {100 * cell.ratio:g} % seed {cell.seed} {cell.line}: {counts}")
    print(f"{len(missing)} of {len(cells)} cells are missing")
