"""What the doctor found in a run, as the report and the command line show it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.finding import Finding
from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.findings import draw_beside
from cryoglean.run import Run

Pictures = Mapping[str, NDArray[np.float64]]


def read_findings(run: Run) -> tuple[Finding, ...] | None:
    """The findings that the run keeps, the worst first; None where nobody has asked the doctor.

    Raises:
        RunError: the file is broken.
    """
    if not run.findings_file.exists():
        return None
    return tuple(Finding.from_json(one) for one in run.read_json(run.findings_file))


def read_pictures(file: Path) -> dict[str, Pictures]:
    """Pictures by check, then by caption; none where the file is missing or broken.

    Args:
        file: see `Run.findings_pictures_file`.
    """
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    try:
        with np.load(file, allow_pickle=False) as stored:
            for key in stored.files:
                check, _, caption = key.partition("/")
                found.setdefault(check, {})[caption] = stored[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return {}
    return dict(found)


def draw_findings(pictures: Mapping[str, Pictures]) -> dict[str, bytes]:
    """PNG files by check: its pictures beside each other, in the same greys."""
    return {check: to_png(draw_beside(shown)) for check, shown in pictures.items()}
