"""Labels that look incomplete: many of the surest picks have none.

Source: docs/explain/doctor.md; where labels are complete, 2 to 13 % of the surest half of the picks on real sets have
none. A mediocre network is wrong about the less sure ones; where labels are missing, the very surest have none, too.
What is not labelled is taken for background, and the network learns to leave such particles out.
"""

import numpy as np
from scipy.spatial import cKDTree

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.picks import Picks

GROUP = "labels"
NEEDS = ("summary", "picks")
_SHARE, _COUNT = 0.2, 6
_SUREST = 0.35  # of the share among the surest half there must be among the surest quarter
_SOUND = 0.4  # average precision: the picks of a network that knows no particles say nothing about labels


def check(evidence: Evidence) -> Finding | None:
    """A fifth of the surest half of the picks, and of the surest quarter, where labels are said to be complete."""
    summary = evidence.summary or {}
    found = summary.get("validation") or {}
    true, false = found.get("surest_half") or (0, 0)
    share = false / max(true + false, 1)
    is_sparse = summary.get("labels") == "sparse"
    if is_sparse or false < _COUNT or share < _SHARE or (found.get("average_precision") or 0.0) < _SOUND:
        return None
    if evidence.picks is None:
        return None
    quarter, half = (_bare_share(evidence.picks, evidence, wanted, found) for wanted in (true // 2, true))
    if quarter < _SUREST * half:
        return None
    return Finding(
        "warning",
        f"labels look incomplete: of the {true + false:,} surest picks {false:,} have no label",
        {"surest_picks": true + false, "without_label": false, "share": share},
        "some particles were not clicked, and are taken for background",
        "If they are particles, train with --labels sparse, or label them.",
        "docs/explain/clicks.md",
        patch={"labels.kind": "sparse", "labels.per_micrograph": None, "strategy": "auto", "options": {}},
    )


def _bare_share(picks: Picks, evidence: Evidence, wanted: int, found: dict[str, object]) -> float:
    """The share without a label of the surest picks that find this many labelled particles."""
    if picks.score is None or not len(picks):
        return 0.0
    within = float(found.get("tolerance_pixels") or 0.0)  # type: ignore[arg-type]
    is_bare = np.ones(len(picks), dtype=bool)
    for name in picks.micrographs:
        here, labels = picks.micrograph == name, evidence.dataset.labels.on(name).xy
        if len(labels) and here.any():
            is_bare[here] = cKDTree(labels).query(picks.xy[here])[0] > within
    ranked = is_bare[np.argsort(-picks.score, kind="stable")]
    last = int(np.searchsorted(np.cumsum(~ranked), max(wanted, 1)))
    return float(ranked[: last + 1].mean())
