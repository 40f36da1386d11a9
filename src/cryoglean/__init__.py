"""cryoglean: label a handful of cryo-EM micrographs, and it picks the rest.

Ten public names, each loaded when it is touched, so that `cryoglean --help` needs no torch.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoglean.api import evaluate, pick, report, simulate, train
    from cryoglean.io.micrographs import read_micrograph
    from cryoglean.io.picks import read_picks, write_picks
    from cryoglean.picks import Picks
    from cryoglean.run import Run

_HOMES = {
    "train": "cryoglean.api",
    "pick": "cryoglean.api",
    "evaluate": "cryoglean.api",
    "simulate": "cryoglean.api",
    "report": "cryoglean.api",
    "read_micrograph": "cryoglean.io.micrographs",
    "read_picks": "cryoglean.io.picks",
    "write_picks": "cryoglean.io.picks",
    "Picks": "cryoglean.picks",
    "Run": "cryoglean.run",
}

__all__ = [
    "Picks",
    "Run",
    "evaluate",
    "pick",
    "read_micrograph",
    "read_picks",
    "report",
    "simulate",
    "train",
    "write_picks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cryoglean' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]


class _Package(ModuleType):
    """Keeps `cryoglean.pick` the function: importing the room `cryoglean.pick` would put the module in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
