"""Runs cryoglean and Python for blocks of the documentation: imports once, then forks; trains and simulates little.

`python page_server.py SOCKET`. A connection is a process. It begins with a byte, three files (standard input, output,
error) and a line of JSON, {"folder", "environment"}; each further line is {"words"} for a command or {"code", "name"}
for Python in one namespace. Each is answered by a line: the exit code, or the traceback.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

FOUND = 3
"""What `cryoglean doctor` leaves with when it found something: no failure of a page."""


def make_small() -> None:
    """Whatever is asked for: few steps, small crops, one view; small simulated micrographs."""
    from cryoglean import settings, simulation

    choose, simulate = settings.choose_settings, simulation.simulate_folder

    def choose_small(*words: Any, **named: Any) -> settings.Settings:
        chosen = choose(*words, **named)
        learn = {
            "steps": min(chosen.learn.steps, 4), "crop_pixels": min(chosen.learn.crop_pixels, 64),
            "batch": min(chosen.learn.batch, 16), "precision": "float32",
        }  # fmt: skip
        parts = {"learn": chosen.learn.model_copy(update=learn), "pick": chosen.pick.model_copy(update={"views": 1})}
        return chosen.model_copy(update=parts)

    def simulate_small(out: Path, micrographs: int, seed: int, made: Any, *others: Any) -> Any:
        small = {"shape_pixels": (224, 224), "particles_per_micrograph": 12.0, "views": 8}
        return simulate(out, micrographs, seed, made.model_copy(update=small), *others)

    settings.choose_settings = choose_small
    simulation.simulate_folder = simulate_small


def preload() -> None:
    """What commands import; after `make_small`, since they take functions by name."""
    from cryoglean.cli.main import make_app
    from cryoglean.registry import card_names, kinds, load_card

    commands = [name for name in make_app() if not name.startswith("-")]
    for name in ("cryoglean.api", "cryoglean.compat", *(f"cryoglean.cli.{name}" for name in commands)):
        importlib.import_module(name)
    for name in ("matplotlib.pyplot", "torch._dynamo"):  # slow, and else imported when needed
        importlib.import_module(name)
    for kind in kinds():
        for name in card_names(kind):
            load_card(kind, name)


def serve(path: str) -> None:
    """Answer until killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(64)
        while True:
            connection, _ = door.accept()
            if os.fork() == 0:
                _answer(connection)
                os._exit(0)
            connection.close()


def _answer(connection: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    if not files:  # somebody only asked whether we are here
        return
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    with connection.makefile("rw", encoding="utf-8") as lines:
        told = json.loads(lines.readline())
        os.chdir(told["folder"])
        os.environ.clear()
        os.environ.update(told["environment"])
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for line in lines:
            answer = _do(json.loads(line), namespace)
            sys.stdout.flush()
            sys.stderr.flush()
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


def _do(request: dict[str, Any], namespace: dict[str, Any]) -> int | str:
    """Run a command, or Python; its exit code, or how it failed ("" if it did not)."""
    from cryoglean.cli.main import run

    if "words" in request:
        try:
            code = run(request["words"])
        except SystemExit as end:  # --help and --version
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:  # noqa: BLE001 - as Python would
            traceback.print_exc()
            return 1
        return 0 if code == FOUND and request["words"][:1] == ["doctor"] else code
    try:
        exec(compile(request["code"], request["name"], "exec"), namespace)
    except BaseException:  # noqa: BLE001 - whoever asked hears of it
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    make_small()
    preload()
    serve(sys.argv[1])
