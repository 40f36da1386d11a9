"""Processes that train together: shares, agreement, what is averaged; real ones are in tests/story/test_together.py."""

import pytest
import torch
from torch import nn

from cryoglean.errors import RunError, SettingsError
from cryoglean.learn.group import Group, current_group, mean_of


def test_shares_are_disjoint_and_complete() -> None:
    shares = [list(Group(rank, 3).parts(6)) for rank in range(3)]

    assert shares == [[0, 3], [1, 4], [2, 5]]


def test_shares_that_are_uneven_are_refused() -> None:
    with pytest.raises(SettingsError, match="multiple of 2"):
        Group(1, 2).parts(3)


def test_processes_at_different_points_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Group, "gather", lambda _, value: [value, {**value, "step": 7}])

    with pytest.raises(RunError, match="different points"):
        Group(0, 2).agree(phase="train", step=5)


def test_a_process_alone_changes_nothing() -> None:
    group, network = current_group(), nn.BatchNorm2d(2)
    network.weight.grad = torch.ones(2)
    network.running_mean = torch.full((2,), 3.0)

    group.add_gradients(network)
    group.agree(step=3)

    assert (group.rank, group.size) == (0, 1)
    assert list(group.parts(5)) == [0, 1, 2, 3, 4]
    assert group.gather("x") == ["x"]
    assert network.weight.grad.tolist() == [1, 1]
    assert network.running_mean.tolist() == [3, 3]


def test_what_is_carried_on_is_averaged_over_those_that_carry_it() -> None:
    assert mean_of([{"a": (1.0, 2.0)}, {"a": (3.0, 6.0), "b": (5.0,)}]) == {"a": (2.0, 4.0), "b": (5.0,)}
