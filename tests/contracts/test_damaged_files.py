"""Some damaged files for each reader; `benchmarks/fuzz_formats.py` makes a hundred thousand of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INPUTS = 200


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are set as Unix has them")
def test_no_reader_breaks_on_damaged_files(tmp_path: Path) -> None:
    """Every input is read or refused in one line, within a second, in little memory, and no library crashes."""
    out = tmp_path / "fuzz.json"
    words = [sys.executable, str(ROOT / "benchmarks" / "fuzz_formats.py"), "--inputs", str(INPUTS), "--seed", "11"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([*words, "--out", str(out)], capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 0, done.stderr
    readers = json.loads(out.read_text(encoding="utf-8"))["readers"]
    assert len(readers) == 17
    for name, row in readers.items():
        assert row["findings"] == [], f"{name}: {row['findings']}"
        assert row["inputs"] == row["read"] + row["refused"] == INPUTS, name
        assert row["refused"] > 0, name
    assert sum(row["read"] for row in readers.values()) > INPUTS
