"""Run tasks wherever they are to be run, and give each outcome as it comes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from cryoglean.engine.attempt import RETRIES, attempt
from cryoglean.engine.tasks import EngineChoice, Outcome, Task, Tell
from cryoglean.engine.waiting import Waiting


def run_tasks(
    tasks: Iterable[Task], function: Callable[[Any], Any], choice: EngineChoice, tell: Tell | None = None
) -> Generator[Outcome, None, None]:
    """Run every task and give its outcome as soon as it has ended.

    Tasks are read from the stream only when a worker is free, so that there may be very many. Leaving the iteration, by
    an error, by Ctrl-C or by closing the generator, ends the workers.

    Args:
        tasks: each with another key.
        function: is given a task's payload; picklable, as is what it returns. Workers are other processes, whose
            `CRYOGLEAN_THREADS` and `OMP_NUM_THREADS` are 1; it is not called in their main thread.
        choice: where.
        tell: is told of lost workers and of waiting for a cluster.

    Raises:
        SettingsError: two tasks have the same key, the choice can't be meant, or a package for it is missing.
        WorkersError: no worker could be started, or all were lost.
    """
    choice.check()
    if choice.is_this_process:
        return _run_here(Waiting(tasks), function)
    from cryoglean.engine.spread import spread

    return spread(Waiting(tasks), function, choice, tell)


def _run_here(waiting: Waiting, function: Callable[[Any], Any]) -> Generator[Outcome, None, None]:
    while (task := waiting.take()) is not None:
        yield from waiting.skipped()
        number, ended = 1, attempt(function, task.payload)
        while ended.state == "failed" and number <= RETRIES:
            number, ended = number + 1, attempt(function, task.payload)
        waiting.settle(task.key, is_done=ended.state == "done")
        yield ended.as_outcome(task.key, number)
    waiting.skip_the_rest()
    yield from waiting.skipped()
