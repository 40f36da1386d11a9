"""The one tree of errors: every message says what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class CryogleanError(Exception):
    """A mistake that a user can mend.

    Args:
        what: what is wrong, in one sentence without a final full stop; what a broken file made too long is cut.
        where: the file, option or setting at fault; empty if there is none.
        fix: what to do about it, in one sentence; empty if there is nothing to advise.

    Example:
        >>> str(CryogleanError("no particle in it", where="picks.csv", fix="Check the file."))
        'picks.csv: no particle in it. Check the file.'
    """

    def __init__(self, what: str, *, where: object = "", fix: str = "") -> None:
        self.what = _shortened(what.strip().rstrip("."))
        self.where = str(where)
        self.fix = fix.strip()
        super().__init__(what)

    def __str__(self) -> str:
        """The whole message on one line."""
        end = "" if self.what.endswith("?") else "."
        text = f"{self.where}: {self.what}{end}" if self.where else f"{self.what}{end}"
        if self.fix:
            text = f"{text} {self.fix}"
        return " ".join(text.split())

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments, so that errors cross process borders."""
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _shortened(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[: most - 100]} … {text[-97:]}"


def _rebuild(kind: type[CryogleanError], what: str, where: str, fix: str) -> CryogleanError:
    return kind(what, where=where, fix=fix)


class MicrographError(CryogleanError):
    """A micrograph file that can't be used."""


class PicksError(CryogleanError):
    """A picks file, or a table of picks, that can't be used."""


class SettingsError(CryogleanError):
    """Settings, options or presets that can't be used."""


class RunError(CryogleanError):
    """A run folder that is missing something, broken, or of another kind."""


class LabelsError(CryogleanError):
    """Labels that can't be learned from: none match, too few, contrast unclear."""


class FetchError(CryogleanError):
    """Public data that can't be fetched: no connection, no such file, no room, a broken archive."""


class WorkersError(CryogleanError):
    """Worker processes or a cluster that can't be used, or were lost."""


def did_you_mean(wrong: str, known: Sequence[str], likeness: float = 0.6) -> str:
    """A sentence that proposes the nearest known names, or all of them when none is near.

    Args:
        wrong: what was said.
        known: what there is.
        likeness: how near a name must be, from 0 (anything) to 1 (the same).
    """
    near = difflib.get_close_matches(wrong, known, n=3, cutoff=likeness)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known are: {', '.join(known)}."
