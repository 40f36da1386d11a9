"""A threshold that everything passes, so that it protects from nothing.

Source: recipe.md J1: after a few labelled micrographs are fitted, 99.6 % of the pixels pass 0.70 and 98.4 % pass
0.95.
"""

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events", "settings")
_NEARLY_ALL = 0.98
_WITH_MASK = ("fixmatch", "pseudo_label", "limited", "class_balanced", "weighted", "unimatch", "fixmatch_pu")


def check(evidence: Evidence) -> Finding | None:
    """More than 98 % of the pixels are trusted by a strategy that means to leave some out."""
    if evidence.strategy not in _WITH_MASK:
        return None
    rounds = [float(told["usage"]) for told in evidence.rounds if "usage" in told]
    usage = rounds[0] if rounds else evidence.mean_fact("taught.usage")
    if usage is None or usage < _NEARLY_ALL:
        return None
    return Finding(
        "note",
        f"{100 * usage:.1f} % of the pixels pass the threshold: it protects from nothing",
        {"usage": usage},
        "the network is sure of everything, also of what is wrong",
        "Judge the pseudo-labels by their precision and recall on validation, not by the threshold.",
        "recipe.md J1",
    )
