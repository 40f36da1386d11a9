"""Write the report of an experiment into its folder, whole or not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cryoglean.durable import write_json_atomically, write_text_atomically
from cryoglean.environment import package_versions
from cryoglean.experiment.page.details import rounds_section, worst_section
from cryoglean.experiment.page.outcome import Outcome
from cryoglean.experiment.page.sections import (
    costs_section,
    curves_section,
    lines_section,
    power_section,
    ranks_section,
    savings_section,
    seeds_section,
)
from cryoglean.experiment.page.summary import run_section, summary_section
from cryoglean.experiment.page.tables import make_csv, make_latex, make_notes
from cryoglean.experiment.store import Store
from cryoglean.report.page import Heading, render_page

REPORT_FILE = "report.html"
_SECTIONS = (
    summary_section, lines_section, seeds_section, curves_section, ranks_section, rounds_section, worst_section,
    savings_section, power_section, costs_section, run_section,
)  # fmt: skip


def is_experiment(folder: Path) -> bool:
    """Whether a folder is an experiment's."""
    return Store(folder).grid_file.exists() and (folder / "cells").is_dir()


def write_report(store: Store, keys: Collection[str] | None = None) -> Path:
    """Write `report.html`, `table.tex`, `table.csv`, `statistics.json` and `notes/` from what is finished.

    Args:
        store: the experiment's folder.
        keys: of the cells that count; by default those that its grid asks for (see `Outcome.read`).

    Returns:
        The path of the page.

    Raises:
        RunError: the folder is no experiment, or results in it can't be compared.
        OSError: the folder can't be written.
    """
    outcome = Outcome.read(store, keys)
    folder = store.folder
    write_text_atomically(folder / "table.tex", make_latex(outcome))
    write_text_atomically(folder / "table.csv", make_csv(outcome))
    write_json_atomically(
        folder / "statistics.json", {name: account.to_json() for name, account in outcome.accounts.items()}
    )
    _write_notes(outcome, folder / "notes")
    page = folder / REPORT_FILE
    write_text_atomically(page, make_page(outcome))
    return page


def make_page(outcome: Outcome) -> str:
    """The page as HTML text."""
    sections = tuple(section for make in _SECTIONS if (section := make(outcome)) is not None)
    dates = sorted(str(row["finished"]) for row in outcome.rows if row.get("finished"))
    heading = Heading(
        outcome.name,
        f"experiment, last result {dates[-1][:16].replace('T', ' ')} UTC" if dates else "experiment without a result",
        package_versions().get("cryoglean", ""),
        "The numbers are in table.csv, table.tex, statistics.json and notes/ as well; every training is in cells/.",
        is_wide=True,
    )
    return render_page(heading, sections)


def _write_notes(outcome: Outcome, folder: Path) -> None:
    files = make_notes(outcome)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_json_atomically(folder / name, content)
    for file in folder.glob("*/*_*.json"):
        if file.relative_to(folder).as_posix() not in files:  # of an earlier grid
            file.unlink()
