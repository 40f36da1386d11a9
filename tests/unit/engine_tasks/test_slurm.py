"""Workers as jobs of SLURM: the script is right, and is really run, by an `sbatch` of ours that runs it here."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryoglean.cli.main import run
from cryoglean.engine import spread
from cryoglean.engine.run import run_tasks
from cryoglean.engine.slurm import job_script
from cryoglean.engine.tasks import EngineChoice, Task
from cryoglean.errors import SettingsError, WorkersError

pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")

JOB = """\
partition: gpu
account: lab
walltime: "01:30:00"
cores: 4
memory: 16GB
gpus: 1
directives: ["--exclude=node7"]
prologue: ["module load cuda"]
python: /opt/cryoglean/bin/python
log_folder: logs
scratch_folder: /scratch
"""
GOLDEN = """\
#!/usr/bin/env bash

#SBATCH -J cryoglean
#SBATCH -e logs/cryoglean-%J.err
#SBATCH -o logs/cryoglean-%J.out
#SBATCH -p gpu
#SBATCH -A lab
#SBATCH -n 1
#SBATCH --cpus-per-task=4
#SBATCH --mem=15G
#SBATCH -t 01:30:00
#SBATCH --gres=gpu:1
#SBATCH --exclude=node7
module load cuda
export CRYOGLEAN_THREADS=1
export OMP_NUM_THREADS=1
/opt/cryoglean/bin/python -m distributed.cli.dask_worker tcp://SCHEDULER:PORT --name cryoglean --nthreads 1 \
--memory-limit 14.90GiB --nanny --death-timeout 300 --local-directory /scratch
"""


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"


def test_the_script_is_as_it_should_be(job_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["pick", "run", "mics", "--out", "p.star", "--cluster", f"slurm:{job_file}", "--dry-run"])

    script = capsys.readouterr().out
    assert code == 0
    assert script == GOLDEN
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_defaults_make_a_script_too() -> None:
    script = job_script("slurm")

    assert f"{sys.executable} -m distributed.cli.dask_worker" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    "text, message",
    [("partitoin: gpu", "partitoin"), ("cores: 0", "cores"), ("- a", "no list of settings"), ("a: [", "can't be read")],
)
def test_settings_that_can_not_be_meant_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        job_script(f"slurm:{tmp_path / 'job.yaml'}")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    monkeypatch.setitem(sys.modules, "dask_jobqueue.slurm", None)
    with pytest.raises(SettingsError, match=r"cryoglean\[cluster\]"):
        job_script("slurm")


@pytest.fixture
def slurm_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`sbatch` that runs the script in the background, `scancel` that ends it; where both leave their traces."""
    programs, spool = tmp_path / "programs", tmp_path / "spool"
    programs.mkdir()
    spool.mkdir()
    (programs / "sbatch").write_text(
        f'#!/bin/bash\ncp "$1" {spool}/$$.sh\nsetsid bash {spool}/$$.sh >{spool}/$$.log 2>&1 </dev/null &\n'
        'echo "Submitted batch job $!"\n'
    )
    (programs / "scancel").write_text(
        f'#!/bin/bash\necho "$1" >>{spool}/cancelled\nkill -- "-$1" 2>/dev/null\nexit 0\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return spool


def test_the_scripts_are_really_run_and_ended(
    slurm_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_work import who

    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    (tmp_path / "job.yaml").write_text("memory: 2GB\ninterface: lo\n")
    choice = EngineChoice(2, f"slurm:{tmp_path / 'job.yaml'}")

    said = [outcome.value for outcome in run_tasks((Task(str(n), None) for n in range(30)), who, choice)]

    pids = {each["pid"] for each in said}
    assert len(said) == 30
    assert len(pids) == 2
    assert {(each["CRYOGLEAN_THREADS"], each["OMP_NUM_THREADS"]) for each in said} == {("1", "1")}
    assert len(list(slurm_here.glob("*.sh"))) == 2
    assert len((slurm_here / "cancelled").read_text().split()) == 2
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_what_sbatch_refuses_is_said(slurm_here: Path) -> None:
    program = slurm_here.parent / "programs" / "sbatch"
    program.write_text('#!/bin/bash\necho "sbatch: error: invalid partition specified: gpuu" >&2\nexit 1\n')

    with pytest.raises(WorkersError, match="invalid partition specified: gpuu"):
        next(run_tasks([Task("a", 1)], str, EngineChoice(2, "slurm")))

    program.unlink()
    with pytest.raises(WorkersError, match="sbatch"):
        next(run_tasks([Task("a", 1)], str, EngineChoice(2, "slurm")))


@pytest.mark.slow
def test_a_job_that_ends_too_early_is_asked_for_again(
    slurm_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its time is over: the job and its worker are gone at once."""
    import dask
    from engine_work import who

    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(spread, "_SECONDS_BETWEEN_RENEWALS", 1.0)
    (tmp_path / "job.yaml").write_text("memory: 2GB\ninterface: lo\n")
    choice = EngineChoice(1, f"slurm:{tmp_path / 'job.yaml'}")
    pids = []
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "2s"}):
        for outcome in run_tasks((Task(str(n), None) for n in range(20)), who, choice):
            assert outcome.is_done
            pids.append(int(outcome.value["pid"]))
            if len(pids) == 5:
                os.killpg(os.getpgid(pids[0]), 9)

    assert len(pids) == 20
    assert len(set(pids)) == 2
    assert len(list(slurm_here.glob("*.sh"))) == 2
