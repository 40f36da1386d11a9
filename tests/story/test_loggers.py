"""Trainings that are logged: whole logs, nothing twice, and never another result."""

import hashlib
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

import cryoglean
from cryoglean import logbook
from cryoglean.cli.main import run
from cryoglean.engine.tasks import EngineChoice
from cryoglean.experiment.grid import read_grid
from cryoglean.experiment.running import Listeners, plan, run_experiment
from cryoglean.experiment.store import Store
from cryoglean.io.picks import write_picks
from cryoglean.logbook import Destination, choose_logs
from cryoglean.series import numbers_of_event
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

SETTINGS = [
    "learn.steps=6", "learn.crop_pixels=48", "learn.validate_every=3", "learn.checkpoint_every_seconds=0",
    "learn.precision=float32", "pick.views=1", "monitor.every=3", "strategy=supervised",
]  # fmt: skip
SIMULATED = {
    "molecule": "tetramer", "shape_pixels": (160, 160), "particles_per_micrograph": 8, "fragments": 2, "views": 8,
    "dose_electrons_per_angstrom2": 40, "aggregates": 0, "ice_crystals": 0, "carbon_edge": 0,
    "defocus_micrometers": (1.5, 2.0),
}  # fmt: skip
has_mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow-skinny is not installed")
has_tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="no tensorboard")
both = pytest.mark.parametrize(
    "logger", [pytest.param("tensorboard", marks=has_tensorboard), pytest.param("mlflow", marks=has_mlflow)]
)
Series = dict[str, list[tuple[int, float]]]


@pytest.fixture(autouse=True)
def no_store_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight tiny micrographs; labels.csv of two."""
    folder = tmp_path_factory.mktemp("data")
    picks = simulate_folder(folder / "mics", 8, 0, SimulationSettings.model_validate(SIMULATED))
    write_picks(picks.of(picks.micrographs[:2]), folder / "labels.csv")
    write_picks(picks, folder / "truth.csv")
    return folder


def train(data: Path, out: Path, *log: str) -> cryoglean.Run:
    return cryoglean.train(data / "mics", data / "labels.csv", 180, out, effort="quick", settings=SETTINGS, log=log)


def train_words(data: Path, out: Path) -> list[str]:
    words = ["train", data / "mics", "--picks", data / "labels.csv", "--diameter-angstrom", 180, "--out", out]
    return [*map(str, words), "--effort", "quick", *(word for one in SETTINGS for word in ("--set", one))]


@pytest.fixture(scope="module")
def plain(data: Path, tmp_path_factory: pytest.TempPathFactory) -> cryoglean.Run:
    """A run without loggers."""
    return train(data, tmp_path_factory.mktemp("plain") / "run")


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def read_tensorboard(folder: Path) -> Series:
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    found = EventAccumulator(str(folder), {SCALARS: 0}).Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def read_hyperparameters(folder: Path) -> dict[str, float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    found = EventAccumulator(str(folder)).Reload().SummaryMetadata("_hparams_/session_start_info")
    told = parse_session_start_info_plugin_data(found.plugin_data.content).hparams
    return {name: value.number_value for name, value in told.items()}


def mlflow_client(store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return MlflowClient(tracking_uri=store.as_uri())


def mlflow_runs(store: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    client = mlflow_client(store, monkeypatch)
    return list(client.search_runs([client.get_experiment_by_name("cryoglean").experiment_id]))


def read_mlflow(store: Path, monkeypatch: pytest.MonkeyPatch) -> Series:
    client, (found,) = mlflow_client(store, monkeypatch), mlflow_runs(store, monkeypatch)
    told = {key: client.get_metric_history(found.info.run_id, key) for key in found.data.metrics}
    return {key: [(one.step, one.value) for one in metrics] for key, metrics in told.items()}


def read(logger: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> Series:
    if logger == "tensorboard":
        return read_tensorboard(out / "tensorboard")
    return read_mlflow(out.parent / "mlruns", monkeypatch)


def check_whole(logger: str, made: cryoglean.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log holds each number that the training told, and its scores, each once."""
    expected: Series = {}
    for event in made.events():
        step, values = numbers_of_event(event)
        for name, value in values.items():
            expected.setdefault(name, []).append((step, pytest.approx(value, rel=1e-6)))
    assert len([name for name in expected if name.endswith("/loss")]) == 3  # two folds and the final training
    told = read(logger, made.folder, monkeypatch)
    assert {name: one for name, one in told.items() if not name.startswith("summary/")} == expected
    summary = made.summary()
    assert told["summary/validation/f1"] == [(0, pytest.approx(summary["validation"]["f1"]))]
    assert told["summary/threshold"] == [(0, pytest.approx(summary["threshold"]))]


@both
def test_a_log_is_what_the_training_told_and_changes_nothing(
    logger: str, data: Path, plain: cryoglean.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = train(data, tmp_path / "run", logger)

    check_whole(logger, made, monkeypatch)
    assert weights(made.folder) == weights(plain.folder)
    assert made.settings_file.read_bytes() == plain.settings_file.read_bytes()
    assert made.events() == plain.events()
    if logger == "mlflow":
        (found,) = mlflow_runs(tmp_path / "mlruns", monkeypatch)
        assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
        assert found.data.params["learn.steps"] == "6"
    else:
        assert read_hyperparameters(tmp_path / "run" / "tensorboard")["learn.steps"] == 6


KILLED = """
import os, signal, sys
from pathlib import Path
import cryoglean.api as api, cryoglean.logbook as logbook
logbook._SECONDS_BETWEEN_WRITES, write = 0.0, logbook._Page._write
logbook._Page._write = lambda page: write(page) if page.logger == "mlflow" else None
whole = api.train_dataset
def told(dataset, settings, run, *, tell, resumes):
    def watched(event):
        tell(event)
        if (event["event"], event.get("phase"), event.get("step")) == ("step", "fold-2", 5):
            os.kill(os.getpid(), signal.SIGKILL)
    return whole(dataset, settings, run, tell=watched, resumes=resumes)
api.train_dataset = told
api.train(*sys.argv[1:3], 180, sys.argv[3], effort="quick", settings=sys.argv[5:], log=sys.argv[4].split(","))
"""
"""A training that kills itself in its second phase, when MLflow has a step that no checkpoint has, TensorBoard none."""


def test_a_killed_training_goes_on_in_the_same_log_and_nothing_is_there_twice(
    data: Path, plain: cryoglean.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loggers = [name for name in ("tensorboard", "mlflow") if importlib.util.find_spec(name)]
    if not loggers:
        pytest.skip("no logger is installed")
    words = [data / "mics", data / "labels.csv", tmp_path / "run", ",".join(loggers), *SETTINGS]
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = json.loads((tmp_path / "run" / "log.json").read_text())
    assert not any(one["complete"] for one in before.values())

    made = train(data, tmp_path / "run", *loggers)

    assert [event["step"] for event in made.events("resumed")] == [4]
    assert weights(made.folder) == weights(plain.folder)
    after = json.loads((tmp_path / "run" / "log.json").read_text())
    assert after == {name: {**one, "complete": True} for name, one in before.items()}
    for logger in loggers:
        check_whole(logger, made, monkeypatch)


@both
def test_a_logger_that_fails_is_told_once_and_a_second_call_completes_the_log(
    logger: str, data: Path, plain: cryoglean.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "_SECONDS_BETWEEN_WRITES", 0.0)
    whole, blocked = logbook._Page.add, []

    def block(page: Any, step: int, values: dict[str, float]) -> None:
        if "fold-2/loss" in values and step == 2:
            (place,) = tmp_path.glob("run/tensorboard" if logger == "tensorboard" else "mlruns/*/*[0-9a-f]")
            shutil.rmtree(place)
            place.write_text("in the way")
            blocked.append(place)
        whole(page, step, values)

    monkeypatch.setattr(logbook._Page, "add", block)
    words = [*train_words(data, tmp_path / "run"), "--quiet", "--log", logger]
    assert run(words) == 0
    made = cryoglean.Run(tmp_path / "run")
    (failed,) = made.events("logger_failed")
    assert failed["logger"] == logger
    assert weights(made.folder) == weights(plain.folder)

    blocked[0].unlink()
    monkeypatch.setattr(logbook._Page, "add", whole)
    assert run([*words, "--resume"]) == 0
    check_whole(logger, made, monkeypatch)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert run([*words, "--resume"]) == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


class Server(BaseHTTPRequestHandler):
    """As much of a tracking server as is asked for, and what it was sent."""

    sent: ClassVar[list[dict[str, Any]]] = []
    then: Callable[[], None] = staticmethod(lambda: None)

    def answer(self, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        metrics = [one for batch in self.sent for one in batch.get("metrics", [])]
        if "get-by-name" in self.path:
            self.answer({"experiment": {"experiment_id": "1", "name": "cryoglean", "lifecycle_stage": "active"}})
        elif "get-history" in self.path:
            key = parse_qs(urlsplit(self.path).query)["metric_key"][0]
            self.answer({"metrics": [one for one in metrics if one["key"] == key]})
        else:
            self.answer(self.run({one["key"]: one for one in metrics}))

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        if "log-batch" in self.path:
            self.sent.append(content)
            self.then()
        self.answer(self.run({}))

    def run(self, metrics: dict[str, Any]) -> Any:
        info = {"run_id": "a" * 32, "run_uuid": "a" * 32, "experiment_id": "1", "lifecycle_stage": "active"}
        return {"run": {"info": {**info, "status": "RUNNING"}, "data": {"metrics": list(metrics.values())}}}

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Server.sent, Server.then = [], staticmethod(lambda: None)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@has_mlflow
def test_a_server_has_all_and_nothing_is_printed_beside_the_summary(
    data: Path, tmp_path: Path, server: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*train_words(data, tmp_path / "run"), "--json", "--log", f"mlflow:http://127.0.0.1:{server.server_port}"]

    assert run(words) == 0

    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "run" / "summary.json").read_text())
    told = [one for batch in Server.sent for one in batch.get("metrics", [])]
    assert [one["step"] for one in told if one["key"] == "final/loss"] == [1, 2, 3, 4, 5, 6]
    assert {one["key"] for batch in Server.sent for one in batch.get("params", [])} > {"seed", "learn.steps"}


@has_mlflow
def test_a_server_that_goes_away_ends_no_training(
    data: Path,
    plain: cryoglean.Run,
    tmp_path: Path,
    server: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(logbook, "_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = lambda: {one["key"] for batch in Server.sent for one in batch.get("metrics", [])}  # noqa: E731
    go = lambda: server.server_close() if "fold-1/loss" in told() else None  # noqa: E731
    monkeypatch.setattr(Server, "then", staticmethod(go))

    assert run([*train_words(data, tmp_path / "run"), "--log", "mlflow"]) == 0

    said = capsys.readouterr().err
    assert said.count("warning: nothing more is logged to mlflow") == 1
    assert "Traceback" not in said
    assert "fold-1/loss" in told()
    assert "fold-2/loss" not in told()
    assert weights(tmp_path / "run") == weights(plain.folder)


@both
def test_a_missing_package_is_told_before_the_training(
    logger: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == logger]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, logger, None)

    assert run([*train_words(data, tmp_path / "run"), "--log", logger]) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"error: --log {logger}: a package is missing")
    assert f"pip install 'cryoglean[{logger}]'" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("log", "said"), [(["tensorboards"], "Did you mean tensorboard?"), (["tensorboard", "tensorboard:x"], "twice")]
)
@has_tensorboard
def test_mistakes_are_told_before_the_training(
    log: list[str], said: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*train_words(data, tmp_path / "run"), *(f"--log={one}" for one in log)]) == 2

    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_typing_error_in_python_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="logs"):
        cryoglean.train(data / "mics", data / "labels.csv", 180, tmp_path / "run", logs=("tensorboard",))  # type: ignore[call-arg]


@has_tensorboard
@has_mlflow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])  # each imports all of it: 20 s
def test_each_cell_of_an_experiment_is_a_run_and_none_is_logged_again(
    workers: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cells, and a logger that fails for both, which is said once."""
    content = {
        "data": {"sim": {"micrographs": f"{data}/mics", "labels": f"{data}/truth.csv", "diameter_angstrom": 180}},
        "ratios": [0.5], "seeds": 1, "lines": [], "validation": 1, "effort": "quick", "settings": SETTINGS[:-1],
    }  # fmt: skip
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(content))
    grid, out = read_grid(tmp_path / "grid.yaml"), tmp_path / "out"
    keys = {cell.key for cell in plan(grid)}
    logs, said = choose_logs(out, ("tensorboard", "mlflow")), []
    listeners, broken = Listeners(sentence=said.append), Destination("nonsense", "", "")

    assert run_experiment(grid, Store(out), EngineChoice(workers), listeners, logs=(*logs, broken)).finished == 2

    assert [sentence.split(" (")[0] for sentence in said] == [
        "warning: nothing more is logged to nonsense, but the training goes on"
    ]
    results = {file.parent: json.loads(file.read_text()) for file in out.glob("cells/*/*/*/*/result.json")}
    assert sorted(one["line"] for one in results.values()) == ["oracle", "supervised"]
    logged = {one.info.run_name: one for one in mlflow_runs(tmp_path / "mlruns", monkeypatch)}
    for cell, result in results.items():
        name = cell.relative_to(out / "cells")
        assert read_tensorboard(out / "tensorboard" / name)["test/f1"] == [(0, pytest.approx(result["f1"]))]
        found = logged.pop(f"out/{name}")
        assert (found.info.status, found.data.metrics["test/f1"]) == ("FINISHED", pytest.approx(result["f1"]))
        assert (found.data.params["cell.line"], found.data.params["cell.ratio"]) == (result["line"], "0.5")
    assert not logged
    assert {one["key"] for one in results.values()} == keys
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run_experiment(grid, Store(out), EngineChoice(), logs=logs).before == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
