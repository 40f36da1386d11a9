"""One file that a killed training continues from: weights, averages, optimiser and the best so far, as safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cryoglean.durable import write_file_atomically
from cryoglean.errors import RunError


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and JSON facts to one safetensors file, atomically.

    Args:
        path: the file; the old one stays whole until the new one is on disk.
        tensors: by name; copied to the CPU.
        facts: JSON values, kept in the file's header.
    """
    plain = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    write_file_atomically(path, lambda temporary: save_file(plain, temporary, {"facts": json.dumps(facts)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote.

    Raises:
        RunError: the file is missing, broken, or of another program.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except FileNotFoundError as error:
        raise RunError("it is missing", where=path, fix="Train again.") from error
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise RunError(f"it is not a file of cryoglean's weights ({error})", where=path, fix="Train again.") from error


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory as tensors by `optimizer.<parameter>.<name>`."""
    return {
        f"optimizer.{parameter}.{name}": torch.as_tensor(value)
        for parameter, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser its memory back; its settings stay as they are."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, parameter, name = key.split(".", maxsplit=2)
            state.setdefault(int(parameter), {})[name] = tensor
    optimizer.load_state_dict({**whole, "state": state})


def pack_network(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """The weights and buffers of a network under a prefix."""
    return {f"{prefix}.{name}": tensor for name, tensor in network.state_dict().items()}


def unpack_network(network: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Give a network the weights under a prefix.

    Raises:
        RunError: they are of another network.
    """
    chosen = {
        name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")
    }
    try:
        network.load_state_dict(chosen)
    except RuntimeError as error:
        raise RunError(
            "the weights belong to another network", where=prefix, fix="Use the settings they were trained with."
        ) from error
