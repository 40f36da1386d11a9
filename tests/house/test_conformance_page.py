"""docs/conformance.md is what the scripts write from their results."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_script_writes() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        made = importlib.import_module("conformance_page").page(ROOT / "benchmarks" / "results")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))

    written = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert made == written, "run `python benchmarks/conformance.py --page-only`"
