"""Which scores true and false picks have, and where the threshold cuts."""

from __future__ import annotations

from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.scores import draw_scores
from cryoglean.report.results import Results
from cryoglean.report.section import Picture, Section
from cryoglean.report.wording import decimals

TITLE = "Scores"
ORDER = 60


def section(results: Results) -> Section | None:
    """None when there is no scored pick."""
    judged = results.validation
    if judged is None or not len(judged.scores):
        return None
    true, false = int(judged.is_true.sum()), int((~judged.is_true).sum())
    picture = Picture(
        "scores",
        to_png(draw_scores(judged.scores, judged.is_true, results.threshold)),
        f"Histogram of the scores of {true} picks on particles and {false} others; threshold "
        f"{decimals(results.threshold)}.",
        "All validation picks down to the lowest score kept. The less the two overlap, the less it matters where "
        "exactly the threshold lies.",
    )
    return Section(TITLE, (picture,))
