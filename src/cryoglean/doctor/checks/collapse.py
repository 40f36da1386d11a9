"""Validation that fell far below its best: recall has collapsed, or the training came apart.

Source: the source notes (recall .0074 after FixMatch); docs/explain/doctor.md. Where unlabelled crops did it, the
training has gone back to its best weights by itself.
"""

from cryoglean.doctor.evidence import Event, Evidence
from cryoglean.doctor.remedies import take_recommended
from cryoglean.finding import Finding
from cryoglean.health import has_collapsed
from cryoglean.settings import LearnSettings

GROUP = "outcome"
NEEDS = ("events", "settings")
_RECOVERED = 0.7  # of the best


def check(evidence: Evidence) -> Finding | None:
    """A training that did not recover, or one that had to go back to its best weights."""
    for phase in evidence.phases:
        scores = [float(event["average_precision"]) for event in evidence.told("validation", phase)]
        ends = [place for place in range(1, len(scores) + 1) if has_collapsed(scores[:place])]
        went_back = evidence.told("rolled_back", phase)
        if not went_back and (not ends or scores[-1] >= _RECOVERED * max(scores)):
            continue
        best, fell = _fall(scores, ends, went_back)
        return _describe(
            evidence, phase, {"best": best, "fell_to": fell, "last": scores[-1], "roll_backs": len(went_back)}
        )
    return None


def _fall(scores: list[float], ends: list[int], went_back: list[Event]) -> tuple[float, float]:
    """The best score before the first fall, and what it fell to."""
    if went_back:
        return float(went_back[0]["best"]), float(went_back[0]["average_precision"])
    return max(scores[: ends[0]]), scores[ends[0] - 1]


def _describe(evidence: Evidence, phase: str, known: dict[str, float]) -> Finding:
    steps = evidence.told("step", phase)
    is_taught = any(str(name).startswith(("taught.", "pseudo.")) for event in steps for name in event)
    rate = evidence.settings.learn.learning_rate
    return Finding(
        "error",
        f"validation collapsed in {phase}: average precision fell from {known['best']:.3f} to {known['fell_to']:.3f}",
        known,
        "the network learns its own mistakes from unlabelled crops"
        if is_taught
        else "the steps are too long, or the labels contradict each other",
        "Take `recommended`, or lower unlabelled.weight." if is_taught else "Lower the learning rate.",
        "source notes, critical fix",
        patch=take_recommended(evidence)
        if is_taught
        else {"learn.learning_rate": min(LearnSettings().learning_rate, rate / 3)},
    )
