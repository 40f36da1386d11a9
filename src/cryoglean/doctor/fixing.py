"""From findings to settings that would mend them, with a comment at each line that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryoglean.doctor.examine import GROUPS
from cryoglean.finding import Finding
from cryoglean.registry import load_card
from cryoglean.settings import Settings, resolve_settings


def mend_settings(settings: Settings, findings: Sequence[Finding]) -> tuple[Settings, dict[str, str]]:
    """The settings with all patches; where two want the same setting, the worse finding has it.

    What went wrong first is mended first: where an error about data, labels or training proposes something, findings
    about pseudo-labels and the outcome are taken for its consequences, and their patches wait for the next training.

    Args:
        settings: of the run, or those that a training would have.
        findings: the worst first; notes change nothing.

    Returns:
        Settings, and for each changed setting by full name why.

    Raises:
        SettingsError: a patch is none.
    """
    content = settings.model_dump(mode="json")
    reasons: dict[str, str] = {}
    claimed: set[str] = set()
    has_root = any(
        one.severity == "error"
        and not _is_consequence(one)
        and any(_read(content, name) != value for name, value in one.patch.items())
        for one in findings
    )
    for finding in findings:
        if finding.severity == "note" or (has_root and _is_consequence(finding)):
            continue
        for name, value in finding.patch.items():
            if name not in claimed and _read(content, name) != value:
                reasons[name] = f"{finding.check}: {finding.symptom}"
                _write(content, name, value)
            claimed.add(name)
    return resolve_settings([content]), reasons


def _is_consequence(finding: Finding) -> bool:
    if not finding.check:
        return False
    return GROUPS.index(load_card("checks", finding.check).GROUP) > GROUPS.index("training")


def write_mended(settings: Settings, before: Settings, reasons: dict[str, str]) -> str:
    """Complete settings as YAML; each changed line says what it was and why it was changed.

    Args:
        settings: mended.
        before: as they were.
        reasons: by full name, see `mend_settings`.
    """
    old = before.model_dump(mode="json")
    part, lines = "", []
    for line in settings.to_yaml().splitlines():
        key = line.strip().partition(":")[0]
        if not line.startswith((" ", "-")):
            part = key
        name = f"{part}.{key}" if line.startswith("  ") else key
        if name in reasons:
            lines.append(f"{line}  # was {_say(_read(old, name))}; {' '.join(reasons[name].split())}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _say(value: object) -> str:
    return "empty" if value in (None, {}, []) else str(value)


def _read(content: dict[str, Any], name: str) -> Any:
    value: Any = content
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _write(content: dict[str, Any], name: str, value: Any) -> None:
    part, _, inner = name.rpartition(".")
    target = content[part] if part else content
    target[inner] = value
