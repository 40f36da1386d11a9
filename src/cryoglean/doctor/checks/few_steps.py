"""A training that ended while validation was still rising steeply.

Source: docs/log.md (2026-11-23): longer training is worth more than most strategies.
"""

from statistics import median

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("events", "settings")
_RISE = 0.03


def check(evidence: Evidence) -> Finding | None:
    """By more than 0.03 average precision from the validation before the last to the last; with folds, their median."""
    steps, default = evidence.settings.learn.steps, LearnSettings().steps
    rises = [
        rise for phase in evidence.phases if "-round-" not in phase and (rise := _rise(evidence, phase)) is not None
    ]
    rise = median(rises) if rises else 0.0
    if rise <= _RISE:
        return None
    proposed = max(2 * steps, min(default, 4 * steps))
    return Finding(
        "warning" if steps < default / 4 else "note",
        f"validation was still rising at the last step, by {rise:.3f} average precision",
        {"rise": rise, "steps": steps},
        "the training is too short",
        f"Take {proposed} steps, or a higher --effort.",
        "docs/log.md, 2026-11-23",
        patch={"learn.steps": proposed},
    )


def _rise(evidence: Evidence, phase: str) -> float | None:
    """Of the last validation of a training over the one before, 0 where it was better before; None without two."""
    values = [float(event["average_precision"]) for event in evidence.told("validation", phase)]
    if len(values) < 2:
        return None
    return values[-1] - values[-2] if values[-1] == max(values) else 0.0
