"""Spread tasks over workers: never more than they can begin, again where one was lost, twice where one lags."""

from __future__ import annotations

import itertools
import pickle
import queue
import statistics
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryoglean.engine.attempt import RETRIES, Attempt, attempt
from cryoglean.engine.tasks import EngineChoice, Outcome, Task, Tell
from cryoglean.engine.waiting import Waiting
from cryoglean.engine.workers import Workers, open_workers
from cryoglean.errors import WorkersError

if TYPE_CHECKING:
    from distributed import Future

LAGS_AFTER_MEDIANS = 3.0
LAGS_AFTER_SECONDS = 10.0

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_RENEWALS = 30.0
_SECONDS_FOR_A_RESULT = 20.0


def spread(
    waiting: Waiting, function: Callable[[Any], Any], choice: EngineChoice, tell: Tell | None
) -> Generator[Outcome, None, None]:
    """See `run_tasks`."""
    with open_workers(choice) as workers:
        yield from _Spreading(waiting, function, workers, tell or (lambda _: None)).outcomes()


@dataclass(eq=False, slots=True)
class _Flight:
    """A task under way: its copies (more than one if it lags), and what was tried before."""

    task: Task
    attempts: int = 0
    copies: dict[Future, float] = field(default_factory=dict)
    avoid: str = ""

    @property
    def begun(self) -> float:
        return min(self.copies.values())


class _Spreading:
    def __init__(self, waiting: Waiting, function: Callable[[Any], Any], workers: Workers, tell: Tell) -> None:
        self._waiting, self._function, self._workers, self._tell = waiting, function, workers, tell
        self._flights: dict[Future, _Flight] = {}
        self._again: deque[_Flight] = deque()
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._seconds: list[float] = []
        self._names = (f"cryoglean-{uuid.uuid4().hex[:12]}-{number}" for number in itertools.count())
        self._addresses: list[str] = []
        self._heard = 0
        self._looked_at = self._seen_at = self._renewed_at = time.monotonic()
        self._look()

    def outcomes(self) -> Generator[Outcome, None, None]:
        while True:
            self._fill()
            yield from self._waiting.skipped()
            if not self._flights and not self._again and not self._waiting.can_start():
                break
            try:
                future = self._ended.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                self._look()
                self._double()
                continue
            outcome = self._settle(future)
            if outcome is not None:
                self._waiting.settle(outcome.key, is_done=outcome.is_done)
                yield outcome
            if time.monotonic() - self._looked_at > _SECONDS_BETWEEN_LOOKS:
                self._look()
        self._waiting.skip_the_rest()
        yield from self._waiting.skipped()

    def _fill(self) -> None:
        """Begin as many tasks as there are idle workers: none waits behind another, or dies with its worker."""
        while len(self._flights) < len(self._addresses):
            flight = self._again.popleft() if self._again else None
            if flight is None:
                task = self._waiting.take()
                if task is None:
                    return
                flight = _Flight(task)
            self._submit(flight)

    def _submit(self, flight: _Flight) -> None:
        """Hand a copy to the scheduler; where an earlier one failed, it goes to an idle worker other than that."""
        import cloudpickle

        preferred = []
        if flight.avoid:
            busy = {address for address, keys in self._workers.client.processing().items() if keys}
            preferred = [address for address in self._addresses if address not in busy | {flight.avoid}]
        has_choice = bool(preferred)
        future = self._workers.client.submit(
            _attempt_on_worker, cloudpickle.dumps((self._function, flight.task.payload)), key=next(self._names),
            pure=False, workers=preferred if has_choice else None, allow_other_workers=has_choice,
        )  # fmt: skip
        flight.attempts += 1
        flight.copies[future] = time.monotonic()
        self._flights[future] = flight
        future.add_done_callback(self._ended.put)

    def _settle(self, future: Future) -> Outcome | None:
        """What a copy's end means for its task; None if the task goes on."""
        flight = self._flights.pop(future, None)
        if flight is None:  # the slower copy of a task that has ended
            return None
        begun = flight.copies.pop(future)
        ended, deaths = _result_of(future, time.monotonic() - begun)
        flight.attempts += deaths
        key = flight.task.key
        if ended.state in ("lost", "failed"):
            if flight.copies:
                return None
            if flight.attempts <= RETRIES:
                self._tell(f"{key} is started again: {ended.error}")
                flight.avoid = ended.worker
                self._again.append(flight)
                self._look()
                return None
        for other in flight.copies:
            self._flights.pop(other, None)
            other.cancel()
        if ended.state == "done":
            self._seconds.append(ended.wall_seconds)
        return ended.as_outcome(key, flight.attempts)

    def _look(self) -> None:
        """See which workers there are; ask for new ones where they are gone.

        Raises:
            WorkersError: the scheduler is gone, or all workers have been for too long.
        """
        now = self._looked_at = time.monotonic()
        try:
            threads = self._workers.client.nthreads()
        except (OSError, TimeoutError) as error:  # what distributed raises when nobody answers
            raise WorkersError("the connection to the scheduler is lost", fix="Give the same command again.") from error
        self._addresses = [address for address, count in threads.items() for _ in range(count)]
        self._hear_refusals()
        if self._addresses:
            self._seen_at = now
        elif now - self._seen_at > self._workers.patience_seconds:
            raise WorkersError(
                f"there has been no worker for {now - self._seen_at:.0f} seconds",
                fix="See why they end (memory, time limit), then give the same command again.",
            )
        if now - self._renewed_at > _SECONDS_BETWEEN_RENEWALS:
            self._renewed_at = now
            if not self._addresses:
                self._tell(f"no worker has been there for {now - self._seen_at:.0f} seconds; waiting")
            if self._workers.renew is not None:
                self._workers.renew()

    def _hear_refusals(self) -> None:
        refusals = self._workers.refusals
        if len(refusals) >= self._workers.wanted and not self._addresses:
            raise WorkersError(f"there is no worker, and none is given: {refusals[-1]}")
        if len(refusals) > self._heard:
            self._heard = len(refusals)
            self._tell(f"{self._heard} of {self._workers.wanted} workers were refused: {refusals[-1]}")

    def _double(self) -> None:
        """Start a second copy of tasks that lag, once nothing else is left to start."""
        idle = len(self._addresses) - len(self._flights)
        if idle < 1 or self._again or not self._seconds or self._waiting.can_start():
            return
        patience = max(LAGS_AFTER_MEDIANS * statistics.median(self._seconds), LAGS_AFTER_SECONDS)
        lagging = [
            flight
            for flight in self._flights.values()
            if flight.task.may_be_doubled and len(flight.copies) == 1 and time.monotonic() - flight.begun > patience
        ]
        for flight in lagging[:idle]:
            self._tell(f"{flight.task.key} takes unusually long; a second copy is started")
            flight.avoid = "the worker that lags"
            self._submit(flight)


def _result_of(future: Future, seconds: float) -> tuple[Attempt, int]:
    """What a future holds, and how many workers died of it beyond this attempt's one."""
    from distributed import KilledWorker

    if future.status not in ("finished", "error"):
        return Attempt("lost", None, "the connection to its worker was lost.", seconds), 0
    try:
        # A worker that dies before its result is fetched takes that along: the scheduler then has another one run the
        # task again, for which this call waits, and blames the task if that one dies, too.
        ended: Attempt = future.result(timeout=_SECONDS_FOR_A_RESULT)
    except KilledWorker as error:
        return Attempt("lost", None, "its worker was lost (killed, or out of memory).", seconds), error.allowed_failures
    except (TimeoutError, CancelledError, OSError):
        future.cancel()
        return Attempt("lost", None, "its worker was lost before it could say what it had found.", seconds), 0
    except Exception as error:  # noqa: BLE001 (whatever went wrong around a task, the others must go on)
        return Attempt("failed", None, " ".join(f"{type(error).__name__}: {error}".split()), seconds), 0
    return ended, 0


def _attempt_on_worker(call: bytes) -> Attempt:
    """Run a pickled call: the scheduler unpickles what it is given, and need not import what the task does."""
    from distributed import get_worker

    return replace(attempt(_unpickle_and_call, call), worker=get_worker().address)


def _unpickle_and_call(call: bytes) -> Any:
    function, payload = pickle.loads(call)
    return function(payload)
