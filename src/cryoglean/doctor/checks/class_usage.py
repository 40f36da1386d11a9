"""A threshold that selects no particle: usage looks healthy because of background alone.

Source: methods.md S17: "usage above 20 %" is set by background, of which there is 24 times as much. At a threshold of
0.95 the source notes found 0 % used and lowered the threshold; what was wrong was the calibration.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import take_recommended
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_SHARE = 0.15  # of the expected particle pixels
_FEW = 40  # steps


def check(evidence: Evidence) -> Finding | None:
    """Particle usage below 15 % of what is expected, in a round or over the steps of a stream."""
    offline = [told for told in evidence.rounds if told.get("prior") and "particle_usage" in told]
    poor = [told for told in offline if float(told["particle_usage"]) < _SHARE * float(told["prior"])]
    if poor:
        return _describe(
            evidence, float(poor[0]["particle_usage"]), float(poor[0]["background_usage"]), float(poor[0]["prior"])
        )
    steps = [event for event in evidence.told("step") if "taught.expected_share" in event]
    usage, background, expected = (
        evidence.mean_fact(f"taught.{name}") or 0.0 for name in ("particle_usage", "background_usage", "expected_share")
    )
    is_poor = len(steps) >= _FEW and usage < _SHARE * expected
    return _describe(evidence, usage, background, expected) if is_poor else None


def _describe(evidence: Evidence, particle: float, background: float, prior: float) -> Finding:
    return Finding(
        "warning",
        f"hardly any particle passes the selection: {100 * particle:.2f} % of the pixels, and "
        f"{100 * background:.0f} % as background",
        {"particle_usage": particle, "background_usage": background, "expected_share": prior},
        "a threshold above what the network says of particles: its scores are not calibrated",
        "Take a strategy that selects by rank or needs no threshold; do not only lower the threshold.",
        "methods.md S17",
        patch=take_recommended(evidence),
    )
