"""What loggers are told of a training: numbers by name, at a step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cryoglean.settings import Settings

_OF_A_PHASE = {"step": "", "validation": "/validation", "monitor": "/monitor", "rolled_back": "/rolled_back"}
_NO_NUMBERS = {"event", "phase", "step", "round", "particles"}
"""What a name or place says already; `particles` has an entry for every micrograph."""


class Row(NamedTuple):
    """Numbers of one moment.

    Args:
        step: of the phase, or the number of the round; each number has steps of its own, which only rise.
        seconds: since 1970, when it was told.
        values: by name; `/` divides its parts.
    """

    step: int
    seconds: float
    values: Mapping[str, float]


def numbers_of_event(event: Mapping[str, Any]) -> tuple[int, dict[str, float]]:
    """The step of an event and its numbers, such as `final/loss`, `final/validation/best_f1`, `round/recall`.

    Args:
        event: as in `events.jsonl`; yes and no count 1 and 0; of kinds that tell no series, nothing is taken.
    """
    kind = event.get("event")
    if kind in _OF_A_PHASE:
        return int(event["step"]), _numbers(event, f"{event['phase']}{_OF_A_PHASE[kind]}")
    if kind == "round":
        return int(event["round"]), _numbers(event, "round")
    return 0, _numbers(event, "gate") if kind == "gate" else {}


def numbers_of_summary(summary: Mapping[str, Any]) -> dict[str, float]:
    """What a training came to, such as `summary/validation/f1`.

    Args:
        summary: as in `summary.json`.
    """
    return _numbers(summary, "summary")


def parameters_of(settings: Settings) -> dict[str, bool | int | float | str]:
    """All settings by their dotted names; lists, and what is not set, as JSON."""
    return dict(_dotted(settings.model_dump(mode="json")))


def _numbers(content: Mapping[str, Any], start: str, depth: int = 2) -> dict[str, float]:
    """The numbers in it and in the mappings in it; no deeper, where there is one for every micrograph."""
    found: dict[str, float] = {}
    for name, value in content.items():
        if name in _NO_NUMBERS:
            continue
        full = f"{start}/{re.sub(r'[^A-Za-z0-9_. -]', '_', name)}"
        if isinstance(value, bool | int | float):
            found[full] = float(value)
        elif isinstance(value, Mapping) and depth > 1:
            found |= _numbers(value, full, depth - 1)
    return found


def _dotted(content: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value if isinstance(value, bool | int | float | str) else json.dumps(value)
