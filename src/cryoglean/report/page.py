"""The report as one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoglean.durable import write_bytes_atomically, write_text_atomically
from cryoglean.registry import card_names, load_card
from cryoglean.report.results import Results, TestPicks
from cryoglean.report.section import Section
from cryoglean.run import Run

__all__ = ["Heading", "TestPicks", "make_page", "make_report", "make_sections", "render_page"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What a page says above and below its sections.

    Args:
        name: the title.
        when: a line below it; may be empty.
        version: of the program.
        beside: a sentence at the end, on what lies beside the page.
        is_wide: whether it takes more of a wide screen, for wide tables.
    """

    name: str
    when: str
    version: str
    beside: str
    is_wide: bool = False


def make_report(run: Run, test: TestPicks | None = None) -> Path:
    """Write `report.html` and `figures/*.png` into the folder of a finished run.

    Args:
        run: a finished run.
        test: picks on micrographs that had no part in the training, to be reported as well.

    Returns:
        The path of the page.

    Raises:
        RunError: the run is not finished, or something in it is broken.
        PicksError, SettingsError: the test can't be evaluated.
        OSError: the folder can't be written.
    """
    results = Results(run, test)
    sections = make_sections(results)
    pictures = {picture.name: picture.png for part in sections for picture in part.pictures}
    for name, png in pictures.items():
        write_bytes_atomically(run.figures_folder / f"{name}.png", png)
    for file in run.figures_folder.glob("*.png"):
        if file.stem not in pictures:  # of an earlier report
            file.unlink()
    write_text_atomically(run.report_file, make_page(results, sections))
    return run.report_file


def make_sections(results: Results) -> tuple[Section, ...]:
    """The sections that have something to show, in order; each card in `report/sections` is one."""
    cards = sorted((load_card("sections", name) for name in card_names("sections")), key=lambda card: card.ORDER)
    made = (card.section(results) for card in cards)
    return tuple(section for section in made if section is not None)


def make_page(results: Results, sections: tuple[Section, ...]) -> str:
    """The page as HTML text."""
    started = str(results.environment.get("started", ""))[:16].replace("T", " ")
    heading = Heading(
        results.run.folder.resolve().name,
        f"trained {started} UTC" if started else "",
        (results.environment.get("packages") or {}).get("cryoglean", ""),
        "The pictures are in figures/ as well, the numbers in summary.json.",
    )
    return render_page(heading, sections)


def render_page(heading: Heading, sections: Sequence[Section]) -> str:
    """Any sections as one HTML page.

    Args:
        heading: what stands around them.
        sections: from top to bottom.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cryoglean.report", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html.j2").render(
        name=heading.name,
        when=heading.when,
        version=heading.version,
        beside=heading.beside,
        is_wide=heading.is_wide,
        sections=sections,
        encode=lambda png: base64.b64encode(png).decode("ascii"),
        anchor=lambda title: "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split()),
    )
