"""The files by which RELION and an external job tell each other how it goes.

RELION 5 polls a job's folder for `RELION_JOB_EXIT_SUCCESS`, `_FAILURE` and `_ABORTED`, not the exit code, and asks a
job to stop by `RELION_JOB_ABORT_NOW` (https://relion.readthedocs.io, "Using RELION", External job type).
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from cryoglean.durable import write_text_atomically
from cryoglean.io.star_tables import render_star_tables

_SUCCESS, _FAILURE, _ABORTED = (f"RELION_JOB_EXIT_{word}" for word in ("SUCCESS", "FAILURE", "ABORTED"))
ABORT_NOW = "RELION_JOB_ABORT_NOW"
_SECONDS_BETWEEN_LOOKS = 0.5


@contextlib.contextmanager
def marking(folder: Path) -> Iterator[None]:
    """Inside, the job is at work; how it ends is marked in its folder, and RELION's wish to abort interrupts it.

    Marks of an earlier run are taken away first. An abort ends the work as Ctrl-C does: what is finished is kept, and
    the same job continued goes on from there. A queue that takes the machine back (SIGTERM) does the same.

    Args:
        folder: the job's folder; made if needed.

    Raises:
        KeyboardInterrupt: RELION, a queue, or somebody at the keyboard, has asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_SUCCESS, _FAILURE, _ABORTED, ABORT_NOW):
        (folder / name).unlink(missing_ok=True)
    mark = _FAILURE
    try:
        with _interrupted_by(folder / ABORT_NOW):
            yield
        mark = _SUCCESS
    except KeyboardInterrupt:
        mark = _ABORTED
        raise
    finally:
        (folder / ABORT_NOW).unlink(missing_ok=True)
        (folder / mark).touch()


def mark_failure(folder: Path) -> None:
    """Mark a job as failed that never began."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FAILURE).touch()


def write_output_nodes(folder: Path, nodes: dict[str, str]) -> None:
    """Write `RELION_OUTPUT_NODES.star`, from which RELION learns what a job has made.

    Args:
        folder: the job's folder.
        nodes: file name in the folder -> type, such as `MicrographCoordsGroup.star.relion.autopick`.

    Raises:
        OSError: it can't be written.
    """
    table = {
        "rlnPipeLineNodeName": [(folder / name).as_posix() for name in nodes],
        "rlnPipeLineNodeTypeLabel": list(nodes.values()),
    }
    write_text_atomically(folder / "RELION_OUTPUT_NODES.star", render_star_tables({"output_nodes": table}))


@contextlib.contextmanager
def _interrupted_by(file: Path) -> Iterator[None]:
    """Inside, the main thread is interrupted as soon as the file is there, or by SIGTERM.

    Not by SIGINT: RELION starts jobs as `command &` in a shell without job control, which makes them ignore it.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(file, ended), daemon=True)
    before = signal.signal(signal.SIGTERM, _interrupt)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _watch(file: Path, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS_BETWEEN_LOOKS):
        if file.exists():
            _thread.interrupt_main(signal.SIGTERM)
            return
