"""Runs the blocks of a page, in order, in one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from page_blocks import Block, Page

import cryoglean
from cryoglean.errors import CryogleanError
from cryoglean.settings import read_settings

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""A block may take that long, and the server to start."""
_CRYOGLEAN = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({socket!r})
    socket.send_fds(line, [b"."], [0, 1, 2])
    told = {{"folder": os.getcwd(), "environment": dict(os.environ)}}
    line.sendall((json.dumps(told) + "\\n" + json.dumps({{"words": sys.argv[1:]}}) + "\\n").encode())
    sys.exit(int(line.makefile().readline() or 70))
"""
_PIP = """#!{python} -I
import re, sys, tomllib
with open("{root}/pyproject.toml", "rb") as file:
    known = tomllib.load(file)["project"]["optional-dependencies"]
asked = ",".join(re.findall(r"(?:cryoglean|\\.)\\[(.*?)\\]", " ".join(sys.argv))).split(",")
sys.exit(", ".join(f"no extra {{name}}" for name in asked if name.strip() and name.strip() not in known) or 0)
"""
_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m pip") shift 2; exec pip "$@" ;;
  "-m venv") exit 0 ;;
esac
exec {python} "$@"
"""
_TOOLS = {
    "cryoglean": _CRYOGLEAN,
    "cryoglean-relion": '#!/bin/sh\nexec cryoglean relion "$@"\n',
    "make": '#!/bin/sh\nexec {make} -n -C "{root}" "$@"\n',  # fails where there is no such target, and runs nothing
    "git": '#!/bin/sh\n[ "$1" = clone ] && mkdir -p "$(basename "$2" .git)"\n',
    "pip": _PIP, "python": _PYTHON, "python3": _PYTHON,
}  # fmt: skip


class PageError(AssertionError):
    """A block failed; with page, line and output."""


class Runner:
    """The server, and the programs that pages find: cryoglean asks the server; make, git and pip only look."""

    def __init__(self, work: Path, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.work, self.tools, self.socket = work, work / "bin", str(work / "socket")
        self.tools.mkdir()
        told = {"make": shutil.which("make"), "root": ROOT, "python": sys.executable, "socket": self.socket}
        for name, text in _TOOLS.items():
            (self.tools / name).write_text(text.format(**told), encoding="utf-8")
            (self.tools / name).chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "PATH": os.pathsep.join([str(self.tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(Path(cryoglean.__file__).parents[1]),
            "OMP_NUM_THREADS": "1", "CRYOGLEAN_THREADS": "1", "MPLBACKEND": "Agg",
        }  # fmt: skip
        server = [sys.executable, str(Path(__file__).with_name("page_server.py")), self.socket]
        self.process = subprocess.Popen(server, env=self.environment, start_new_session=True)
        self._wait()

    def shell(self, text: str, folder: Path) -> None:
        """Run shell text, which stops where a command fails.

        Raises:
            PageError: one did, or it took too long.
        """
        words = ["bash", "-euo", "pipefail", "-c", text]
        with tempfile.TemporaryFile("w+") as said:
            shell = subprocess.Popen(
                words, cwd=folder, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                code = shell.wait(self.seconds)
            except subprocess.TimeoutExpired as error:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()
                raise PageError(f"it took more than {self.seconds} seconds") from error
            said.seek(0)
            if code:
                raise PageError(f"exit code {code}\n{said.read()[-3000:]}")

    def python(self, code: str, name: str, line: socket.socket) -> None:
        """Run Python in a process that `connect` made; what it defines stays for the next time.

        Raises:
            PageError: it failed, with the traceback, or took too long.
        """
        line.sendall(f"{json.dumps({'code': code, 'name': name})}\n".encode())
        try:
            answer = line.makefile().readline()
        except TimeoutError as error:
            raise PageError(f"it took more than {self.seconds} seconds") from error
        if answer != '""\n':
            raise PageError(json.loads(answer) if answer else "Python ended")

    def connect(self, folder: Path) -> socket.socket:
        """A process of its own for Python, in a folder."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(self.seconds)
        line.connect(self.socket)
        with Path(os.devnull).open("r+b") as nothing:
            socket.send_fds(line, [b"."], [nothing.fileno()] * 3)
        line.sendall(f"{json.dumps({'folder': str(folder), 'environment': self.environment})}\n".encode())
        return line

    def close(self) -> None:
        """Stop the server and what it runs."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as line:
                if line.connect_ex(self.socket) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the server of the pages did not start")


def run_page(page: Page, make_folder: Callable[[], Path], runner: Runner) -> None:
    """Run the blocks of a page.

    Args:
        page: the page.
        make_folder: makes another folder with what the page needs; the first block runs in one, and each with the note
            `folder: new`.
        runner: runs them.

    Raises:
        PageError: one failed; with page, line and what was said.
    """
    place = Place(make_folder(), runner)
    try:
        for number, block in enumerate(page.blocks):
            if block.notes.get("folder") == "new":
                place.close()
                place = Place(make_folder(), runner)
            try:
                place.run(block, page.blocks[number + 1 :])
            except (PageError, CryogleanError) as error:
                raise PageError(f"{page.name}:{block.line}: {error}") from error
    finally:
        place.close()


class Place:
    """A folder, and a process for Python in it."""

    def __init__(self, folder: Path, runner: Runner) -> None:
        self.folder, self.runner, self.line = folder, runner, runner.connect(folder)
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(runner.tools)

    def run(self, block: Block, later: Sequence[Block]) -> None:
        """Run a block.

        Args:
            block: the block.
            later: those after it, one of which has to use the file that the block is.

        Raises:
            PageError: it failed.
            SettingsError: it holds settings that are none.
        """
        if "not run" in block.notes:
            return
        if name := block.notes.get("file"):
            if not any(name in after.text for after in later if "not run" not in after.notes):
                raise PageError(f"no block after it uses {name}")
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(block.text, encoding="utf-8")
        elif block.language in ("sh", "bash"):
            self.runner.shell(block.text, self.folder)
        elif block.language == "python":
            self.runner.python(block.text, f"line {block.line}", self.line)
        elif block.language == "yaml":
            (self.folder / "block.yaml").write_text(block.text, encoding="utf-8")
            read_settings(self.folder / "block.yaml")

    def close(self) -> None:
        """End the process."""
        self.line.close()
