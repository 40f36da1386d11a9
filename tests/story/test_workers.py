"""Picking with several worker processes: the same file as one process makes, whatever is killed."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from cryoglean.cli.main import run
from cryoglean.engine.tasks import EngineChoice
from cryoglean.errors import WorkersError
from cryoglean.io.micrographs import find_micrographs, write_micrograph
from cryoglean.micrograph import Micrograph
from cryoglean.picking import pick_files
from cryoglean.shards import Picking, pick_files_with_workers

TWO = EngineChoice(2)
FOLDER = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def work_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("CRYOGLEAN_THREADS", "1")


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., list[Path]]:
    """Micrographs of noise, with the names given; those called `broken` are cut off."""

    def make(*names: str) -> list[Path]:
        rng = np.random.default_rng(0)
        paths = [tmp_path / "micrographs" / f"{name}.mrc" for name in names]
        for path in paths:
            write_micrograph(Micrograph(path.stem, rng.normal(size=(96, 128)).astype(np.float32), 2.5), path)
            if path.stem.startswith("broken"):
                path.write_bytes(path.read_bytes()[:5000])
        return paths

    return make


def worker_processes() -> list[psutil.Process]:
    """Worker processes that this one has started and that still live."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def all_end_soon() -> bool:
    """Whether no worker process is left, a few seconds at most from now."""
    deadline = time.monotonic() + 15
    while worker_processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not worker_processes()


def test_workers_killed_half_way_and_corrupt_files_make_the_file_of_one_process(
    make_files: Callable[..., list[Path]], tmp_path: Path
) -> None:
    from worker_picker import make_picker

    assert all_end_soon()  # those of tests before
    paths = make_files(*(f"broken{n}" if n in (7, 31) else f"m{n:03d}" for n in range(60)))
    killed: list[int] = []
    told: list[str] = []
    said: list[str] = []

    def kill_both_at_once(name: str, _: int) -> None:
        told.append(name)
        if len(told) == 10:
            for process in worker_processes():
                process.kill()
                killed.append(process.pid)

    one = pick_files(make_picker(), paths, tmp_path / "one.star", 0.5)
    two = pick_files_with_workers(
        Picking(make_picker, 0.5), paths, tmp_path / "two.star", TWO, kill_both_at_once, said.append
    )

    assert len(killed) == 2
    assert any("lost" in text for text in said)
    assert (tmp_path / "two.star").read_bytes() == (tmp_path / "one.star").read_bytes()
    assert (two.micrographs, two.picks, two.skipped) == (58, one.picks, one.skipped)
    assert list(two.skipped) == ["broken7", "broken31"]
    assert sorted(told) == sorted(path.stem for path in paths if not path.stem.startswith("broken"))
    assert not (tmp_path / ".two.star.partial").exists()
    assert all_end_soon()


@pytest.mark.slow
def test_a_micrograph_that_kills_every_worker_is_skipped_alone(
    make_files: Callable[..., list[Path]], tmp_path: Path
) -> None:
    from worker_picker import make_picker

    paths = make_files(*(f"m{n:02d}" for n in range(20)), "poison", *(f"n{n:02d}" for n in range(20)))

    harvest = pick_files_with_workers(Picking(make_picker, 0.5), paths, tmp_path / "p.csv", TWO)

    assert list(harvest.skipped) == ["poison"]
    assert "worker was lost 3 times" in harvest.skipped["poison"]
    assert harvest.micrographs == 40


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from worker_picker import make_picker
from cryoglean.engine.tasks import EngineChoice
from cryoglean.io.micrographs import find_micrographs
from cryoglean.shards import Picking, pick_files_with_workers

if __name__ == "__main__":
    paths = find_micrographs([sys.argv[2]])
    pick_files_with_workers(Picking(make_picker, 0.5), paths, Path(sys.argv[3]), EngineChoice(2))
"""


def finished_lines(partial: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in partial.rglob("*.jsonl"))


def test_the_main_process_killed_half_way_goes_on(make_files: Callable[..., list[Path]], tmp_path: Path) -> None:
    from worker_picker import make_picker

    paths = make_files(*(f"slow{n:03d}" for n in range(50)))
    (tmp_path / "main.py").write_text(SCRIPT)
    out, partial = tmp_path / "two.star", tmp_path / ".two.star.partial"
    words = [sys.executable, tmp_path / "main.py", FOLDER, paths[0].parent, out]
    process = subprocess.Popen(list(map(str, words)))
    deadline = time.monotonic() + 60
    while process.poll() is None and finished_lines(partial) < 15 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1)
    finished = finished_lines(partial)

    harvest = pick_files_with_workers(Picking(make_picker, 0.5), paths, out, EngineChoice())  # as well as with two

    assert 15 <= finished < 50
    assert finished - 2 <= harvest.resumed <= finished  # two lines may be in both the journal and a worker's file
    pick_files(make_picker(), find_micrographs([paths[0].parent]), tmp_path / "one.star", 0.5)
    assert out.read_bytes() == (tmp_path / "one.star").read_bytes()


@pytest.mark.slow
def test_one_process_goes_on_where_workers_were_interrupted(
    make_files: Callable[..., list[Path]], tmp_path: Path
) -> None:
    from worker_picker import make_picker

    paths = make_files(*(f"m{n:02d}" for n in range(30)))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pick_files_with_workers(Picking(make_picker, 0.5), paths, tmp_path / "p.star", TWO, stop)
    assert all_end_soon()

    harvest = pick_files(make_picker(), paths, tmp_path / "p.star", 0.5)

    assert harvest.resumed >= 1
    assert harvest.micrographs == 30


def test_workers_that_find_another_run_are_refused(make_files: Callable[..., list[Path]], tmp_path: Path) -> None:
    from worker_picker import make_another_in_workers

    with pytest.raises(WorkersError, match="another one"):
        pick_files_with_workers(Picking(make_another_in_workers, 0.5), make_files("a", "b"), tmp_path / "p.csv", TWO)
    assert not (tmp_path / "p.csv").exists()


def test_the_command_and_python_pick_with_workers(
    easy_data: Path, easy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import cryoglean

    monkeypatch.chdir(easy_run.parent)  # the run by a relative path
    words = ["pick", easy_run.name, str(easy_data / "micrographs"), "--json", "--out"]
    assert run([*words, str(tmp_path / "one.star")]) == 0
    one = json.loads(capsys.readouterr().out)
    assert run([*words, str(tmp_path / "two.star"), "--workers", "2"]) == 0
    two = json.loads(capsys.readouterr().out)
    picks = cryoglean.pick(easy_run.name, easy_data / "micrographs", tmp_path / "three.star", workers=2)

    assert {**one, "out": ""} == {**two, "out": ""}
    for name in ("two.star", "three.star"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "one.star").read_bytes()
    assert len(picks) == one["picks"]


def test_words_that_can_not_be_meant_are_refused(
    easy_data: Path, easy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pick", str(easy_run), str(easy_data / "micrographs"), "--out", str(tmp_path / "p.star")]

    assert run([*words, "--workers", "0"]) == 2
    assert run([*words, "--cluster", "pbs"]) == 2
    assert run([*words, "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert "--workers" in said
    assert "neither slurm" in said
    assert "--cluster slurm, too" in said
    assert not (tmp_path / "p.star").exists()
