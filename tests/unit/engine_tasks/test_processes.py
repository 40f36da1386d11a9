"""Tasks in real worker processes: killed, failing, lagging, interrupted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cryoglean.engine import spread, workers
from cryoglean.engine.run import run_tasks
from cryoglean.engine.tasks import EngineChoice, Task
from cryoglean.errors import SettingsError, WorkersError

TWO = EngineChoice(2)


def count_begun(folder: Path, word: str) -> int:
    return len(list(folder.glob(f"{word}-*")))


def is_alive(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_killed_refused_and_failing_tasks_end_as_they_should(tmp_path: Path) -> None:
    """One start of workers for all: it takes seconds."""
    from engine_work import act

    words = ("a", "die once", "refuse", "fail once", "fail", "b", "c")
    tasks = [Task(word, (word, tmp_path)) for word in words]
    tasks += [Task("after a", ("d", tmp_path), after=("a",)), Task("after fail", ("e", tmp_path), after=("fail",))]
    told: list[str] = []

    found = {outcome.key: outcome for outcome in run_tasks(iter(tasks), act, TWO, told.append)}

    assert {key: (outcome.state, outcome.attempts) for key, outcome in found.items()} == {
        "a": ("done", 1), "b": ("done", 1), "c": ("done", 1), "after a": ("done", 1), "after fail": ("skipped", 0),
        "die once": ("done", 2), "refuse": ("refused", 1), "fail once": ("done", 2), "fail": ("failed", 3),
    }  # fmt: skip
    assert found["refuse"].error == "a.mrc: it is empty."
    assert any("die once" in text and "lost" in text for text in told)
    assert count_begun(tmp_path, "refuse") == 1
    assert count_begun(tmp_path, "die once") == 2


def test_a_result_that_is_lost_with_its_worker_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker dies before the result is fetched; so does the next one, which the scheduler has make it again."""
    from engine_work import act

    result_of = spread._result_of
    killed: list[int] = []

    def kill_the_holder_before(future: Any, seconds: float) -> Any:
        if not killed:
            (holder,) = next(iter(future.client.who_has([future]).values()))
            pid = future.client.run(os.getpid, workers=[holder])[holder]
            psutil.Process(pid).kill()
            killed.append(pid)
        return result_of(future, seconds)

    monkeypatch.setattr(spread, "_result_of", kill_the_holder_before)

    (found,) = run_tasks([Task("it", ("die second time", tmp_path))], act, TWO)

    assert killed
    assert found.value == "die second time"
    assert count_begun(tmp_path, "die second time") == 3


def test_a_task_that_always_kills_its_worker_is_lost_and_harms_no_other(tmp_path: Path) -> None:
    from engine_work import act

    tasks = [Task("die", ("die", tmp_path)), *(Task(f"w{number}", (f"w{number}", tmp_path)) for number in range(6))]

    found = {outcome.key: outcome for outcome in run_tasks(tasks, act, TWO)}

    assert (found["die"].state, found["die"].attempts) == ("lost", 3)
    assert all(found[f"w{number}"].is_done and found[f"w{number}"].attempts == 1 for number in range(6))


def test_workers_are_two_processes_with_one_thread_and_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine_work import who

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    read: list[int] = []

    def stream() -> Iterator[Task]:
        for number in range(5000):
            read.append(number)
            yield Task(str(number), None)

    outcomes = run_tasks(stream(), who, TWO)
    said = [next(outcomes).value for _ in range(10)]
    most_read = len(read)
    listening = {
        address.laddr.ip
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]
        for address in process.net_connections()
        if address.status == psutil.CONN_LISTEN
    }
    outcomes.close()

    assert len({each["pid"] for each in said}) == 2
    assert {each["CUDA_VISIBLE_DEVICES"] for each in said} == {"GPU-a", "GPU-b"}
    assert {(each["CRYOGLEAN_THREADS"], each["OMP_NUM_THREADS"]) for each in said} == {("1", "1")}
    assert listening == {"127.0.0.1"}  # nobody else can send tasks
    assert most_read <= 10 + 2 * 2
    assert not any(is_alive(each["pid"]) for each in said)


def test_a_lagging_task_gets_a_second_copy_and_the_first_to_end_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_work import act

    monkeypatch.setattr(spread, "LAGS_AFTER_SECONDS", 1.0)
    tasks = [
        Task("lag", ("lag once", tmp_path), may_be_doubled=True),
        *(Task(f"w{n}", (f"w{n}", tmp_path)) for n in range(3)),
    ]
    started = time.monotonic()

    found = [outcome for outcome in run_tasks(tasks, act, TWO) if outcome.key == "lag"]

    assert [(outcome.state, outcome.attempts) for outcome in found] == [("done", 2)]
    assert count_begun(tmp_path, "lag once") == 2
    assert time.monotonic() - started < 30


INTERRUPTED = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from engine_work import who
from cryoglean.engine.run import run_tasks
from cryoglean.engine.tasks import EngineChoice, Task

if __name__ == "__main__":
    for outcome in run_tasks((Task(str(n), None) for n in range(10000)), who, EngineChoice(2)):
        print(outcome.value["pid"], flush=True)
"""


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGKILL"])
def test_interrupted_or_killed_nothing_is_left_running(tmp_path: Path, signal_name: str) -> None:
    """Ctrl-C reaches the whole group of processes; a kill only the main one."""
    import signal

    script = tmp_path / "main.py"
    script.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, str(script), str(Path(__file__).parent)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    pids = {process.stdout.readline().strip() for _ in range(6)}

    if signal_name == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    errors = process.communicate(timeout=30)[1]
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert len(pids) == 2
    assert not any(map(is_alive, pids))
    if signal_name == "SIGINT":
        assert errors.count("Traceback") == 1, errors
        assert errors.strip().endswith("KeyboardInterrupt")


def test_a_script_that_begins_work_when_imported_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(INTERRUPTED.replace('if __name__ == "__main__":', "if True:"))

    result = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 1
    assert "WorkersError" in result.stderr.splitlines()[-1]
    assert "__main__" in result.stderr.splitlines()[-1]


def test_a_scheduler_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workers, "_CONNECT_SECONDS", 1)
    with pytest.raises(WorkersError, match="no scheduler answers"):
        next(run_tasks([Task("a", 1)], str, EngineChoice(cluster="tcp://127.0.0.1:9")))
    with pytest.raises(SettingsError, match="neither slurm"):
        next(run_tasks([Task("a", 1)], str, EngineChoice(cluster=str(tmp_path / "none.json"))))


@pytest.fixture
def scheduler_file(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A scheduler and a worker that were started by somebody else."""
    file = tmp_path / "scheduler.json"
    program = [sys.executable, "-m", "dask"]
    more = ["--scheduler-file", str(file), "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"}
    log = (tmp_path / "log").open("w")
    scheduler = subprocess.Popen(
        [*program, "scheduler", "--host", "127.0.0.1", "--port", "0", *more], stdout=log, stderr=log
    )
    worker = subprocess.Popen(
        [*program, "worker", "--nthreads", "1", "--no-nanny", *more], stdout=log, stderr=log, env=environment
    )
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield file, scheduler
    for process in (worker, scheduler):
        process.kill()
        process.wait()
    log.close()


def test_workers_that_are_there_already_are_used(scheduler_file: tuple[Path, subprocess.Popen[bytes]]) -> None:
    from engine_work import double

    file, _ = scheduler_file
    found = list(run_tasks([Task("a", 1), Task("b", 2)], double, EngineChoice(1, str(file))))

    assert [(outcome.value, outcome.error) for outcome in found] == [(2, ""), (4, "")]


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_work(scheduler_file: tuple[Path, subprocess.Popen[bytes]]) -> None:
    """It takes 15 seconds until distributed gives up."""
    from engine_work import who

    file, scheduler = scheduler_file
    address = json.loads(file.read_text())["address"]
    outcomes = run_tasks((Task(str(n), None) for n in range(10000)), who, EngineChoice(1, address))
    next(outcomes)

    scheduler.kill()

    with pytest.raises(WorkersError, match="connection to the scheduler is lost"):
        list(outcomes)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match="pip install distributed"):
        next(run_tasks([Task("a", 1)], str, TWO))
