"""Worker processes import the tests' module of work."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def work_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        monkeypatch.syspath_prepend(folder)
