"""Whether a score can be read as the probability that the pick is a particle."""

from __future__ import annotations

from cryoglean.evaluate.calibration import reliability
from cryoglean.report.figures.drawing import to_png
from cryoglean.report.figures.scores import BINS, draw_calibration
from cryoglean.report.results import Results
from cryoglean.report.section import Picture, Section

TITLE = "Calibration"
ORDER = 70


def section(results: Results) -> Section | None:
    """None when there is no scored pick, or scores are no probabilities."""
    judged = results.validation
    if judged is None or not len(judged.scores):
        return None
    if judged.scores.min() < 0 or judged.scores.max() > 1:
        return None
    found = reliability(judged.scores, judged.is_true, BINS)
    error = f"{found.expected_calibration_error:.3f}"
    picture = Picture(
        "calibration",
        to_png(draw_calibration(found)),
        f"Share of true picks over their score, expected calibration error {error}.",
        f"On the dashed line, of the picks with score 0.8 four in five are particles. On average a score is {error} "
        f"off that. Below: how many picks each point rests on.",
    )
    return Section(TITLE, (picture,))
