"""What a result was made with: command, versions, machine."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("cryoglean", "torch", "numpy", "scipy", "mrcfile", "gemmi", "safetensors")


def describe_environment(hardware: str) -> dict[str, Any]:
    """The facts that a reader needs to make the result again.

    Args:
        hardware: device, precision and threads in words.
    """
    return {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],  # noqa: PTH119
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "hardware": hardware,
        "packages": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """The versions of what decides a result."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    except OSError:
        return platform.processor() or "unknown"


def is_launched() -> bool:
    """Whether torch's own launcher (`torchrun`) started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def is_first() -> bool:
    """Whether this process is the one that speaks and whose files are kept."""
    return not is_launched() or os.environ.get("RANK", "0") == "0"
