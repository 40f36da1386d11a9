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
from cryoglean.health import has_collapsed
from cryoglean.learn.checkpoint import (
    load_tensors,
    pack_network,
    pack_optimizer,
    save_tensors,
    unpack_network,
    unpack_optimizer,
)
from cryoglean.learn.group import Group, current_group, mean_of
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.inspection import UNLABELLED_WEIGHT, Inspection, has_unlabelled
from cryoglean.learn.schedule import learning_rate
from cryoglean.learn.teacher import AveragedNetwork
from cryoglean.settings import LearnSettings, MonitorSettings

Tell = Callable[[dict[str, Any]], None]
"""Is told what happens: one JSON-like mapping an event."""

Objective = Callable[[nn.Module, nn.Module, int], tuple[dict[str, Tensor], dict[str, float]]]
"""(student, averaged teacher, micro-step) -> terms whose sum is made small, by stream, and numbers worth telling.

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
        unlabelled_weight: of unlabelled terms in the end, relative to the settings: below 1 after a roll-back.
    """

    network: nn.Module
    best_step: int
    best_score: float | None
    unlabelled_weight: float = 1.0


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
        watch: how often a step is looked into, and whether a collapse is undone.
    """

    tell: Tell
    validate: Validate | None = None
    phase: str = "train"
    checkpoint_file: Path | None = None
    resumes: bool = False
    keeps_best: bool = True
    memory: dict[str, tuple[float, ...]] = field(default_factory=dict)
    watch: MonitorSettings = field(default_factory=lambda: MonitorSettings(every=0, rolls_back=False))


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
    scores: list[float] = field(default_factory=list)
    """Of the validations since the start or the last roll-back."""
    is_taught: bool = False
    """Whether the last step had a term that no person labelled."""

    def save(self, path: Path, plan: LoopPlan) -> None:
        tensors = {
            **pack_network(self.student, "student"),
            **pack_network(self.teacher.network, "teacher"),
            **pack_network(self.best, "best"),
            **pack_optimizer(self.optimizer),
        }
        facts = {"phase": plan.phase, "step": self.step, "best_step": self.best_step, "best_score": self.best_score}
        save_tensors(path, tensors, {**facts, "memory": plan.memory, "scores": self.scores})

    def load(self, path: Path, plan: LoopPlan) -> None:
        tensors, facts = load_tensors(path)
        unpack_network(self.student, tensors, "student")
        unpack_network(self.teacher.network, tensors, "teacher")
        unpack_network(self.best, tensors, "best")
        unpack_optimizer(self.optimizer, tensors)
        self.step, self.best_step, self.best_score = facts["step"], facts["best_step"], facts["best_score"]
        self.scores = list(facts.get("scores", ()))
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

    Processes that were launched together (`cryoglean.learn.group`) share the micro-steps of each step.

    Returns:
        The averaged network, of the best validation or of the last step.

    Raises:
        RunError: the checkpoint to resume from is broken or of another network, the loss is not a number, or processes
            that train together have come to different points.
        SettingsError: they can't share the micro-steps evenly.
    """
    group = current_group()
    state = _start(network, settings, hardware)
    if plan.resumes and plan.checkpoint_file is not None and plan.checkpoint_file.exists():
        state.load(plan.checkpoint_file, plan)
        plan.tell({"event": "resumed", "phase": plan.phase, "step": state.step})
    group.agree(phase=plan.phase, step=state.step, steps=settings.steps)
    group.copy_first(state.student, state.teacher.network, state.best)
    saved_at = time.monotonic()
    while state.step < settings.steps:
        facts = _make_step(state, objective, settings, plan, group)
        plan.tell({"event": "step", "phase": plan.phase, "step": state.step, **facts})
        if plan.validate is not None and (state.step % settings.validate_every == 0 or state.step == settings.steps):
            _keep_if_better(state, group.of_first(plan.validate(state.teacher.network)), plan)
            _undo_collapse(state, plan)
        is_due = time.monotonic() - saved_at >= settings.checkpoint_every_seconds
        if plan.checkpoint_file is not None and (is_due or state.step == settings.steps):
            state.save(plan.checkpoint_file, plan)
            saved_at = time.monotonic()
    group.copy_first(state.teacher.network, state.best)
    weight = plan.memory.get(UNLABELLED_WEIGHT, (1.0,))[0]
    if plan.validate is None or not plan.keeps_best:
        return Fit(state.teacher.network, state.step, None, weight)
    return Fit(state.best, state.best_step, state.best_score, weight)


def _start(network: nn.Module, settings: LearnSettings, hardware: Hardware) -> _State:
    student = hardware.place(network)
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    teacher = AveragedNetwork(student, settings.ema_decay)
    return _State(student, teacher, AveragedNetwork(student, 0.0).network, optimizer)


def _make_step(
    state: _State, objective: Objective, settings: LearnSettings, plan: LoopPlan, group: Group
) -> dict[str, float]:
    """One optimiser step over `accumulate` micro-steps, which the group shares; the numbers worth telling."""
    parts = group.parts(settings.accumulate)
    rate = learning_rate(state.step, settings)
    for options in state.optimizer.param_groups:
        options["lr"] = rate
    state.student.train()
    state.optimizer.zero_grad(set_to_none=True)
    said_by: dict[str, list[float]] = {}
    is_looked_at = plan.watch.every and state.step % plan.watch.every == 0 and 0 in parts
    look = Inspection(state.student) if is_looked_at else None
    for part in parts:
        terms, said = objective(state.student, state.teacher.network, state.step * settings.accumulate + part)
        loss = torch.stack(list(terms.values())).sum()
        if look is not None and part == 0:
            look.before(terms, settings.accumulate)
        (loss / settings.accumulate).backward()  # type: ignore[no-untyped-call]
        if look is not None and part == 0:
            look.after_backward()
        state.is_taught = has_unlabelled(terms)
        for name, value in {"loss": float(loss.detach()), **said}.items():
            said_by.setdefault(name, []).append(value)
    said_by = _add_up(group, state, said_by, plan)
    facts = {name: sum(values) / len(values) for name, values in said_by.items()}
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
    if look is not None:
        plan.tell({"event": "monitor", "phase": plan.phase, "step": state.step, **look.after_step()})
    return {**facts, "gradient_norm": float(torch.nan_to_num(norm, nan=-1.0, posinf=-1.0)), "learning_rate": rate}


def _add_up(group: Group, state: _State, said_by: dict[str, list[float]], plan: LoopPlan) -> dict[str, list[float]]:
    """Bring a step together that several processes made: gradients, what was said, what is carried on."""
    if group.size == 1:
        return said_by
    group.add_gradients(state.student)
    told = group.gather((said_by, state.is_taught, plan.memory))
    state.is_taught = any(is_taught for _, is_taught, _ in told)
    plan.memory.update(mean_of(memory for _, _, memory in told))
    names = dict.fromkeys(name for said, _, _ in told for name in said)
    return {name: [value for said, _, _ in told for value in said.get(name, ())] for name in names}


def _keep_if_better(state: _State, scores: dict[str, float], plan: LoopPlan) -> None:
    score = scores["average_precision"]
    state.scores.append(score)
    is_better = state.best_score is None or score > state.best_score
    if is_better:
        state.best.load_state_dict(state.teacher.network.state_dict())
        state.best_score, state.best_step = score, state.step
    plan.tell({"event": "validation", "phase": plan.phase, "step": state.step, **scores, "is_best": is_better})


def _undo_collapse(state: _State, plan: LoopPlan) -> None:
    """Go back to the best averaged weights and halve the unlabelled terms, where these have spoilt the network.

    Nothing is undone in a training from labels alone: there is nothing to weigh less.
    """
    if not (plan.watch.rolls_back and state.is_taught and has_collapsed(state.scores)):
        return
    for network in (state.student, state.teacher.network):
        network.load_state_dict(state.best.state_dict())
    state.optimizer.state.clear()
    weight = plan.memory.get(UNLABELLED_WEIGHT, (1.0,))[0] / 2
    plan.memory[UNLABELLED_WEIGHT] = (weight,)
    for name in [name for name in plan.memory if name != UNLABELLED_WEIGHT]:
        del plan.memory[name]  # what was averaged over the guesses of the network that collapsed
    score, state.scores = state.scores[-1], [state.best_score or 0.0]
    told = {"step": state.step, "to_step": state.best_step, "average_precision": score, "best": state.best_score}
    plan.tell({"event": "rolled_back", "phase": plan.phase, **told, "unlabelled_weight": weight})
