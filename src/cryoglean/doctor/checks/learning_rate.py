"""Steps that are far too short to learn anything, or so long that they destroy what was learned.

Source: the length of a step relative to the weights is about 1e-3 in a sound training (Karpathy, CS231n, "ratio of
weights:updates"); here 2e-3 to 2e-2 at its largest. The source notes lowered their rate to 5e-5 and 1e-5, which
trains nothing, and called the gradient norm healthy.
"""

from statistics import median

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding
from cryoglean.health import LONGEST_STEP, SHORTEST_STEP
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("events",)


def check(evidence: Evidence) -> Finding | None:
    """The largest median ratio over layers of any look into a training."""
    told = evidence.told("monitor")
    if not told:
        return None
    ratio = max(float(event["update_ratio"]) for event in told)
    if SHORTEST_STEP <= ratio <= LONGEST_STEP:
        return None
    steps = evidence.told("step")
    rate = max((float(event["learning_rate"]) for event in steps), default=0.0)
    if ratio < SHORTEST_STEP and not rate:
        return None
    is_low = ratio < SHORTEST_STEP
    norms = [float(event["gradient_norm"]) for event in steps]
    default = LearnSettings().learning_rate
    is_beyond = rate < default if is_low else rate > default
    proposed = default if is_beyond else rate * (10 if is_low else 0.1)
    return Finding(
        "error",
        f"a step changes the weights by {ratio:.1e} of their length at the most: "
        + ("nothing is learned" if is_low else "what was learned is destroyed"),
        {
            "largest_update_ratio": ratio,
            "healthy_from": SHORTEST_STEP,
            "healthy_to": LONGEST_STEP,
            "learning_rate": rate,
            "median_gradient_norm": median(norms) if norms else None,
        },
        f"the learning rate {rate:g} is too {'low' if is_low else 'high'}",
        f"Take {proposed:g}; the gradient norm says nothing about this.",
        "CS231n, ratio of weights:updates",
        patch={"learn.learning_rate": proposed},
    )
