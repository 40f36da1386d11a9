"""Labels that look incomplete: many of the surest picks have none.

Source: docs/explain/doctor.md; where labels are complete, 2 to 13 % of the surest half of the picks on real sets have
none. What is not labelled is taken for background, and the network learns to leave such particles out.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "labels"
NEEDS = ("summary",)
_SHARE, _COUNT = 0.2, 6
_SOUND = 0.4  # average precision


def check(evidence: Evidence) -> Finding | None:
    """A fifth of the surest half of the picks on validation micrographs, where labels are said to be complete."""
    summary = evidence.summary or {}
    if ((summary.get("validation") or {}).get("average_precision") or 0.0) < _SOUND:
        return None  # the picks of a network that knows no particles say nothing about labels
    true, false = (summary.get("validation") or {}).get("surest_half") or (0, 0)
    if summary.get("labels") == "sparse" or false < _COUNT or false < _SHARE * (true + false):
        return None
    share = false / (true + false)
    return Finding(
        "warning",
        f"labels look incomplete: of the {true + false:,} surest picks {false:,} have no label",
        {"surest_picks": true + false, "without_label": false, "share": share},
        "some particles were not clicked, and are taken for background",
        "If they are particles, train with --labels sparse, or label them.",
        "docs/explain/clicks.md",
        patch={"labels.kind": "sparse", "labels.per_micrograph": None, "strategy": "auto", "options": {}},
    )
