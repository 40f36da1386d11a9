"""What this machine can do, found out once: device, precision, memory layout, threads, allocator."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from cryoglean.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and how networks are run.

    Args:
        device: `cpu`, `cuda` or `mps`.
        half: whether matrix products are done in bfloat16 (weights stay float32).
    """

    device: torch.device
    half: bool

    @contextlib.contextmanager
    def precision(self) -> Iterator[None]:
        """Inside, the forward pass runs in the chosen precision."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half):
            yield

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, channels last: convolutions are 1.4 to 4 times faster so (docs/log.md)."""
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def send(self, batch: Tensor) -> Tensor:
        """A (n, c, y, x) batch on the device, channels last."""
        return batch.to(self.device, memory_format=torch.channels_last, non_blocking=True)

    def describe(self, threads: int | None = None) -> str:
        """Such as `cpu, bfloat16, 2 threads`; the threads are those of this process, or as said."""
        count = torch.get_num_threads() if threads is None else threads
        return f"{self.device.type}, {'bfloat16' if self.half else 'float32'}, {count} threads"


def find_hardware(precision: Literal["auto", "bfloat16", "float32"] = "auto", device: str | None = None) -> Hardware:
    """The best device there is (or `CRYOGLEAN_DEVICE`), and bfloat16 where that is multiplied in hardware.

    Args:
        precision: `auto` decides by the processor; the others are obeyed.
        device: overrides the environment.

    Raises:
        SettingsError: the device asked for does not exist here.
    """
    name = device or os.environ.get("CRYOGLEAN_DEVICE", "auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
        chosen = torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingsError(
            f"there is no device '{name}' here", where="CRYOGLEAN_DEVICE", fix="Use auto, cpu, cuda or mps."
        ) from error
    _prepare_process()
    if chosen.type == "cuda":
        _prepare_cuda()
    half = precision == "bfloat16" or (precision == "auto" and _multiplies_bfloat16(chosen))
    return Hardware(chosen, half)


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return _has_instruction("amx_bf16") or _has_instruction("avx512_bf16")
    return False


def _has_instruction(name: str) -> bool:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="ignore") as file:
            return any(line.startswith("flags") and f" {name}" in line for line in file)
    except OSError:
        return False


@cache
def _prepare_process() -> None:
    """Set threads, and keep glibc from giving memory back after each step: page faults cost up to a third."""
    torch.set_num_threads(thread_count())
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


@cache
def _prepare_cuda() -> None:
    """Let the same seed give the same weights: cuDNN and scattered sums choose their order anew otherwise."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(mode=True, warn_only=True)


def thread_count() -> int:
    """Threads for this process: `CRYOGLEAN_THREADS`, else one.

    Small networks gain little from a second thread, and lose a lot when another process wants the core: the same
    training took 46 CPU-seconds with one thread and 152 with two beside one busy process (docs/log.md). Several
    processes use several cores better.

    Raises:
        SettingsError: `CRYOGLEAN_THREADS` is not a number above 0.
    """
    asked = os.environ.get("CRYOGLEAN_THREADS")
    if asked is None:
        return 1
    if not asked.isdecimal() or int(asked) < 1:
        raise SettingsError(f"'{asked}' is not a number above 0", where="CRYOGLEAN_THREADS")
    return int(asked)
