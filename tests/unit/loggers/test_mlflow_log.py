"""MLflow: its variables stay as they were, nothing is sent to its makers, mistakes are told at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cryoglean.errors import SettingsError
from cryoglean.loggers.mlflow import choose_place, open_log
from cryoglean.series import Row

pytest.importorskip("mlflow", reason="`pip install 'cryoglean[mlflow]'` is needed")
LISTEN = """
import sys, threading, time
def heard(event, given):
    if event == "socket.getaddrinfo" or event == "socket.connect" and isinstance(given[1], tuple):
        print("to", given[:2], flush=True)
sys.addaudithook(heard)
from cryoglean.loggers.mlflow import choose_place, open_log
from cryoglean.series import Row
from pathlib import Path
log = open_log(*choose_place("", Path({folder!r}, "run")), "", {{"a": 1}})
log.write([Row(1, 1.0, {{"x": 0.5}})])
log.close("FINISHED")
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        print("a thread", thread.name)
        thread.join(3)
"""


def listen(folder: Path) -> str:
    """What a process that logs connects to, where no variable that MLflow takes for CI is set."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    code = LISTEN.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=True)
    return done.stdout


def test_nothing_is_sent_to_its_makers(tmp_path: Path) -> None:
    assert listen(tmp_path) == ""
    assert (tmp_path / "mlruns").is_dir()


def test_a_run_is_continued_and_one_that_was_deleted_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = dict(os.environ)
    place, name = choose_place("", tmp_path / "run")
    first = open_log(place, name, "", {"a": 1})
    first.write([Row(step, step, {"x": 0.5}) for step in range(1, 1200)])

    again = open_log(place, name, first.identity, {"a": 1})
    other = open_log(place, name, "0" * 32, {"a": 1})

    assert place == (tmp_path / "mlruns").as_uri()
    assert (again.identity, again.last_steps) == (first.identity, {"x": 1199})
    assert (other.identity == first.identity, other.last_steps) == (False, {})
    assert {name for name in os.environ if os.environ[name] != before.get(name)} <= {"MLFLOW_DISABLE_TELEMETRY"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("http://me:secret@127.0.0.1:9", "MLFLOW_TRACKING_PASSWORD"),
        ("http://127.0.0.1:9", "Start the server"),
        ("nonsense://127.0.0.1", "nonsense:"),
    ],
)
def test_what_cannot_be_logged_to_is_refused(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        choose_place(place, tmp_path / "run")

    assert "secret" not in str(caught.value)


def test_the_variable_says_where_unless_the_option_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "all"))

    assert choose_place("", tmp_path / "run") == ((tmp_path / "all").as_uri(), "run")
    assert choose_place(str(tmp_path / "other"), tmp_path / "run") == ((tmp_path / "other").as_uri(), "run")
