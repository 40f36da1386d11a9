"""What the tests' tasks do; a module of its own, so that worker processes can import it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from cryoglean.errors import MicrographError


def double(number: int) -> int:
    return 2 * number


def who(_: Any) -> dict[str, str | None]:
    names = ("CRYOGLEAN_THREADS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    time.sleep(0.2)
    return {"pid": str(os.getpid()), **{name: os.environ.get(name) for name in names}}


def act(what: tuple[str, Path]) -> str:
    """Do what the word says, and count in the folder how often it was begun."""
    word, folder = what
    begun = len(list(folder.glob(f"{word}-*")))
    (folder / f"{word}-{os.getpid()}-{begun}").touch()
    if word == "refuse":
        raise MicrographError("it is empty", where="a.mrc")
    if word == "fail" or (word == "fail once" and begun == 0):
        raise ValueError("no such thing")
    if word == "die" or (word == "die once" and begun == 0) or (word == "die second time" and begun == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "lag once" and begun == 0:
        time.sleep(60)
    time.sleep(0.1)
    return word
