"""The one training loop. It knows steps, gradients, averages, validation and checkpoints; no strategy, no data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cryoglean.errors import RunError
from cryoglean.learn.checkpoint import (
    load_tensors,
    pack_network,
    pack_optimizer,
    save_tensors,
    unpack_network,
    unpack_optimizer,
)
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.schedule import learning_rate
from cryoglean.learn.teacher import AveragedNetwork
from cryoglean.settings import LearnSettings

Tell = Callable[[dict[str, Any]], None]
"""Is told what happens: one JSON-like mapping an event."""

Objective = Callable[[nn.Module, nn.Module, int], tuple[Tensor, dict[str, float]]]
"""(student, averaged teacher, micro-step) -> what to make small, and numbers worth telling.

The micro-step alone decides the batch, so that a resumed training sees the same batches as an unbroken one. Only the
networks may run in lower precision: a crop's coordinates in bfloat16 are wrong by a third of a pixel."""

Validate = Callable[[nn.Module], dict[str, float]]
"""Network -> scores; `average_precision` decides which weights are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What a training came to.

    Args:
        network: the averaged network of the best validation, or of the last step without one.
        best_step: how many steps it had seen.
        best_score: its validation score; None without validation.
    """

    network: nn.Module
    best_step: int
    best_score: float | None


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """How a training runs, besides the settings.

    Args:
        tell: is told `step` and `validation` events.
        validate: called every `validate_every` steps with the averaged network; without it the last weights are
            the result.
        phase: its name in the events.
        checkpoint_file: where it saves itself; None: nowhere.
        resumes: whether it continues from that file if it exists.
        keeps_best: whether the weights of the best validation are the result, or those of the last step.
        memory: numbers that the objective carries from step to step; kept in the checkpoint.
    """

    tell: Tell
    validate: Validate | None = None
    phase: str = "train"
    checkpoint_file: Path | None = None
    resumes: bool = False
    keeps_best: bool = True
    memory: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    """Everything that a checkpoint holds."""

    student: nn.Module
    teacher: AveragedNetwork
    best: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    best_step: int = 0
    best_score: float | None = None

    def save(self, path: Path, plan: LoopPlan) -> None:
        tensors = {
            **pack_network(self.student, "student"),
            **pack_network(self.teacher.network, "teacher"),
            **pack_network(self.best, "best"),
            **pack_optimizer(self.optimizer),
        }
        facts = {"phase": plan.phase, "step": self.step, "best_step": self.best_step, "best_score": self.best_score}
        save_tensors(path, tensors, {**facts, "memory": plan.memory})

    def load(self, path: Path, plan: LoopPlan) -> None:
        tensors, facts = load_tensors(path)
        unpack_network(self.student, tensors, "student")
        unpack_network(self.teacher.network, tensors, "teacher")
        unpack_network(self.best, tensors, "best")
        unpack_optimizer(self.optimizer, tensors)
        self.step, self.best_step, self.best_score = facts["step"], facts["best_step"], facts["best_score"]
        plan.memory.update({name: tuple(values) for name, values in facts.get("memory", {}).items()})


def fit(
    network: nn.Module,
    objective: Objective,
    settings: LearnSettings,
    hardware: Hardware,
    plan: LoopPlan,
) -> Fit:
    """Make the objective small.

    Args:
        network: the student; trained in place.
        objective: see `Objective`.
        settings: steps, learning rate, clipping, averaging.
        hardware: where it runs.
        plan: who is told, who validates, checkpoint and resume.

    Returns:
        The averaged network, of the best validation or of the last step.

    Raises:
        RunError: the checkpoint to resume from is broken or of another network, or the loss is not a number.
    """
    state = _start(network, settings, hardware)
    if plan.resumes and plan.checkpoint_file is not None and plan.checkpoint_file.exists():
        state.load(plan.checkpoint_file, plan)
        plan.tell({"event": "resumed", "phase": plan.phase, "step": state.step})
    saved_at = time.monotonic()
    while state.step < settings.steps:
        facts = _make_step(state, objective, settings)
        plan.tell({"event": "step", "phase": plan.phase, "step": state.step, **facts})
        if plan.validate is not None and (state.step % settings.validate_every == 0 or state.step == settings.steps):
            _keep_if_better(state, plan.validate(state.teacher.network), plan)
        is_due = time.monotonic() - saved_at >= settings.checkpoint_every_seconds
        if plan.checkpoint_file is not None and (is_due or state.step == settings.steps):
            state.save(plan.checkpoint_file, plan)
            saved_at = time.monotonic()
    if plan.validate is None or not plan.keeps_best:
        return Fit(state.teacher.network, state.step, None)
    return Fit(state.best, state.best_step, state.best_score)


def _start(network: nn.Module, settings: LearnSettings, hardware: Hardware) -> _State:
    student = hardware.place(network)
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    teacher = AveragedNetwork(student, settings.ema_decay)
    return _State(student, teacher, AveragedNetwork(student, 0.0).network, optimizer)


def _make_step(state: _State, objective: Objective, settings: LearnSettings) -> dict[str, float]:
    """One optimiser step over `accumulate` micro-steps; the numbers worth telling."""
    rate = learning_rate(state.step, settings)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.student.train()
    state.optimizer.zero_grad(set_to_none=True)
    facts: dict[str, float] = {}
    for part in range(settings.accumulate):
        loss, said = objective(state.student, state.teacher.network, state.step * settings.accumulate + part)
        (loss / settings.accumulate).backward()  # type: ignore[no-untyped-call]
        for name, value in {"loss": float(loss.detach()), **said}.items():
            facts[name] = facts.get(name, 0.0) + value / settings.accumulate
    if not math.isfinite(facts["loss"]):
        raise RunError(
            f"the loss of step {state.step + 1} is not a number", where="training",
            fix="Lower learn.learning_rate, or use learn.precision=float32.",
        )  # fmt: skip
    norm = torch.nn.utils.clip_grad_norm_(state.student.parameters(), settings.clip_norm)
    if torch.isfinite(norm):  # a gradient that overflows is skipped, not learned from
        state.optimizer.step()
    state.teacher.update(state.student, state.step)
    state.step += 1
    return {**facts, "gradient_norm": float(torch.nan_to_num(norm, posinf=-1.0)), "learning_rate": rate}


def _keep_if_better(state: _State, scores: dict[str, float], plan: LoopPlan) -> None:
    score = scores["average_precision"]
    is_better = state.best_score is None or score > state.best_score
    if is_better:
        state.best.load_state_dict(state.teacher.network.state_dict())
        state.best_score, state.best_step = score, state.step
    plan.tell({"event": "validation", "phase": plan.phase, "step": state.step, **scores, "is_best": is_better})
