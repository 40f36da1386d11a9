"""What is run, what came of it, and where it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from cryoglean.errors import SettingsError

Tell = Callable[[str], None]
"""Is told a sentence now and then: a worker was lost, a cluster has no worker yet."""

State = Literal["done", "refused", "failed", "lost", "skipped"]

SLURM = "slurm"


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work.

    Args:
        key: its name, another one for each task.
        payload: what the function is given; small, and picklable.
        after: keys of the tasks that must be done before.
        may_be_doubled: whether a second copy may start on an idle worker when this one takes unusually long; the
            function must then bear two copies of itself at once.
    """

    key: str
    payload: Any
    after: tuple[str, ...] = ()
    may_be_doubled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task.

    Args:
        key: of the task.
        state: `done`; `refused`: it raised a `CryogleanError`, which no repetition would mend; `failed`: it raised
            something else each time; `lost`: its worker died each time; `skipped`: one that it waited for is not done.
        value: what the function returned; None unless done.
        error: why it is not done, in one line; empty if it is.
        worker: the address of the worker that ended it; empty where there was none.
        attempts: how often it was started.
        wall_seconds: how long the last attempt took.
    """

    key: str
    state: State
    value: Any = None
    error: str = ""
    worker: str = ""
    attempts: int = 0
    wall_seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the function returned."""
        return self.state == "done"


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Where tasks are run.

    Args:
        workers: how many processes, or jobs of a cluster, 1 or more; a running scheduler has its own number.
        cluster: None is this machine; `slurm`, or `slurm:FILE` with the settings of a job in YAML; the address
            `tcp://HOST:PORT` of a running dask scheduler, or its scheduler file.
    """

    workers: int = 1
    cluster: str | None = None

    def check(self) -> EngineChoice:
        """Itself, if it can be meant.

        Raises:
            SettingsError: the number of workers is not above 0.
        """
        if self.workers < 1:
            raise SettingsError(f"it is {self.workers}", where="--workers", fix="Give 1 or more.")
        return self

    @property
    def is_this_process(self) -> bool:
        """Whether no other process is needed."""
        return self.workers == 1 and self.cluster is None

    @property
    def is_slurm(self) -> bool:
        """Whether workers are SLURM's jobs."""
        return self.cluster is not None and self.cluster.split(":", 1)[0] == SLURM
