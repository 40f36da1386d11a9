"""What a doctor found: a symptom, its evidence, its likely cause, and what would mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from cryoglean.errors import RunError

Severity = Literal["error", "warning", "note"]
"""`error`: the result can't be trusted; `warning`: it is worse than it could be; `note`: good to know."""

SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Number = float | int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """See the module.

    Args:
        severity: see `Severity`.
        symptom: what is wrong, in a sentence.
        evidence: what was measured, by name, with the unit in the name.
        cause: what it most likely comes from, in a sentence.
        remedy: what to do about it, in a sentence.
        source: paper (doi or arXiv), or page of the documentation, that the check is from.
        patch: settings that would mend it, by full name such as `learn.steps`.
        options: options of the command line that would mend it, such as `--diameter-angstrom`.
        labels: how labels must be moved to lie on particles, see `cryoglean.doctor.moves`; empty: not at all.
        check: the card that found it; filled in by the doctor.
    """

    severity: Severity
    symptom: str
    evidence: Mapping[str, Number]
    cause: str
    remedy: str
    source: str
    patch: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    labels: str = ""
    check: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it; numbers rounded to four digits."""
        return {
            "check": self.check,
            "severity": self.severity,
            "symptom": self.symptom,
            "evidence": {name: _short(value) for name, value in self.evidence.items()},
            "cause": self.cause,
            "remedy": self.remedy,
            "source": self.source,
            "patch": dict(self.patch),
            "options": dict(self.options),
            "labels": self.labels,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Finding:
        """What `to_json` made.

        Raises:
            RunError: something is missing or unknown in it.
        """
        try:
            return cls(**content)
        except TypeError as error:
            raise RunError(f"it is no finding ({error})", where="findings.json", fix="Ask the doctor again.") from error


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """In order of severity, then as they were found."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))


def _short(value: Number) -> Number:
    return float(f"{value:.4g}") if isinstance(value, float) else value
