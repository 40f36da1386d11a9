"""Workers as jobs of SLURM, started through dask-jobqueue: the settings of a job, and the script made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cryoglean.engine.tasks import SLURM
from cryoglean.errors import SettingsError

_PROLOGUE = ("export CRYOGLEAN_THREADS=1", "export OMP_NUM_THREADS=1")
_REFUSED = "0"
"""The number of a job that SLURM did not take; it has none with this."""


class JobSettings(BaseModel):
    """What each job asks SLURM for; one job is one worker. What is None is left to the cluster or to dask's own files.

    Args:
        partition: queue; `sbatch -p`.
        account: who pays; `sbatch -A`.
        walltime: longest time of a job, as SLURM writes it; lost jobs are asked for again.
        cores: processors of a job.
        memory: of a job, such as `8GB`.
        gpus: GPUs of a job; `--gres=gpu:N`.
        directives: further lines after `#SBATCH`, such as `--exclude=node7`.
        prologue: shell lines before the worker starts, such as `module load cuda`.
        python: the interpreter on the nodes; None is the one in use here.
        interface: network interface that the nodes reach this machine by, such as `ib0`.
        log_folder: where SLURM writes what jobs print; None is where the command was started.
        scratch_folder: a fast folder of the node for dask's own files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: str | None = None
    account: str | None = None
    walltime: str = "04:00:00"
    cores: int = Field(1, ge=1)
    memory: str = "8GB"
    gpus: int = Field(0, ge=0)
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    log_folder: str | None = None
    scratch_folder: str | None = None

    def for_jobqueue(self) -> dict[str, Any]:
        """The same in dask-jobqueue's words."""
        gres = [f"--gres=gpu:{self.gpus}"] if self.gpus else []
        return {
            "queue": self.partition, "account": self.account, "walltime": self.walltime, "cores": 1,
            "job_cpu": self.cores, "memory": self.memory, "processes": 1, "job_name": "cryoglean",
            "job_extra_directives": [*gres, *self.directives], "job_script_prologue": [*self.prologue, *_PROLOGUE],
            "python": self.python, "interface": self.interface, "log_directory": self.log_folder,
            "local_directory": self.scratch_folder, "death_timeout": 300,
        }  # fmt: skip


def read_job(cluster: str) -> JobSettings:
    """The settings of a job.

    Args:
        cluster: `slurm`, which takes the defaults, or `slurm:FILE` with a YAML file.

    Raises:
        SettingsError: the file can't be read, or a setting is unknown or impossible.
    """
    _, _, name = cluster.partition(":")
    if not name:
        return JobSettings()
    try:
        content = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"it can't be read ({' '.join(str(error).split())})", where=name) from error
    if not isinstance(content, dict | None):
        raise SettingsError("it is no list of settings", where=name, fix="Write lines such as `partition: gpu`.")
    try:
        return JobSettings.model_validate(content or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
            where=name, fix=f"Known are: {', '.join(JobSettings.model_fields)}.",
        ) from error  # fmt: skip


def check_jobqueue() -> None:
    """Refuse what needs dask-jobqueue where that is not installed.

    Raises:
        SettingsError: it is not.
    """
    try:
        import dask_jobqueue  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "the package 'dask-jobqueue' is missing", where="--cluster slurm",
            fix="Install it: pip install 'cryoglean[cluster]'.",
        ) from error  # fmt: skip


def slurm_cluster(job: JobSettings, refusals: list[str]) -> Any:
    """A scheduler in this process whose workers SLURM starts; none is asked for yet.

    Args:
        job: what each asks for.
        refusals: what `sbatch` says when it takes no job is added to it, as dask only logs that.

    Raises:
        SettingsError: dask-jobqueue refuses the settings.
    """
    from dask_jobqueue.slurm import SLURMCluster, SLURMJob

    class Job(SLURMJob):  # type: ignore[misc]
        async def _submit_job(self, script_filename: str) -> Any:
            try:
                return await super()._submit_job(script_filename)
            except (OSError, RuntimeError) as error:
                refusals.append(" ".join(str(error).split("stderr:")[-1].split()))
                return _REFUSED

        @classmethod
        async def _close_job(cls, job_id: str, cancel_command: str) -> None:
            if job_id != _REFUSED:
                await super()._close_job(job_id, cancel_command)

    class Cluster(SLURMCluster):  # type: ignore[misc]
        job_cls = Job

    options = {"dashboard_address": "127.0.0.1:0", "dashboard": False, "allowed_failures": 0}
    try:
        return Cluster(scheduler_options=options, silence_logs="critical", **job.for_jobqueue())
    except ValueError as error:
        raise SettingsError(" ".join(str(error).split()), where="--cluster slurm") from error


def job_script(cluster: str) -> str:
    """The script that would be handed to `sbatch` for each worker, with a placeholder for the scheduler's address.

    Args:
        cluster: see `read_job`.

    Raises:
        SettingsError: dask-jobqueue is missing, or the settings can't be used.
    """
    job = read_job(cluster)
    check_jobqueue()
    from dask_jobqueue.slurm import SLURMJob

    return str(SLURMJob("tcp://SCHEDULER:PORT", name="cryoglean", config_name=SLURM, **job.for_jobqueue()).job_script())
