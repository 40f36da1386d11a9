"""Batch normalisation over so few crops that its statistics jump from step to step.

Source: Wu & He 2018 (arXiv 1803.08494), whose error rises steeply below 4 pictures a batch; docs/decisions/0004.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("settings",)
_LEAST = 2


def check(evidence: Evidence) -> Finding | None:
    """Fewer than two crops in a forward pass; gradients that are added do not help."""
    learn = evidence.settings.learn
    if learn.batch >= _LEAST:
        return None
    default = LearnSettings().batch
    return Finding(
        "warning",
        f"batches of {learn.batch} are too small for batch normalisation",
        {"batch": learn.batch, "accumulate": learn.accumulate},
        "the batch was made small to save memory",
        f"Take batches of {default}, with smaller crops if memory is short.",
        "arXiv 1803.08494",
        patch={"learn.batch": default, "learn.accumulate": 1},
    )
