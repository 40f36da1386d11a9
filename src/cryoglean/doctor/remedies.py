"""Strategies that a finding may propose: never one that labels of this kind can't be learned with, never none."""

from __future__ import annotations

from typing import Any

from cryoglean.doctor.evidence import Evidence


def take_recommended(evidence: Evidence) -> dict[str, Any]:
    """The recommended strategy, with sparse labels the PU risk alone; where it is taken already, half the weight.

    Args:
        evidence: of the training that went wrong.
    """
    wanted = "nnpu" if evidence.settings.labels.kind == "sparse" else "recommended"
    if evidence.strategy == wanted and not evidence.settings.options:
        return {"unlabelled.weight": evidence.settings.unlabelled.weight / 2}
    return {"strategy": wanted, "options": {}}


def leave_unlabelled_out(evidence: Evidence) -> dict[str, Any]:
    """Labels alone: supervised, or with sparse labels the PU risk, which needs no teacher.

    Args:
        evidence: of the training that went wrong.
    """
    return {"strategy": "nnpu" if evidence.settings.labels.kind == "sparse" else "supervised", "options": {}}
