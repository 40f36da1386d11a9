"""The same micrograph, or nearly the same one, under two names: a leak if one is learned from and the other judged.

Source: data leakage, doi:10.1016/j.patter.2023.100804 (Kapoor 2023). Copies are found by their pixels, near-copies
(other frames or filters of the same field) by coarse pictures.
"""

from itertools import combinations

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.looks import Look
from cryoglean.finding import Finding

GROUP = "data"
NEEDS = ("looks",)
_LIKE = 0.5  # correlation of coarse pictures; of different fields it was below 0.17 on all sets tried


def check(evidence: Evidence) -> Finding | None:
    """Any pair; an error if one is learned from and the other judges."""
    pairs = [
        pair for pair in combinations(evidence.looks.each if evidence.looks else (), 2) if _likeness(*pair) > _LIKE
    ]
    if not pairs:
        return None
    has_validation = bool(evidence.dataset.names("validation"))
    leaks = [pair for pair in pairs if _leaks(*pair, has_validation=has_validation)]
    one, other = (leaks or pairs)[0]
    return Finding(
        "error" if leaks else "warning",
        f"{one.name} ({one.role}) and {other.name} ({other.role}) are the same field"
        + (f", and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""),
        {
            "pairs": len(pairs),
            "leaks": len(leaks),
            "correlation": _likeness(one, other),
            "micrograph": one.name,
            "twin": other.name,
        },
        "a file was copied under another name, or frames of one movie were exported twice",
        "Leave one of them out: a micrograph that was learned from says nothing when it judges.",
        "doi:10.1016/j.patter.2023.100804",
    )


def _likeness(one: Look, other: Look) -> float:
    if one.digest and one.digest == other.digest:
        return 1.0
    return float((one.thumbnail * other.thumbnail).sum())


def _leaks(one: Look, other: Look, *, has_validation: bool) -> bool:
    """Where nothing is named for validation, some of the labelled ones are held out: a copy of one may stay in."""
    roles = {one.role, other.role}
    return (len(roles) == 2 and bool({"validation", "test"} & roles)) or (roles == {"train"} and not has_validation)
