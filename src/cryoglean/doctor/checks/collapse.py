"""Validation that fell far below its best: recall has collapsed, or the training came apart.

Source: the source notes (recall .0074 after FixMatch); docs/explain/doctor.md. Where unlabelled crops did it, the
training has gone back to its best weights by itself.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.health import has_collapsed
from cryoglean.settings import LearnSettings

GROUP = "outcome"
NEEDS = ("events", "settings")


def check(evidence: Evidence) -> Finding | None:
    """In any training, or by a roll-back."""
    back = evidence.told("rolled_back")
    for phase in evidence.phases:
        scores = [float(event["average_precision"]) for event in evidence.told("validation") if event["phase"] == phase]
        ends = [place for place in range(1, len(scores) + 1) if has_collapsed(scores[:place])]
        if not ends and not any(event["phase"] == phase for event in back):
            continue
        unlabelled = any(
            str(name).startswith(("taught.", "pseudo."))
            for event in evidence.told("step")
            if event["phase"] == phase
            for name in event
        )
        return Finding(
            "error",
            f"validation collapsed in {phase}: average precision {scores[ends[0] - 1] if ends else 0.0:.3f} "
            f"after {max(scores, default=0.0):.3f}",
            {"best": max(scores, default=0.0), "last": scores[-1] if scores else None, "roll_backs": len(back)},
            "the network learns its own mistakes from unlabelled crops"
            if unlabelled
            else "the steps are too long, or the labels contradict each other",
            "Take `recommended`, or lower unlabelled.weight." if unlabelled else "Lower the learning rate.",
            "source notes, critical fix",
            patch={"strategy": "recommended", "options": {}, "unlabelled.weight": 1.0}
            if unlabelled
            else {"learn.learning_rate": LearnSettings().learning_rate},
        )
    return None
