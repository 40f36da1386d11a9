"""Scores that are far from the share of true picks.

Source: Guo 2017 (arXiv 1706.04599). A ranking can be good all the same; but thresholds of pseudo-labels then mean
nothing.
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary", "picks")
_FAR, _ENOUGH = 0.35, 50


def check(evidence: Evidence) -> Finding | None:
    """The mean score of the picks that count differs from their precision by more than 0.35."""
    found = (evidence.summary or {}).get("validation") or {}
    if evidence.picks is None or evidence.picks.score is None or found.get("precision") is None:
        return None
    kept = evidence.picks.score[evidence.picks.score >= found["threshold"]]
    if len(kept) < _ENOUGH:
        return None
    gap = float(np.mean(kept)) - float(found["precision"])
    if abs(gap) <= _FAR:
        return None
    return Finding(
        "note",
        f"scores are no probabilities: {np.mean(kept):.2f} on the average, {found['precision']:.2f} of these "
        "picks are particles",
        {"mean_score": float(np.mean(kept)), "precision": float(found["precision"]), "picks": len(kept)},
        "the weight of particles in the loss, or a short training",
        "Do not read scores as probabilities.",
        "arXiv 1706.04599",
    )
