"""The validation micrographs, with what was found, what is false and what was missed."""

from __future__ import annotations

from cryoglean.report.pictures import fold_plain, picture_verdicts
from cryoglean.report.results import Results
from cryoglean.report.section import Gallery, Section, Text

TITLE = "Micrographs"
ORDER = 30


def section(results: Results) -> Section | None:
    """None when nothing was validated, or no file is there any more."""
    judged = results.validation
    if judged is None:
        return None
    marked, plain = picture_verdicts(judged, results.dataset.shown_pixel_size, "micrograph")
    if not marked:
        return None
    words = (
        "Green circles: picks on a labelled particle. Orange-red triangles: picks without a label. Blue squares: "
        "labelled particles without a pick. The marks are as large as the particle; picks and labels in the border "
        "are left out, as in the numbers. Contrast is stretched and smoothed for the eye only."
    )
    return Section(TITLE, (Text(words), Gallery(marked), *fold_plain(plain)))
