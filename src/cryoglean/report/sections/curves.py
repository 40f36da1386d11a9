"""How the training went: losses by term, and validation."""

from __future__ import annotations

from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.training import draw_losses, draw_validation, loss_terms
from cryoglean.report.pictures import file_stem
from cryoglean.report.results import Results
from cryoglean.report.section import Block, Folded, Gallery, Picture, Section

TITLE = "Training"
ORDER = 80


def section(results: Results) -> Section | None:
    """None when no step was told."""
    losses = _losses(results)
    shown = [*losses[-1:], *_validation(results)]
    if not shown:
        return None
    blocks: list[Block] = [Gallery(tuple(shown))]
    if len(losses) > 1:
        blocks.append(Folded("Losses of the other phases", (Gallery(tuple(losses[:-1])),)))
    return Section(TITLE, tuple(blocks))


def _losses(results: Results) -> list[Picture]:
    """One picture for each phase, in the order of the training."""
    steps = results.run.events("step")
    pictures = []
    for phase in dict.fromkeys(str(event.get("phase", "")) for event in steps):
        told = [event for event in steps if str(event.get("phase", "")) == phase]
        name = phase or "training"
        terms = ", ".join(("their sum", *loss_terms(told)))
        pictures.append(
            Picture(
                f"losses_{file_stem(name)}",
                to_png(draw_losses(told, f"Losses, phase “{name}”")),
                f"Losses of the phase {name} over {told[-1]['step']} steps: {terms}.",
                "Faint: each step; strong: the running mean.",
            )
        )
    return pictures


def _validation(results: Results) -> list[Picture]:
    told = results.run.events("validation")
    if not told:
        return []
    best = max(event["average_precision"] for event in told)
    return [
        Picture(
            "validation",
            to_png(draw_validation(told)),
            f"Average precision on validation over the steps; the best is {best:.3f}.",
            "Measured without the rotated and mirrored views that picking averages, hence a little lower than in the "
            "summary. The weights of the chosen step are kept.",
        )
    ]
