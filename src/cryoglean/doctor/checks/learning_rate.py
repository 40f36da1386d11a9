"""Steps that are far too short to learn anything, or so long that they destroy what was learned.

Source: the length of a step relative to the weights is about 1e-3 in a sound training (Karpathy, CS231n, "ratio of
weights:updates"); here 2e-3 to 2e-2 at its largest. Times the number of steps it says how far weights can get at all;
since rates rise and fall and looks are few, each look is scaled to the highest rate, of which half is the mean. The
source notes lowered their rate to 5e-5 and 1e-5, and called the gradient norm healthy.
"""

from statistics import median

from cryoglean.doctor.evidence import Event, Evidence
from cryoglean.finding import Finding
from cryoglean.health import LEAST_REACH, LONGEST_STEP, SHORTEST_STEP
from cryoglean.settings import LearnSettings

GROUP = "training"
NEEDS = ("events",)
_EARLY = 0.3  # of the steps
_ENOUGH = 50  # steps: fewer are a trial of the machinery, not a training


def check(evidence: Evidence) -> Finding | None:
    """The largest median ratio over layers of any look into a training, and that times the steps."""
    told = [event for event in evidence.told("monitor") if float(event["update_ratio"]) > 0]  # others were left out
    if not told:
        return None
    ratio, count = max(float(event["update_ratio"]) for event in told), evidence.settings.learn.steps
    usual = median(_scale_up(evidence, told))
    reach = 0.5 * usual * count
    is_early = max(int(event["step"]) for event in told) < _EARLY * count  # the first steps are longer
    is_short = not is_early and (usual < SHORTEST_STEP or (count >= _ENOUGH and reach < LEAST_REACH))
    rate = max((float(event["learning_rate"]) for event in evidence.told("step")), default=0.0)
    if not (is_short or ratio > LONGEST_STEP) or not rate:
        return None
    norms = [float(event["gradient_norm"]) for event in evidence.told("step")]
    what = (
        f"{count} steps can move the weights by {100 * reach:.1f} % of their length: hardly anything is learned"
        if is_short
        else f"a step changes the weights by {ratio:.1e} of their length: what was learned is destroyed"
    )
    proposed = _propose(rate, is_short=is_short)
    return Finding(
        "error",
        what,
        {
            "largest_update_ratio": ratio,
            "reach": reach,
            "steps": count,
            "healthy_reach": LEAST_REACH,
            "healthy_to": LONGEST_STEP,
            "learning_rate": rate,
            "median_gradient_norm": median(norms),
        },
        f"the learning rate {rate:g} is too {'low for so few steps' if is_short else 'high'}",
        f"Take {proposed:g}; the gradient norm says nothing about this.",
        "CS231n, ratio of weights:updates",
        patch={"learn.learning_rate": proposed},
    )


def _scale_up(evidence: Evidence, looks: list[Event]) -> list[float]:
    """The lengths of steps at the highest rate: they are proportional to the rate."""
    highest = evidence.settings.learn.learning_rate
    rates = {(event["phase"], event["step"]): float(event["learning_rate"]) for event in evidence.told("step")}
    return [float(look["update_ratio"]) * highest / rates.get((look["phase"], look["step"]), highest) for look in looks]


def _propose(rate: float, *, is_short: bool) -> float:
    """The default where the rate is on the wrong side of it, else ten times more or less."""
    default = LearnSettings().learning_rate
    is_beyond = rate < default if is_short else rate > default
    return default if is_beyond else rate * (10 if is_short else 0.1)
