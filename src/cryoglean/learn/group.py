"""Processes that train one network together: each takes its share of a step's micro-steps, and gradients are added up.

The same steps as one process makes with as many micro-steps (`learn.accumulate`), up to rounding and what is averaged
on the way: batch normalisation's running statistics, labellers' states. After each step all hold the same weights.
Outside the training loop every process does the same work on its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from cryoglean.errors import RunError, SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """This process among those that train together.

    Args:
        rank: its number, from 0; number 0 is the one whose results are kept.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def parts(self, accumulate: int) -> range:
        """The micro-steps of a step that are this process's.

        Args:
            accumulate: how many a step has.

        Raises:
            SettingsError: they can't be shared evenly.
        """
        if accumulate % self.size:
            raise SettingsError(
                f"it is {accumulate}, which {self.size} processes can't share evenly", where="learn.accumulate",
                fix=f"Give a multiple of {self.size}; halve learn.batch where you double it, for as many crops a step.",
            )  # fmt: skip
        return range(self.rank, accumulate, self.size)

    def agree(self, **facts: object) -> None:
        """Check that all processes are at the same point.

        Raises:
            RunError: they are not.
        """
        told = self.gather(facts)
        if any(one != told[0] for one in told):
            raise RunError(
                f"the processes are at different points: {'; '.join(str(one) for one in told)}", where="training",
                fix="All must see the same files; resume with the same command.",
            )  # fmt: skip

    def gather(self, value: T) -> list[T]:
        """What each process says, in order of their numbers."""
        if self.size == 1:
            return [value]
        told: list[Any] = [None] * self.size
        distributed.all_gather_object(told, value)
        return told

    def of_first(self, value: T) -> T:
        """What process 0 says."""
        if self.size == 1:
            return value
        told: list[Any] = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]  # type: ignore[no-any-return]

    @torch.no_grad()
    def copy_first(self, *networks: nn.Module) -> None:
        """Give these networks the weights and buffers that they have in process 0."""
        if self.size > 1:
            for network in networks:
                for tensor in network.state_dict().values():
                    whole = tensor.contiguous()
                    distributed.broadcast(whole, src=0)
                    tensor.copy_(whole)

    @torch.no_grad()
    def add_gradients(self, network: nn.Module) -> None:
        """Replace each gradient by its sum over processes, and each running statistic by its mean."""
        if self.size > 1:
            _sum_up([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
            statistics = [each for each in network.buffers() if each.is_floating_point()]
            _sum_up(statistics)
            for each in statistics:
                each.div_(self.size)


def _sum_up(tensors: list[Tensor]) -> None:
    """In one message: there are many small ones."""
    if tensors:
        flat = torch.cat([each.reshape(-1) for each in tensors])
        distributed.all_reduce(flat)
        for each, part in zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True):
            each.copy_(part.view(each.shape))


def current_group() -> Group:
    """The group that this process was started in; a process alone is a group of one."""
    if distributed.is_available() and distributed.is_initialized():
        return Group(distributed.get_rank(), distributed.get_world_size())
    return Group()


def mean_of(memories: Iterable[Mapping[str, tuple[float, ...]]]) -> dict[str, tuple[float, ...]]:
    """Numbers that processes carry from step to step, averaged over those that have them."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for memory in memories:
        for name, values in memory.items():
            found.setdefault(name, []).append(values)
    return {
        name: tuple(sum(each) / len(each) for each in zip(*values, strict=True)) for name, values in found.items()
    }  # fmt: skip
