"""Averaged weights that are too slow for the length of the training: they hardly leave the start.

Source: methods.md 1.8: an average looks back over 1 / (1 - decay) steps; .999 in 500 steps never leaves
initialisation (Tarvainen 2017, arXiv 1703.01780, ramps it up for that reason). What is validated, kept and picked
with is the average.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("settings",)
_TIMES = 2.0


def check(evidence: Evidence) -> Finding | None:
    """More than twice the training."""
    learn = evidence.settings.learn
    memory = 1 / max(1 - learn.ema_decay, 1e-9)
    if memory <= _TIMES * learn.steps or learn.steps < 50:
        return None
    decay = LearnSettings().ema_decay
    proposed = decay if 1 / (1 - decay) <= _TIMES * learn.steps else round(1 - 10 / learn.steps, 3)
    return Finding(
        "warning",
        f"the averaged weights look back over {memory:,.0f} steps, and there are only {learn.steps:,}",
        {"averaged_steps": memory, "steps": learn.steps},
        "learn.ema_decay is that of a much longer training",
        f"Take {proposed:g}.",
        "arXiv 1703.01780",
        patch={"learn.ema_decay": proposed},
    )
