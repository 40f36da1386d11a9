"""The import contracts hold, and each of them catches what it is there for."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "cryoglean"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def floors() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    assert contract["exhaustive"]
    return [room.strip() for layer in contract["layers"] for room in layer.split("|")]


def test_the_contracts_hold() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_every_module_has_exactly_one_floor() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert sorted(floors()) == sorted(modules | rooms)


VIOLATIONS = {
    "a word imports a room": ("picks.py", "from cryoglean.evaluate import match"),
    "a room imports another room": ("prepare/rescale.py", "from cryoglean.io import picks"),
    "a room imports the pipeline": ("losses/bce.py", "import cryoglean.pipeline"),
    "a card imports another card": ("losses/dice.py", "from cryoglean.losses import focal"),
    "a room that must not imports torch": ("evaluate/match.py", "import torch"),
    "a folder without a floor": ("utils/__init__.py", '"""Odds and ends."""'),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_deliberate_violation_is_caught(violation: str, tmp_path: Path) -> None:
    file, line = VIOLATIONS[violation]
    shutil.copytree(PACKAGE, tmp_path / "src" / "cryoglean", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "src" / "cryoglean" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + f"\n{line}\n", encoding="utf-8")

    done = lint(tmp_path)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert file.split("/")[0].removesuffix(".py") in done.stdout
