"""Pseudo-labels with far less or far more particle than there is: under half, over double.

Source: the source notes' `diagnose_pseudo_labels` (strategy document, 2 % instead of 4 % particle), which is kept as
it is in `cryoglean.compat`; here with the expected share in place of the labelled one.
"""

from statistics import mean

from cryoglean.doctor.evidence import Event, Evidence
from cryoglean.doctor.remedies import take_recommended
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_TOO_FEW, _TOO_MANY, _FAR = 0.5, 2.0, 4.0
_FEW = 40  # steps


def check(evidence: Evidence) -> Finding | None:
    """The worst round, or the later half of the steps of a stream, by the share of particle among trusted pixels."""
    rounds = [told for told in evidence.rounds if told.get("prior") and "particle_share" in told]
    if rounds:
        worst = max(rounds, key=lambda told: _distance(float(told["particle_share"]) / float(told["prior"])))
        where = f"the pseudo-labels of round {worst['round']}"
        return _judge(
            evidence, where, (float(worst["particle_share"]), float(worst["prior"])), counts=_has_harmed(worst)
        )
    steps = [event for event in evidence.told("step") if "taught.expected_share" in event]
    late = steps[len(steps) // 2 :]
    if len(late) < _FEW // 2:
        return None
    share, expected = (mean(float(event[f"taught.{name}"]) for event in late) for name in _SHARES)
    has_harmed = not evidence.rounds or any(_has_harmed(told) for told in evidence.rounds)
    where = "the pseudo-labels that the teacher makes at each step"
    return _judge(evidence, where, (share, expected), counts=has_harmed)


_SHARES = ("particle_share", "expected_share")


def _distance(ratio: float) -> float:
    return max(ratio, 1 / max(ratio, 1e-9))


def _has_harmed(told: Event) -> bool:
    """Whether a round counts though it was not measured to gain; what helped is not called sick."""
    return bool(told.get("counts")) and not float(told.get("gain", 0.0)) > float(told.get("gain_standard_error", 0.0))


def _judge(evidence: Evidence, where: str, shares: tuple[float, float], *, counts: bool) -> Finding | None:
    share, expected = shares
    ratio = share / max(expected, 1e-9)
    if _TOO_FEW <= ratio <= _TOO_MANY:
        return None
    has_few = ratio < _TOO_FEW
    return Finding(
        "warning" if counts or _distance(ratio) > _FAR else "note",
        f"{where} hold too {'little' if has_few else 'much'} particle: {100 * share:.2f} % of what is trusted, "
        f"{100 * expected:.2f} % are expected",
        {"particle_share": share, "expected_share": expected, "ratio": ratio},
        "a threshold that few particles reach, or uncalibrated maps"
        if has_few
        else "a threshold that noise reaches, or maps of a network that was trained to see too many",
        "Take the corrected variant of the strategy, or `recommended`, which has no threshold.",
        "source notes, strategy 1",
        patch=take_recommended(evidence),
    )
