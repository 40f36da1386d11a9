"""Open workers: processes of this machine, jobs of SLURM, or those of a scheduler that is already running."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoglean.engine.slurm import check_jobqueue, read_job, slurm_cluster
from cryoglean.engine.tasks import SLURM, EngineChoice
from cryoglean.errors import SettingsError, WorkersError

if TYPE_CHECKING:
    from distributed import Client

ENVIRONMENT = {"CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1"}

_CONNECT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Workers:
    """Workers that can be given tasks.

    Args:
        client: the connection to their scheduler.
        patience_seconds: how long all of them may be gone before it is given up.
        renew: asks for as many as were wanted again; where nothing else does that.
        wanted: how many were asked for.
        refusals: why one did not come, in the words of whoever was asked; grows.
    """

    client: Client
    patience_seconds: float
    renew: Callable[[], object] | None = None
    wanted: int = 1
    refusals: list[str] = field(default_factory=list)


@contextlib.contextmanager
def open_workers(choice: EngineChoice) -> Iterator[Workers]:
    """Inside, there are workers, or will be; afterwards those that were started here are ended.

    Raises:
        SettingsError: a package is missing, or the settings of a job can't be used.
        WorkersError: the scheduler can't be reached, or no process could be started.
    """
    try:
        import distributed
    except ImportError as error:
        raise SettingsError(
            "the package 'distributed' is missing", where="--workers", fix="Install it: pip install distributed."
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # lost workers are told in our words
    if choice.is_slurm:
        job = read_job(choice.cluster or SLURM)
        check_jobqueue()
        refusals: list[str] = []
        with slurm_cluster(job, refusals) as cluster, distributed.Client(cluster) as client:
            cluster.scale(jobs=choice.workers)
            yield Workers(client, float("inf"), lambda: cluster.scale(jobs=choice.workers), choice.workers, refusals)
    elif choice.cluster is not None:
        with _connect(choice.cluster) as client:
            yield Workers(client, 600.0)
    else:
        with _start_processes(choice.workers) as cluster, distributed.Client(cluster) as client:
            yield Workers(client, 60.0)


def _start_processes(count: int) -> Any:
    """A scheduler in this process, and single-threaded worker processes, which are started again when they die."""
    from distributed import Nanny, Scheduler, SpecCluster

    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    devices = _gpus()
    specification = {
        number: {
            "cls": Nanny,
            "options": {
                **here, "nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL,
                "preload": ["cryoglean.engine.deaf"], "env": {**ENVIRONMENT, **_device_of(number, devices)},
            },
        }
        for number in range(count)
    }  # fmt: skip
    start = partial(
        SpecCluster, scheduler={"cls": Scheduler, "options": {**here, "port": 0, "allowed_failures": 0}},
        workers=specification, silence_logs=logging.CRITICAL,
    )  # fmt: skip
    with contextlib.suppress(OSError, RuntimeError, TimeoutError):  # one worker killed while it starts ends them all
        return start()
    try:
        return start()
    except (OSError, RuntimeError, TimeoutError) as error:
        raise WorkersError(
            f"the worker processes could not be started ({' '.join(str(error).split())[:200]})",
            fix='A script that uses workers must begin its work under `if __name__ == "__main__":`.',
        ) from error


def _connect(cluster: str) -> Client:
    from distributed import Client

    is_address = "://" in cluster
    if not is_address and not Path(cluster).is_file():
        raise SettingsError(
            f"'{cluster}' is neither slurm, nor an address such as tcp://host:8786, nor a scheduler file",
            where="--cluster",
        )
    try:
        if is_address:
            return Client(cluster, timeout=_CONNECT_SECONDS)
        return Client(scheduler_file=cluster, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, KeyError) as error:
        raise WorkersError(
            f"no scheduler answers there ({' '.join(str(error).split())[:120]})",
            where=cluster, fix="Check the address, and that `dask scheduler` of the same version runs there.",
        ) from error  # fmt: skip


def _device_of(number: int, devices: list[str]) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]} if devices else {}


def _gpus() -> list[str]:
    """The names of this machine's NVIDIA GPUs that may be used, found without torch."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [name.strip() for name in said.split(",") if name.strip()]
    folder = Path("/proc/driver/nvidia/gpus")
    count = len(list(folder.iterdir())) if folder.is_dir() else 0
    return [str(number) for number in range(count)]
