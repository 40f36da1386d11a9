"""One attempt at a task, in whichever process: what it returned, or what it raised, and how long it took."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoglean.engine.tasks import Outcome, State
from cryoglean.errors import CryogleanError

RETRIES = 2
"""How often a task is started again after an error that is not ours, or after its worker was lost."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt gave; see `Outcome`."""

    state: State
    value: Any
    error: str
    wall_seconds: float
    worker: str = ""

    def as_outcome(self, key: str, attempts: int) -> Outcome:
        """The outcome of a task that this attempt ended."""
        return Outcome(key, self.state, self.value, self.error, self.worker, attempts, self.wall_seconds)


def attempt(function: Callable[[Any], Any], payload: Any) -> Attempt:
    """Call a function and keep what it raises as text: any error can cross to another process so."""
    started = time.monotonic()
    try:
        value = function(payload)
    except CryogleanError as error:
        return Attempt("refused", None, str(error), time.monotonic() - started)
    except Exception as error:  # noqa: BLE001 (whatever it is, the other tasks must go on)
        return Attempt("failed", None, _in_one_line(error), time.monotonic() - started)
    return Attempt("done", value, "", time.monotonic() - started)


def _in_one_line(error: Exception) -> str:
    """The error, and the line of code that raised it."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text
