"""Experiments: run, killed, filled to the brim, mended; the results are those of an unbroken one."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cryoglean.cli.main import run
from cryoglean.experiment.grid import Grid, read_grid
from cryoglean.experiment.running import plan
from cryoglean.experiment.store import Store
from cryoglean.experiment.working import run_cell
from cryoglean.io.picks import write_picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

SETTINGS = [
    "learn.steps=8", "learn.crop_pixels=64", "learn.validate_every=4", "learn.checkpoint_every_seconds=0",
    "learn.precision=float32", "pick.views=1",
]  # fmt: skip
SIMULATED = {
    "molecule": "tetramer", "shape_pixels": (256, 256), "particles_per_micrograph": 12, "fragments": 2,
    "dose_electrons_per_angstrom2": 40, "aggregates": 0, "ice_crystals": 0, "carbon_edge": 0,
    "defocus_micrometers": (1.5, 2.0),
}  # fmt: skip
ENVIRONMENT = {**os.environ, "CRYOGLEAN_THREADS": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
RESULTS = ("f1", "precision", "recall", "average_precision", "threshold", "per_micrograph", "rounds", "best_step")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten micrographs, all labelled."""
    folder = tmp_path_factory.mktemp("data")
    picks = simulate_folder(folder / "mics", 10, 0, SimulationSettings.model_validate(SIMULATED))
    write_picks(picks, folder / "truth.csv")
    return folder


def write_grid(folder: Path, name: str, **changes: Any) -> Path:
    content = {
        "data": {"sim": {"micrographs": "mics", "labels": "truth.csv", "diameter_angstrom": 180}},
        "ratios": [0.15, 0.5], "seeds": 1, "lines": ["pseudo_label"], "settings": SETTINGS, **changes,
    }  # fmt: skip
    file = folder / name
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture(scope="module")
def grid_file(data: Path) -> Path:
    return write_grid(data, "grid.yaml")


@pytest.fixture(scope="module")
def unbroken(grid_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment's five cells, run in one go."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert call(grid_file, out) == (0, "")
    return out


def words(grid_file: Path, out: Path, *more: str) -> list[str]:
    named = ["experiment", str(grid_file), "--out", str(out), "--quiet", *more]
    return [sys.executable, "-m", "cryoglean", *named]


def call(grid_file: Path, out: Path, *more: str) -> tuple[int, str]:
    """The exit code and what was said on standard error."""
    done = subprocess.run(
        words(grid_file, out, *more), env=ENVIRONMENT, timeout=300, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def outcome(out: Path) -> dict[str, dict[str, Any]]:
    """What must be the same: results and weights of each cell."""
    found = {}
    for file in sorted(out.glob("cells/*/*/*/*/result.json")):
        result = json.loads(file.read_text())
        found[str(file.parent.relative_to(out))] = {
            **{name: result[name] for name in RESULTS}, "weights": weights(file.parent),
        }  # fmt: skip
    return found


def weights(cell: Path) -> str:
    return hashlib.sha256((cell / "run" / "model.safetensors").read_bytes()).hexdigest()


def contents(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


def finished(out: Path) -> int:
    return len(list(out.glob("cells/*/*/*/*/result.json")))


def kill_when(words: list[str], is_time: Callable[[], bool], victim: Callable[[int], int] = lambda pid: pid) -> int:
    """Start, wait until a condition holds, and kill the process or another one that belongs to it."""
    process = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while process.poll() is None and not is_time() and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.poll() is None:
        os.kill(victim(process.pid), signal.SIGKILL)
    return process.wait(timeout=240)


def workers_of(pid: int) -> list[int]:
    """The worker processes below a runner: children that spawned and are no resource tracker."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            is_child = entry.name.isdigit() and f"\nPPid:\t{pid}\n" in (entry / "status").read_text()
            if is_child and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_all_cells_end_with_a_result(unbroken: Path) -> None:
    lines = sorted(place.split("/", 2)[2].rsplit("-", 1)[0] for place in outcome(unbroken))
    assert lines == [
        "15/seed_0/pseudo_label", "15/seed_0/supervised",
        "50/seed_0/oracle", "50/seed_0/pseudo_label", "50/seed_0/supervised",
    ]  # fmt: skip
    assert not list(unbroken.rglob("*.part*"))
    assert not list(unbroken.rglob("error.json"))


def test_a_cell_that_took_over_a_training_is_the_same_as_alone(grid_file: Path, unbroken: Path, tmp_path: Path) -> None:
    grid, alone = read_grid(grid_file), Store(tmp_path / "alone")
    alone.keep_grid(grid)
    cell = next(cell for cell in plan(grid) if cell.line == "pseudo_label" and cell.ratio == 0.15)
    assert cell.base
    alone.keep_cell(cell)
    run_cell(str(alone.folder), cell.folder.as_posix())
    place = cell.folder.as_posix()
    assert outcome(alone.folder)[place] == outcome(unbroken)[place]
    own, taken = (Store(folder).result_of(cell) or {} for folder in (alone.folder, unbroken))
    assert own["steps"] == taken["steps"] == 8 * (1 + len(own["rounds"]))


def test_a_second_call_does_nothing(grid_file: Path, unbroken: Path) -> None:
    before = contents(unbroken)
    assert call(grid_file, unbroken) == (0, "")
    assert contents(unbroken) == before


def test_changed_settings_make_new_cells_and_keep_the_old(data: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    before = outcome(out)
    changed = [*SETTINGS, "learn.steps=6"]
    grid_file = write_grid(data, "changed.yaml", settings=changed, ratios=[0.5], lines=[])
    assert call(grid_file, out) == (0, "")
    after = outcome(out)
    assert {place: after[place] for place in before} == before
    assert len(after) == len(before) + 2


def test_a_killed_runner_goes_on_to_the_same_results(grid_file: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    is_half_way = lambda: finished(out) >= 1 and any(out.glob("cells/*/*/*/pseudo*/run/events.jsonl"))  # noqa: E731
    assert kill_when(words(grid_file, out), is_half_way) == -signal.SIGKILL
    assert 0 < finished(out) < 5
    assert call(grid_file, out) == (0, "")
    assert outcome(out) == outcome(unbroken)


def test_a_killed_worker_is_made_up_for(grid_file: Path, unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed: list[int] = []

    def victim(pid: int) -> int:
        killed.append(random.choice(workers_of(pid)))
        return killed[-1]

    is_half_way = lambda: any(out.glob("cells/*/*/*/*/run/events.jsonl"))  # noqa: E731
    assert kill_when(words(grid_file, out, "--workers", "2"), is_half_way, victim) == 0
    assert killed
    assert outcome(out) == outcome(unbroken)


def test_a_worker_killed_while_it_starts_is_made_up_for(grid_file: Path, unbroken: Path, tmp_path: Path) -> None:
    out, found = tmp_path / "out", []
    shutil.copytree(unbroken, out)
    shutil.rmtree(next(out.glob("cells/*/*/*/oracle-*")))

    def has_begun() -> bool:
        found[:] = workers_of(process.pid)
        return bool(found)

    process = subprocess.Popen(words(grid_file, out, "--workers", "2"), env=ENVIRONMENT)
    while process.poll() is None and not has_begun():
        time.sleep(0.02)
    os.kill(found[0], signal.SIGKILL)
    assert process.wait(timeout=240) == 0
    assert outcome(out) == outcome(unbroken)


def small_grid(folder: Path, data: Path) -> Path:
    """Two data sets with two short cells each."""
    for name in ("good", "bad"):
        shutil.copytree(data / "mics", folder / name)
    shutil.copy(data / "truth.csv", folder)
    two = {
        name: {"micrographs": name, "labels": "truth.csv", "diameter_angstrom": 180} for name in ("bad", "good")
    }  # fmt: skip
    return write_grid(folder, "two.yaml", data=two, ratios=[0.5], lines=[], settings=[*SETTINGS, "learn.steps=4"])


def of_the_test(grid: Grid, name: str) -> str:
    return next(cell for cell in plan(grid) if cell.data == name).division.test[0]


def test_a_cell_that_fails_stops_no_other_and_runs_once_it_is_mended(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid_file, out = small_grid(tmp_path, data), tmp_path / "out"
    file = tmp_path / "bad" / f"{of_the_test(read_grid(grid_file), 'bad')}.mrc"
    whole = file.read_bytes()
    file.write_bytes(b"\xff" * len(whole))

    code, said = call(grid_file, out)
    assert code == 1
    assert file.stem in said
    assert "Traceback" not in said
    assert {place.split("/")[1] for place in outcome(out)} == {"good"}
    assert run(["results", str(out), "--sql", "SELECT data, status, error FROM cells", "--form", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["data"], row["status"]) for row in rows} == {("good", "finished"), ("bad", "failed")}
    assert all((row["data"] == "good") == (row["error"] is None) for row in rows)

    file.write_bytes(whole)
    assert call(grid_file, out) == (0, "")
    assert finished(out) == 4
    assert not list(out.rglob("error.json"))
    first, second = (
        {place.split("/", 2)[2].rsplit("-", 1)[0]: told for place, told in outcome(out).items() if f"/{name}/" in place}
        for name in ("bad", "good")
    )
    assert first == second


def test_labels_that_changed_are_read_again_by_a_process_that_lives_on(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "mics", tmp_path / "mics")
    lines = (data / "truth.csv").read_text().splitlines(keepends=True)
    changes = {"ratios": [0.5], "lines": [], "settings": [*SETTINGS, "learn.steps=2", "learn.validate_every=2"]}
    grid_file, out = write_grid(tmp_path, "grid.yaml", **changes), tmp_path / "out"
    for kept in (lines, lines[:-1]):
        (tmp_path / "truth.csv").write_text("".join(kept))
        assert run(["experiment", str(grid_file), "--out", str(out), "--quiet"]) == 0
    assert finished(out) == 4


def test_results(unbroken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["results", str(unbroken)]) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("average_precision", "pseudo_label", "oracle"))
    assert run(["results", str(unbroken), "--form", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("data,ratio,labelled,line,cells,finished,f1")
    assert len(rows) == 6
    assert run(["results", str(unbroken), "--form", "json", "--sql", "SELECT line, f1 FROM cells"]) == 0
    told = {(row["line"], row["f1"]) for row in json.loads(capsys.readouterr().out)}
    assert told == {(place.split("/")[4].rsplit("-", 1)[0], one["f1"]) for place, one in outcome(unbroken).items()}


def test_mistakes_in_asking_are_told_in_one_line(
    unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked, code, said in (
        (["results", str(unbroken), "--sql", "SELECT f2 FROM cells"], 2, "no such column: f2"),
        (["results", str(unbroken), "--sql", "DROP TABLE cells"], 2, "--sql"),
        (["results", str(tmp_path)], 1, "no experiment"),
        (["results", str(unbroken), "--form", "xml"], 2, "--form"),
    ):
        assert run(asked) == code
        error = capsys.readouterr().err.strip()
        assert said in error
        assert len(error.splitlines()) == 1


def test_a_data_set_may_be_said_without_a_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    for micrographs in ("mics/*.mrc", "mics", "mics/"):
        asked = ["experiment", "--data", micrographs, "--labels", "truth.csv", "--diameter-angstrom", "180"]
        assert run([*asked, "--out", str(tmp_path / "out"), "--dry-run", "--seeds", "1", "--ratios", "0.2"]) == 0
        printed = capsys.readouterr().out
        assert "mics 20 % seed 0 recommended: 1 labelled, 5 unlabelled, 2 for validation, 2 for test" in printed
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for some of the cells."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=19m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount")
@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_a_full_disk_is_told_and_nothing_is_lost(
    grid_file: Path, unbroken: Path, small_disk: Path, more: tuple[str, ...]
) -> None:
    out = small_disk / "out"
    code, said = call(grid_file, out, *more)
    assert code == 1
    last = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(last) == 1
    assert "no room left" in last[0]
    assert "Traceback" not in said
    assert finished(out) < 5
    assert finished(out) or more  # two at once may fill it before either has ended
    for file in out.rglob("*.json"):
        json.loads(file.read_text())
    assert not list(out.rglob("*.part*"))
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    assert call(grid_file, out, *more)[0] == 0
    assert outcome(out) == outcome(unbroken)


@pytest.mark.slow
def test_twenty_random_kills_end_with_the_same_results(grid_file: Path, unbroken: Path, tmp_path: Path) -> None:
    chance, out, kills = random.Random(0), tmp_path / "out", 0
    while kills < 20:
        begun = time.monotonic()
        wait = chance.uniform(3.0, 9.0)

        def victim(pid: int) -> int:
            return chance.choice([pid, *workers_of(pid)])

        code = kill_when(
            words(grid_file, out, "--workers", "2"), lambda until=begun + wait: time.monotonic() > until, victim
        )
        kills += time.monotonic() - begun > wait
        assert code in (0, -signal.SIGKILL)
        if finished(out) == 5 and kills < 20:
            assert outcome(out) == outcome(unbroken)
            shutil.rmtree(out)
    assert call(grid_file, out, "--workers", "2")[0] == 0
    assert outcome(out) == outcome(unbroken)
