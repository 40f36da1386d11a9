"""MLflow: a tracking server, or a folder."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryoglean.errors import SettingsError
from cryoglean.series import Row

_PARAMETERS_AT_ONCE, _NUMBERS_AT_ONCE = 100, 1000  # what MLflow takes
_LONGEST_NAME = 250
_MEANWHILE = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
"""Else MLflow refuses folders (data bases need what mlflow-skinny has not), and prints where our JSON goes."""
_UNLESS_SAID = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""A training waits so long for a server that is gone, once; MLflow would try for many minutes."""


def choose_place(text: str, folder: Path) -> tuple[str, str]:
    """The address of a store that can be logged to, and the name of the run in it.

    Args:
        text: an address or a folder; empty takes MLFLOW_TRACKING_URI, or else `mlruns` beside the run's folder.
        folder: the run's.

    Raises:
        ImportError: the package mlflow-skinny is missing.
        SettingsError: it can't be logged to, or the address holds a password.
    """
    _load()
    wished = text or os.environ.get("MLFLOW_TRACKING_URI", "") or str(folder.parent / "mlruns")
    address = wished if re.match(r"[A-Za-z][\w+.-]+:", wished) else Path(wished).expanduser().resolve().as_uri()
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise SettingsError(
            f"the address of {parts.hostname} holds a name or password, which would be kept in files",
            where="--log mlflow", fix="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead.",
        )  # fmt: skip
    if parts.scheme not in ("file", "http", "https") and importlib.util.find_spec("sqlalchemy") is None:
        raise SettingsError(
            f"a store at {parts.scheme}: needs all of MLflow", where="--log mlflow",
            fix="pip install mlflow; or give a folder, or the address of a server.",
        )  # fmt: skip
    try:
        with _environment():
            _experiment(_client(address))
    except Exception as error:
        raise SettingsError(
            f"nothing can be logged to {address} ({error})", where="--log mlflow",
            fix="Start the server, or give a folder.",
        ) from error  # fmt: skip
    return address, folder.name


class MLflowLog:
    """A run of MLflow.

    Args:
        address: of the store.
        name: of the run, where a new one is made.
        identity: of the run that is continued; a new one is made where that was deleted, or where this is empty.
        parameters: by name.
    """

    def __init__(self, address: str, name: str, identity: str, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        with _environment():
            self._client = _client(address)
            self.identity = identity if identity and _is_there(self._client, identity) else self._make(name)
            self._client.update_run(self.identity, status="RUNNING")
            named = [Param(key[:_LONGEST_NAME], str(value)) for key, value in parameters.items()]
            for start in range(0, len(named), _PARAMETERS_AT_ONCE):
                self._client.log_batch(self.identity, params=named[start : start + _PARAMETERS_AT_ONCE])
            self.last_steps = {
                key: max((one.step for one in self._client.get_metric_history(self.identity, key)), default=-1)
                for key in self._client.get_run(self.identity).data.metrics
            }

    def write(self, rows: Sequence[Row]) -> None:
        """Send them."""
        from mlflow.entities import Metric

        metrics = [
            Metric(key[:_LONGEST_NAME], value, int(1000 * row.seconds), row.step)
            for row in rows
            for key, value in row.values.items()
        ]
        with _environment():
            for start in range(0, len(metrics), _NUMBERS_AT_ONCE):
                self._client.log_batch(self.identity, metrics=metrics[start : start + _NUMBERS_AT_ONCE])

    def close(self, status: str) -> None:
        """Say how it ended: FINISHED, FAILED or KILLED."""
        with _environment():
            self._client.set_terminated(self.identity, status)

    def _make(self, name: str) -> str:
        return str(self._client.create_run(_experiment(self._client), run_name=name).info.run_id)


def open_log(place: str, name: str, identity: str, parameters: Mapping[str, Any]) -> MLflowLog:
    """A run, new or continued.

    Args:
        place: the address of the store.
        name: of the run.
        identity: of the log that is continued; empty: none is.
        parameters: of the training, by name.

    Raises:
        MlflowException: the store can't be reached, or refuses it.
    """
    _load()
    return MLflowLog(place, name, identity, parameters)


def _load() -> None:
    """Import MLflow with nothing sent to its makers, also where it was imported before.

    Raises:
        ImportError: it is missing.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.telemetry import set_telemetry_client

    set_telemetry_client()  # makes none, as the variable says


def _client(address: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=address)


def _experiment(client: Any) -> str:
    """The number of the experiment that all runs belong to, made if it is not there."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "cryoglean"
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _is_there(client: Any, identity: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(identity).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


@contextmanager
def _environment() -> Iterator[None]:
    """Inside, MLflow's variables are as we want them; afterwards as they were, for a notebook that uses MLflow, too."""
    before = dict(os.environ)
    os.environ.update(_MEANWHILE | {name: value for name, value in _UNLESS_SAID.items() if name not in before})
    try:
        yield
    finally:
        for name in _MEANWHILE | _UNLESS_SAID:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
