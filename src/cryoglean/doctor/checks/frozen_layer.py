"""A layer that does not learn while the others do: frozen, or cut off from the loss.

Source: gradient flow per layer; docs/explain/doctor.md. A published Mean Teacher has trained nothing with its
unlabelled loss for years because one tensor came from the branch without gradients (methods.md S11).
"""

from cryoglean.doctor.evidence import Event, Evidence
from cryoglean.finding import Finding

GROUP = "training"
NEEDS = ("events",)
_STILL = 1e-9


def check(evidence: Evidence) -> Finding | None:
    """A layer whose weights never moved, at any look, though others did."""
    told = evidence.told("monitor")
    still = [name for name in _layers(told) if all(_is_still(event, name) for event in told)]
    if not told or not still or len(still) == len(_layers(told)):
        return None
    silent = [
        name
        for name in still
        if all(abs(float(event["layers"][name][0])) < _STILL for event in told if name in event["layers"])
    ]
    return Finding(
        "error",
        f"{len(still)} of {len(_layers(told))} layers never moved, such as {still[0]}",
        {"still_layers": len(still), "layers": len(_layers(told)), "without_gradient": len(silent), "layer": still[0]},
        "no gradient reaches it: it was frozen, or it is not part of what the loss sees"
        if silent
        else "its weights are held fixed",
        "Look at the model card; every weight should be reached by the loss.",
        "docs/explain/doctor.md",
    )


def _layers(told: list[Event]) -> list[str]:
    return list(dict.fromkeys(name for event in told for name in event["layers"]))


def _is_still(event: Event, name: str) -> bool:
    """Without gradient (weight decay alone may move it), or without a step."""
    gradient, moved = event["layers"].get(name, (0.0, 0.0))
    return bool(moved < _STILL or abs(gradient) < _STILL)
