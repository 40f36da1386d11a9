"""A threshold that selects no particle: usage looks healthy because of background alone.

Source: methods.md S17: "usage above 20 %" is set by background, of which there is 24 times as much. At a threshold of
0.95 the source notes found 0 % used and lowered the threshold; what was wrong was the calibration.
"""

from cryoglean.doctor.evidence import Event, Evidence
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_SHARE = 0.1  # of the expected particle pixels
_FEW = 20  # steps
_ANY = 0.3  # of the steps


def check(evidence: Evidence) -> Finding | None:
    """Particle usage below a tenth of what is expected, in a round or over the steps of a stream."""
    offline = [told for told in evidence.rounds if told.get("prior") and "particle_usage" in told]
    poor = [told for told in offline if float(told["particle_usage"]) < _SHARE * float(told["prior"])]
    if poor:
        return _describe(float(poor[0]["particle_usage"]), float(poor[0]["background_usage"]), float(poor[0]["prior"]))
    steps = [event for event in evidence.told("step") if "taught.particle_usage" in event]
    if len(steps) < _FEW or sum(_has_particle(event) for event in steps) > _ANY * len(steps):
        return None
    usage = evidence.mean_fact("taught.particle_usage") or 0.0
    return _describe(usage, evidence.mean_fact("taught.background_usage") or 0.0, None)


def _has_particle(event: Event) -> bool:
    return float(event["taught.particle_usage"]) > 0.0005


def _describe(particle: float, background: float, prior: float | None) -> Finding:
    return Finding(
        "warning",
        f"hardly any particle passes the selection: {100 * particle:.2f} % of the pixels, and "
        f"{100 * background:.0f} % as background",
        {"particle_usage": particle, "background_usage": background, "expected_share": prior},
        "a threshold above what the network says of particles: its scores are not calibrated",
        "Take a strategy that selects by rank or needs no threshold; do not only lower the threshold.",
        "methods.md S17",
        patch={"strategy": "recommended", "options": {}},
    )
