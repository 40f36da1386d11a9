"""How far long work has come, on standard error: a bar for people, a line now and then for log files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cryoglean.health import LONGEST_STEP

_SECONDS_BETWEEN_LINES = 15.0


class Counter:
    """Counts finished pieces of work.

    Args:
        title: what is being done.
        total: how many pieces there are.
        progress: the bar; None prints lines instead.
        console: where lines go; None says nothing.
    """

    def __init__(self, title: str, total: int, progress: Progress | None, console: Console | None) -> None:
        self._title, self._total, self._progress, self._console = title, total, progress, console
        self._count = 0
        self._said_at = time.monotonic()
        self._task: TaskID | None = progress.add_task(title, total=total, note="") if progress else None

    def advance(self, note: str = "", count: int | None = None) -> None:
        """One piece more is done, or `count` in all."""
        self._count = self._count + 1 if count is None else count
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._count, note=note)
        elif self._console is not None:
            is_due = time.monotonic() - self._said_at > _SECONDS_BETWEEN_LINES
            if is_due or self._count == self._total:
                self._console.print(f"{self._title}: {self._count} of {self._total} {note}", highlight=False)
                self._said_at = time.monotonic()


@contextlib.contextmanager
def counting(*, quiet: bool, console: Console | None = None) -> Iterator[Callable[[str, int], Counter]]:
    """Inside, (title, total) makes a `Counter`.

    Args:
        quiet: nothing is shown.
        console: where to show it; by default standard error.
    """
    console = console or Console(stderr=True)
    if quiet:
        yield lambda title, total: Counter(title, total, None, None)
    elif not console.is_terminal:
        yield lambda title, total: Counter(title, total, None, console)
    else:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as progress:
            yield lambda title, total: Counter(title, total, progress, None)


@contextlib.contextmanager
def watching_training(*, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Inside, a callable that takes training events and shows them."""
    console = Console(stderr=True, quiet=quiet)
    with counting(quiet=quiet, console=console) as make_counter:
        counters: dict[str, Counter] = {}
        note = {"text": ""}

        def tell(event: dict[str, Any]) -> None:
            phase = str(event.get("phase", ""))
            if event["event"] == "phase":
                note["text"] = ""
                counters[phase] = make_counter(f"train {phase}", event["steps"])
            elif event["event"] == "validation":
                note["text"] = f"validation AP {event['average_precision']:.3f}"
            elif event["event"] == "step" and phase in counters:
                counters[phase].advance(note["text"] or f"loss {event['loss']:.3f}", event["step"])
            elif event["event"] == "monitor":
                note["text"] = _in_numbers(event, note["text"])
            elif said := _in_words(event, has_folds=any(name.startswith("fold-") for name in counters)):
                console.print(said, markup=False, highlight=False, soft_wrap=True)

        yield tell


def _in_numbers(event: dict[str, Any], before: str) -> str:
    """The note of a bar after a look into a step: validation, then how long steps are and what unlabelled crops do."""
    kept = before.split("; ")[0] if before.startswith("validation") else ""
    ratio = float(event["update_ratio"])
    parts = [kept, f"update {ratio:.0e}{' (too long)' if ratio > LONGEST_STEP else ''}"]
    if "unlabelled_share" in event:
        parts.append(f"unlabelled pull {event['unlabelled_share']:.1f}")
    return "; ".join(filter(None, parts))


def _in_words(event: dict[str, Any], *, has_folds: bool) -> str:
    """A line for an event that comes once; empty for others."""
    from cryoglean.logbook import say_failure
    from cryoglean.report.wording import round_outcome, say_expected, some_of

    if event["event"] == "logger_failed":
        return say_failure(event)
    if event["event"] == "finding":
        return f"{event['severity']}: {event['symptom']}. {event['remedy']}"
    if event["event"] == "rolled_back":
        return (
            f"warning: validation fell from {event['best']:.3f} to {event['average_precision']:.3f}; "
            f"going on from step {event['to_step']}, unlabelled crops weigh {event['unlabelled_weight']:g} from now on"
        )
    if event["event"] == "round":
        return round_outcome(event, "by cross-validation" if has_folds else "on validation")
    if event["event"] == "prior":
        return say_expected(event)
    if event["event"] != "unlabelled":
        return ""
    skipped = f"; can't be used: {some_of(list(event['skipped']))}" if event["skipped"] else ""
    return f"unlabelled micrographs used: {event['used']:,} of {event['given']:,}{skipped}"
