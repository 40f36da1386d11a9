"""TensorBoard: event files in a folder."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from cryoglean.errors import SettingsError
from cryoglean.series import Row


def choose_place(text: str, folder: Path) -> tuple[str, str]:
    """A folder, and the name of the run in it.

    Args:
        text: the folder asked for; empty takes `tensorboard` in the run's.
        folder: the run's.

    Raises:
        ImportError: the package tensorboard is missing.
        SettingsError: it can't be a folder.
    """
    import tensorboard.compat.proto.event_pb2  # noqa: F401 (is it there?)

    place, name = (Path(text).expanduser().resolve(), folder.name) if text else (folder, "tensorboard")
    there = next(path for path in (place, *place.parents) if path.exists())
    if not there.is_dir():
        raise SettingsError(f"{there} is a file", where="--log tensorboard", fix="Give a folder.")
    return str(place), name


class TensorBoardLog:
    """A run of TensorBoard: a folder that nobody else writes to.

    Each opening adds a file with what is new. TensorBoard's own way, a start event that hides all steps from one on
    (`purge_step`), would hide other phases', too, since each phase counts from 1.

    Args:
        folder: of the run.
        parameters: by name; shown under HPARAMS.
    """

    def __init__(self, folder: Path, parameters: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self.identity = str(folder)
        self.last_steps = _last_steps(folder)
        self._file = folder / f"events.out.tfevents.{int(time.time()):010d}.{platform.node()}.{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        first = [Event(wall_time=time.time(), file_version="brain.Event:2")]
        if not self.last_steps:
            first.append(Event(wall_time=time.time(), summary=hparams_pb(dict(parameters), trial_id=str(folder))))
        self._append(first)

    def write(self, rows: Sequence[Row]) -> None:
        """Add them to the file."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._append(
            Event(
                wall_time=row.seconds, step=row.step,
                summary=Summary(value=[Summary.Value(tag=tag, simple_value=one) for tag, one in row.values.items()]),
            )
            for row in rows
        )  # fmt: skip

    def close(self, status: str) -> None:
        """Nothing is open; TensorBoard knows no status."""

    def _append(self, events: Iterable[Any]) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        whole = BytesIO()
        writer = RecordWriter(whole)
        for event in events:
            writer.write(event.SerializeToString())
        with self._file.open("ab") as file:
            file.write(whole.getvalue())


def open_log(place: str, name: str, identity: str, parameters: Mapping[str, Any]) -> TensorBoardLog:
    """The run's folder.

    Args:
        place: the folder of all runs.
        name: of this run, below it; another run of that name is left alone: this one gets a number.
        identity: of the log that is continued; empty: none is.
        parameters: of the training, by name.

    Raises:
        OSError: it can't be written.
    """
    wished = Path(place) / name
    numbered = (wished if number == 1 else wished.with_name(f"{wished.name}-{number}") for number in count(1))
    folder = Path(identity) if identity else next(one for one in numbered if not any(one.glob("*tfevents*")))
    return TensorBoardLog(folder, parameters)


def _last_steps(folder: Path) -> dict[str, int]:
    """The last step of each tag that is in the folder's files; a torn end, of a writer that was killed, is left out."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: dict[str, int] = {}
    for file in sorted(folder.glob("*tfevents*")):
        for event in LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found[value.tag] = max(found.get(value.tag, -1), event.step)
    return found
