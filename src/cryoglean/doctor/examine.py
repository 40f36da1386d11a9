"""Ask all checks whose evidence is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cryoglean.doctor.evidence import Evidence
from cryoglean.finding import Finding, worst_first
from cryoglean.registry import card_names, load_card

GROUPS = ("data", "labels", "training", "pseudo-labels", "outcome")
"""What a check is about, in the order in which things go wrong."""


def examine(evidence: Evidence, names: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """What the checks find, the worst first.

    Args:
        evidence: checks that need a part which is not there are not asked.
        names: of the checks to ask; by default all.
    """
    chosen = card_names("checks") if names is None else tuple(names)
    cards = sorted(chosen, key=lambda name: (GROUPS.index(load_card("checks", name).GROUP), name))
    found: list[Finding] = []
    for name in cards:
        card = load_card("checks", name)
        if all(evidence.has(part) for part in card.NEEDS):
            finding = card.check(evidence)
            if finding is not None:
                found.append(replace(finding, check=name))
    return worst_first(found)


def live_checks() -> tuple[str, ...]:
    """The checks that need nothing but what a training tells while it runs."""
    return tuple(name for name in card_names("checks") if set(load_card("checks", name).NEEDS) <= {"events"})
