"""Pseudo-labels with far less or far more particle than there is: under half, over double.

Source: the source notes' `diagnose_pseudo_labels` (strategy document, 2 % instead of 4 % particle), which is kept as
it is in `cryoglean.compat`; here with the expected share in place of the labelled one.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events",)
_TOO_FEW, _TOO_MANY = 0.5, 2.0


def check(evidence: Evidence) -> Finding | None:
    """The worst round, by the share of particle among trusted pixels."""
    rounds = [told for told in evidence.rounds if told.get("prior") and "particle_share" in told]
    if not rounds:
        return None
    worst = max(rounds, key=lambda told: max(_ratio(told), 1 / max(_ratio(told), 1e-9)))
    ratio = _ratio(worst)
    if _TOO_FEW <= ratio <= _TOO_MANY:
        return None
    has_few = ratio < _TOO_FEW
    return Finding(
        "warning" if worst.get("counts") or ratio < 1 / 8 or ratio > 8 else "note",
        f"the pseudo-labels of round {worst['round']} hold too {'little' if has_few else 'much'} particle: "
        f"{100 * worst['particle_share']:.2f} % of what is trusted, {100 * worst['prior']:.2f} % are expected",
        {
            "particle_share": float(worst["particle_share"]),
            "expected_share": float(worst["prior"]),
            "ratio": ratio,
            "round": int(worst["round"]),
        },
        "a threshold that few particles reach, or uncalibrated maps" if has_few else "a threshold that noise reaches",
        "Take the corrected variant of the strategy, or `recommended`, which has no threshold.",
        "source notes, strategy 1",
        patch={"strategy": "recommended", "options": {}},
    )


def _ratio(told: object) -> float:
    return float(told["particle_share"]) / float(told["prior"])  # type: ignore[index]
