"""A training that ended while validation was still rising steeply.

Source: docs/log.md (2026-11-23): longer training is worth more than most strategies.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("events", "settings")
_RISE = 0.03


def check(evidence: Evidence) -> Finding | None:
    """By more than 0.03 average precision from the validation before the last to the last, or fewer than 50 steps."""
    steps = evidence.settings.learn.steps
    default = LearnSettings().steps
    told = [event for event in evidence.told("validation") if event["phase"] == "final"]
    values = [float(event["average_precision"]) for event in told]
    rise = values[-1] - values[-2] if len(values) > 1 and values[-1] == max(values) else 0.0
    if rise <= _RISE:
        return None
    proposed = max(2 * steps, min(default, 4 * steps))
    return Finding(
        "warning" if steps < default / 4 else "note",
        f"validation was still rising at the last step, by {rise:.3f} average precision",
        {"rise": rise, "last": values[-1], "steps": steps},
        "the training is too short",
        f"Take {proposed} steps, or a higher --effort.",
        "docs/log.md, 2026-11-23",
        patch={"learn.steps": proposed},
    )
