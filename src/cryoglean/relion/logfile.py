"""`logfile.pdf`, which RELION shows with the job: counts, figures of merit, and three micrographs with their picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoglean.durable import write_file_atomically
from cryoglean.io.formats.autopick import read
from cryoglean.micrograph import Micrograph
from cryoglean.report.figures.drawing import BLUE, GREEN, INK, label_axes, new_chart
from cryoglean.report.figures.micrograph import Marks, draw_micrograph, make_view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EDGES = np.linspace(0, 1, 51)


@dataclass(frozen=True, slots=True)
class Looker:
    """How the micrographs that are shown are looked at.

    Args:
        read: a micrograph by its name.
        diameter_pixels: of the particle in a micrograph, in its own pixels.
    """

    read: Callable[[str], Micrograph]
    diameter_pixels: Callable[[Micrograph], float]


def write_logfile(files: Mapping[str, Path], minimum: float, looker: Looker, out: Path) -> None:
    """Write the PDF.

    Args:
        files: `_autopick.star` of each micrograph, by name; at least one.
        minimum: the figure of merit that is proposed for Extract, in [0, 1].
        looker: see there.
        out: the file to write.

    Raises:
        CryogleanError: one of the three micrographs, or a file of picks, can't be read.
        OSError: the PDF can't be written.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    counts, merits = np.zeros(len(files), np.int64), np.zeros(len(_EDGES) - 1, np.int64)
    for place, file in enumerate(files.values()):  # one at a time: there may be thousands
        score = _merits(file)
        counts[place] = (score >= minimum).sum()
        merits += np.histogram(score, _EDGES)[0]
    names = list(files)

    def draw(temporary: Path) -> None:
        with PdfPages(temporary) as pages:
            pages.savefig(_draw_counts(counts, minimum))
            pages.savefig(_draw_merits(merits, minimum))
            for name in dict.fromkeys((names[0], names[len(names) // 2], names[-1])):
                pages.savefig(_draw_picks(name, files[name], minimum, looker))

    write_file_atomically(out, draw)


def _merits(file: Path) -> NDArray[np.float64]:
    score = read(file).score
    return np.empty(0) if score is None else score


def _draw_counts(counts: NDArray[np.int64], minimum: float) -> Figure:
    figure, (axes,) = new_chart()
    axes.plot(np.arange(1, len(counts) + 1), counts, ".", color=BLUE)
    axes.set_ylim(bottom=0)
    title = f"{counts.sum():,} picks on {len(counts):,} micrographs"
    label_axes(axes, "micrograph, in the order of the STAR file", f"picks from {minimum:.3f} on", title)
    return figure


def _draw_merits(merits: NDArray[np.int64], minimum: float) -> Figure:
    figure, (axes,) = new_chart()
    axes.stairs(merits, _EDGES, fill=True, facecolor=f"{GREEN}55", edgecolor=GREEN, linewidth=1.6)
    axes.axvline(minimum, color=INK, linewidth=2, linestyle="--")
    title = f"{merits.sum():,} written; proposed minimum {minimum:.3f}"
    label_axes(axes, "figure of merit", "picks", title)
    return figure


def _draw_picks(name: str, file: Path, minimum: float, looker: Looker) -> Figure:
    micrograph = looker.read(name)
    xy = read(file).above(minimum).xy
    view = make_view(micrograph, looker.diameter_pixels(micrograph))
    return draw_micrograph(view, [Marks(f"{name}, from {minimum:.3f} on", xy, "circle", GREEN)])
