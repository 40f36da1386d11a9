"""`cryoglean prior`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryoglean.asking import Opinions

_HEADER = ("source", "says", "95 % interval", "pixel prior")


def prior_command(run: Path, *, json: bool = False) -> int:
    """Say how many particles a micrograph holds, by every source that can tell.

    Args:
        run: the folder of a finished training.
        json: as JSON.
    """
    from cryoglean.asking import ask_everybody
    from cryoglean.cli.main import print_json
    from cryoglean.run import Run

    opinions = ask_everybody(Run(run))
    if json:
        print_json(opinions.to_json())
    else:
        say_opinions(opinions)
    return 0


def say_opinions(opinions: Opinions) -> None:
    """A row for each source that says something, then why, and whether they agree."""
    from cryoglean.prior.opinions import opinion_rows

    pixels = [row[1] for row in opinion_rows(opinions.pixels)]
    rows = [(*row[:3], pixel) for row, pixel in zip(opinion_rows(opinions.counts), pixels, strict=True)]
    widths = [max(len(row[place]) for row in (_HEADER, *rows)) for place in range(len(_HEADER))]
    for row in (_HEADER, *rows) if rows else ():
        print("  ".join(f"{word:{width}s}" for word, width in zip(row, widths, strict=True)).rstrip())
    for one in opinions.counts:
        print(f"{one.source}: {one.reason}")
    for source, reason in opinions.silent.items():
        print(f"not asked: {source}: {reason}")
    print(opinions.verdict)
