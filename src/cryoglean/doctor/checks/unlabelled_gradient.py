"""Unlabelled crops that pull not at all, far too hard, or against the labelled ones.

Source: methods.md S17: the share of their gradient should be 0.05 to 2 of that of the labels; 0 is a dead branch (as
in a widely used benchmark's Mean Teacher, methods.md S11); a cosine below -0.3 in a fifth of the looks is a conflict.
"""

from statistics import median

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import leave_unlabelled_out
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events", "settings")
_DEAD, _HARD = 1e-4, 10.0
_AGAINST, _OFTEN, _FEW = -0.5, 0.3, 4


def check(evidence: Evidence) -> Finding | None:
    """Over all looks into trainings with unlabelled crops, after their weight has risen."""
    told = [event for event in evidence.told("monitor") if "unlabelled_share" in event]
    if not told:
        return None
    shares = [float(event["unlabelled_share"]) for event in told]
    against = sum(float(event["unlabelled_cosine"]) < _AGAINST for event in told) / len(told)
    known = {"median_share": median(shares), "largest_share": max(shares), "against": against, "looks": len(told)}
    source, off = "methods.md S17", leave_unlabelled_out(evidence)
    if max(shares) < _DEAD:
        return Finding(
            "error",
            "the loss of unlabelled crops has no gradient: nothing is learned from them",
            known,
            "their weight is 0, or their predictions were detached",
            "Mend the stream, or leave unlabelled micrographs out.",
            source,
            patch={"unlabelled.weight": 1.0} if evidence.settings.unlabelled.weight < 0.01 else off,
        )
    if median(shares) > _HARD:
        return Finding(
            "warning",
            f"unlabelled crops pull {median(shares):.0f} times as hard as the labels",
            known,
            "their weight is too high, or there are few labels in a batch",
            "Lower unlabelled.weight.",
            source,
            patch={"unlabelled.weight": min(1.0, round(evidence.settings.unlabelled.weight / median(shares), 3))},
        )
    if against > _OFTEN and len(told) >= _FEW:
        return Finding(
            "warning",
            f"in {100 * against:.0f} % of the looks unlabelled crops pull against the labels",
            known,
            "the pseudo-labels contradict the labels",
            "Look at the pseudo-labels in the report.",
            source,
            patch=off,
        )
    return None
