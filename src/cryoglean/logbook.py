"""The logbook: loggers follow the events of a training, and have no say in it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypedDict

from cryoglean.durable import append_json_line
from cryoglean.environment import is_first
from cryoglean.errors import SettingsError
from cryoglean.registry import load_card
from cryoglean.run import Run
from cryoglean.series import Row, numbers_of_event, numbers_of_summary, parameters_of
from cryoglean.settings import read_settings

_SECONDS_BETWEEN_WRITES = 5.0

Tell = Callable[[dict[str, Any]], None]


class Log(Protocol):
    """What `open_log` of a card gives.

    Args:
        identity: finds it again, for a training that is resumed.
        last_steps: by name, of what it holds already.
    """

    identity: str
    last_steps: dict[str, int]

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""

    def close(self, status: str) -> None:
        """Nothing more comes; `status` is FINISHED, FAILED or KILLED."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a training is logged.

    Args:
        logger: the card.
        place: a folder or an address; absolute, for workers.
        name: of the run there; `/` divides its parts.
    """

    logger: str
    place: str
    name: str

    def within(self, part: str) -> Destination:
        """The same for a part of it, such as a cell of an experiment."""
        return replace(self, name=f"{self.name}/{part}")


class Wishes(TypedDict, total=False):
    """`log`: loggers, each with a place after a colon or without, such as `("tensorboard", "mlflow:http://host:5000")`."""

    log: Sequence[str]


def choose_logs(folder: Path, log: Sequence[str] = ()) -> tuple[Destination, ...]:
    """Where to log, after it was looked whether that is possible; of processes that train together, the first logs.

    Args:
        folder: of the run, or of the experiment.
        log: see `Wishes`.

    Raises:
        SettingsError: there is no such logger, its package is missing, or nothing can be logged to its place.
    """
    chosen: dict[str, Destination] = {}
    for wish in log if is_first() else ():
        logger, _, text = wish.partition(":")
        where = f"--log {logger}"
        if logger in chosen:
            raise SettingsError("it is given twice", where=where, fix="Give it once.")
        try:
            place, name = load_card("loggers", logger).choose_place(text, folder.resolve())
        except ImportError as error:
            raise SettingsError(
                f"a package is missing ({error})", where=where, fix=f"Install it: pip install 'cryoglean[{logger}]'."
            ) from error
        chosen[logger] = Destination(logger, place, name)
    return tuple(chosen.values())


@contextlib.contextmanager
def logged(
    run: Run, logs: Sequence[Destination], tell: Tell | None = None, facts: Mapping[str, Any] | None = None
) -> Iterator[Logbook]:
    """Inside, a listener for a training, which passes events on and logs them.

    Logs are what `events.jsonl` says: they are opened when the first phase begins, made complete from that file, and
    each number is written once, whatever was killed. Training a finished run again makes a log that lacks something
    complete, and leaves the others as they are.

    Args:
        run: that is trained.
        logs: where; may be none.
        tell: is told all events, and `logger_failed` once for each logger that can't go on.
        facts: that are no settings, to be shown beside them.
    """
    book = Logbook(run, [_Page(run, log, facts or {}) for log in logs], tell)
    try:
        yield book
    except BaseException as error:
        book.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    book.finish()


class _Page:
    """One logger of a run."""

    def __init__(self, run: Run, at: Destination, facts: Mapping[str, Any]) -> None:
        self.logger = at.logger
        self._run, self._at, self._facts = run, at, facts
        self._log: Log | None = None
        self._last: dict[str, int] = {}
        self._rows: list[Row] = []
        self._written = 0.0

    @property
    def is_open(self) -> bool:
        return self._log is not None

    @property
    def is_complete(self) -> bool:
        return bool(self._kept().get("complete"))

    def open(self) -> None:
        parameters = {**parameters_of(read_settings(self._run.settings_file)), **self._facts}
        identity, card = str(self._kept().get("identity", "")), load_card("loggers", self.logger)
        log: Log = card.open_log(self._at.place, self._at.name, identity, parameters)
        self._log, self._last = log, dict(log.last_steps)
        self._keep(log, is_complete=False)
        for event in self._run.events():
            self.add(*numbers_of_event(event))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Those that are not there yet."""
        fresh = {name: value for name, value in values.items() if step > self._last.get(name, -1)}
        if fresh:
            self._last.update(dict.fromkeys(fresh, step))
            self._rows.append(Row(step, time.time(), fresh))
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self._write()

    def close(self, status: str) -> None:
        self._write()
        if self._log is not None:
            self._log.close(status)
            self._keep(self._log, is_complete=status == "FINISHED")

    def _write(self) -> None:
        if self._log is not None and self._rows:
            self._log.write(self._rows)
        self._rows, self._written = [], time.monotonic()

    def _kept(self) -> dict[str, Any]:
        """What `log.json` says of this logger at this place."""
        kept: dict[str, Any] = self._read().get(self.logger, {})
        return kept if (kept.get("place"), kept.get("name")) == (self._at.place, self._at.name) else {}

    def _keep(self, log: Log, *, is_complete: bool) -> None:
        at = {"place": self._at.place, "name": self._at.name, "identity": log.identity, "complete": is_complete}
        self._run.write_json(self._run.log_file, {**self._read(), self.logger: at})

    def _read(self) -> dict[str, Any]:
        return dict(self._run.read_json(self._run.log_file)) if self._run.log_file.exists() else {}


class Logbook:
    """The listener that `logged` gives; what goes wrong with a logger is told, and ends only that logger.

    Args:
        run: that is trained.
        pages: a logger each.
        tell: is told all events.
    """

    def __init__(self, run: Run, pages: Sequence[_Page], tell: Tell | None) -> None:
        self._run, self._pages, self._tell = run, list(pages), tell
        self._scores: dict[str, float] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        """Pass an event on, and log it."""
        if self._tell is not None:
            self._tell(event)
        step, values = numbers_of_event(event)
        for page in list(self._pages):
            if page.is_open:
                self._try(page, lambda page=page: page.add(step, values))  # type: ignore[misc]
            elif event.get("event") == "phase":  # what is wrong with the data was found before; the file has it all
                self._try(page, page.open)

    def add_scores(self, scores: Mapping[str, Any], name: str) -> None:
        """Log these, too, at the end: `name/f1` and the like."""
        self._scores |= {f"{name}/{key}": float(value) for key, value in scores.items() if value is not None}

    def finish(self) -> None:
        """Make what is not complete complete, and close it."""
        for page in list(self._pages):

            def end(page: _Page = page) -> None:
                if not page.is_complete:
                    if not page.is_open:
                        page.open()
                    page.add(0, {**numbers_of_summary(self._run.summary()), **self._scores})
                    page.close("FINISHED")

            self._try(page, end)

    def close(self, status: str) -> None:
        """Close what is open."""
        for page in [page for page in self._pages if page.is_open]:
            self._try(page, lambda page=page: page.close(status))  # type: ignore[misc]

    def _try(self, page: _Page, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 (whatever it is, the training must go on)
            self._pages.remove(page)
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self._say({"event": "logger_failed", "logger": page.logger, "reason": reason})

    def _say(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the disk may be what is full
            append_json_line(self._run.events_file, event)
        if self._tell is not None:
            self._tell(event)
        else:
            logging.getLogger(__name__).warning(say_failure(event))


def say_failure(event: Mapping[str, Any]) -> str:
    """A `logger_failed` event as a sentence."""
    return f"warning: nothing more is logged to {event['logger']}, but the training goes on ({event['reason']})"
