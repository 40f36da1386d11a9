"""The tasks that are not started yet: taken from a stream only as needed, and held back until others are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from cryoglean.engine.tasks import Outcome, Task
from cryoglean.errors import SettingsError


class Waiting:
    """Hands out tasks that can be started.

    Args:
        tasks: in the order in which they should start; read no further than needed.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._is_read = False
        self._ready: deque[Task] = deque()
        self._held: dict[str, tuple[Task, set[str]]] = {}
        self._followers: dict[str, list[str]] = {}
        self._done: dict[str, bool] = {}
        self._seen: set[str] = set()
        self._skipped: deque[Outcome] = deque()

    def take(self) -> Task | None:
        """The next task that can start now; None if there is none, or none yet.

        Raises:
            SettingsError: two tasks have the same key.
        """
        return self._ready.popleft() if self.can_start() else None

    def can_start(self) -> bool:
        """Whether a task can start now; reads the stream up to the first that can.

        Raises:
            SettingsError: two tasks have the same key.
        """
        while not self._ready and not self._is_read:
            task = next(self._tasks, None)
            if task is None:
                self._is_read = True
            else:
                self._add(task)
        return bool(self._ready)

    def settle(self, key: str, *, is_done: bool) -> None:
        """A task has ended: free those that waited for it, or skip them."""
        endings = [(key, is_done)]
        while endings:
            ended, was_done = endings.pop()
            self._done[ended] = was_done
            for follower in self._followers.pop(ended, []):
                if follower not in self._held:
                    continue
                missing = self._held[follower][1]
                missing.discard(ended)
                if not was_done:
                    self._skip(self._held.pop(follower)[0], f"it waits for {ended}, which is not done")
                    endings.append((follower, False))
                elif not missing:
                    self._ready.append(self._held.pop(follower)[0])

    def skipped(self) -> Iterator[Outcome]:
        """Each task that will not be run, once."""
        while self._skipped:
            yield self._skipped.popleft()

    def skip_the_rest(self) -> None:
        """Nothing runs and nothing can start: what is still held waits for tasks that don't exist, or in a circle."""
        for task, missing in list(self._held.values()):
            unknown = sorted(missing - self._seen)
            reason = f"there is no task {unknown[0]}" if unknown else "these tasks wait for each other"
            self._skip(task, f"it waits for {', '.join(sorted(missing))}, and {reason}")
        self._held.clear()

    def _add(self, task: Task) -> None:
        if task.key in self._seen:
            raise SettingsError(f"two tasks have the key '{task.key}'")
        self._seen.add(task.key)
        not_done = next((key for key in task.after if self._done.get(key) is False), None)
        if not_done is not None:
            self._skip(task, f"it waits for {not_done}, which is not done")
            self.settle(task.key, is_done=False)
            return
        missing = {key for key in task.after if key not in self._done}
        if not missing:
            self._ready.append(task)
            return
        self._held[task.key] = (task, missing)
        for key in missing:
            self._followers.setdefault(key, []).append(task.key)

    def _skip(self, task: Task, reason: str) -> None:
        self._skipped.append(Outcome(task.key, "skipped", error=f"{task.key}: not run, because {reason}."))
