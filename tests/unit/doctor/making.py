"""Evidence of a sound training, made by hand, and faults planted in it: one for each check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cryoglean.dataset import Dataset, Role
from cryoglean.doctor.evidence import Evidence, NetworkLook
from cryoglean.doctor.looks import REACH_DIAMETERS, Look, Looks, Stack, distances
from cryoglean.doctor.moves import move_names
from cryoglean.picks import Picks
from cryoglean.settings import resolve_settings

ROLES: dict[str, Role] = {
    "a": "train", "b": "train", "c": "validation", "d": "unlabelled", "e": "unlabelled", "f": "unlabelled", "g": "test",
}  # fmt: skip
SHAPE = (400, 400)
DIAMETER_ANGSTROM, PIXEL_ANGSTROM, PIXELS = 80.0, 2.0, 20.0  # 40 pixels of the micrograph, 20 of the rescaled one


def grid(count: int = 36) -> np.ndarray:
    """Labels a diameter and a half apart."""
    side = int(np.sqrt(count))
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * 60.0 + 40.0


@cache
def stack(amplitude: float, extent: float = 0.4, reach: float = 1.0, seed: int = 0) -> Stack:
    """A mean picture of 36: a disc of this amplitude and extent (in diameters), in noise of deviation 1."""
    count = 36
    away = distances(2 * round(reach * PIXELS) + 1) / PIXELS
    rng = np.random.default_rng(seed)
    mean = amplitude * np.clip((extent - away) / 0.1, 0, 1) + rng.normal(0, 1 / np.sqrt(count), away.shape)
    return Stack(count, mean * count, 1.0, count, 0)


@cache
def stacks(seed: int, **changed: Any) -> Mapping[str, Stack]:
    """By move; only the labels as given lie on particles, unless `changed` says otherwise."""
    made = {move: stack(0.0, seed=seed) for move in move_names()} | {"": stack(-2.0, reach=REACH_DIAMETERS, seed=seed)}
    return made | {("" if name == "given" else name): one for name, one in changed.items()}


def nothing(seed: int) -> Stack:
    """What chance makes of labels as given."""
    return stack(0.0, reach=REACH_DIAMETERS, seed=seed)


def look(name: str, **more: Any) -> Look:
    """A sound micrograph; labelled ones have 36 particles of deep contrast."""
    seed = ord(name)
    rng = np.random.default_rng(seed)
    thumbnail = rng.normal(size=(48, 48))
    is_labelled = ROLES[name] in ("train", "validation")
    labels = grid() if is_labelled else np.zeros((0, 2))
    made = Look(
        name, ROLES[name], Path(f"{name}.mrc"), shape=SHAPE, pixel_size_angstrom=PIXEL_ANGSTROM, mean=100.0,
        deviation=10.0, digest=name, thumbnail=thumbnail / np.linalg.norm(thumbnail),
        spectrum=np.linspace(2, 0, 24) + rng.normal(0, 0.02, 24), skewness=-0.8,
        labels=labels, stacks=stacks(seed) if is_labelled else {},
        differences=rng.normal(-1, 0.5, len(labels)),
    )  # fmt: skip
    return replace(made, **more)


def looks(**changed: Mapping[str, Any]) -> Looks:
    """All micrographs; `a={"error": "broken"}` changes one."""
    return Looks(tuple(look(name, **changed.get(name, {})) for name in ROLES), PIXELS)


def dataset(labels: Picks | None = None, **more: Any) -> Dataset:
    """The data set of these looks."""
    known = Picks.concatenate(Picks.of_one(name, grid()) for name in ("a", "b", "c")) if labels is None else labels
    made = Dataset({name: Path(f"{name}.mrc") for name in ROLES}, ROLES, known, DIAMETER_ANGSTROM, None)
    return replace(made, **more)


def step(number: int, phase: str = "final", **facts: float) -> dict[str, Any]:
    """A sound step."""
    told = {"loss": 1.0 / (1 + number / 20), "gradient_norm": 0.5, "learning_rate": 5e-3}
    return {"event": "step", "phase": phase, "step": number, **told, **facts}


def monitor(number: int, phase: str = "final", **facts: Any) -> dict[str, Any]:
    """A sound look into a step."""
    layers = {"stem": (0.1, 5e-3), "last": (0.1, 8e-3)}
    return {"event": "monitor", "phase": phase, "step": number, "update_ratio": 6e-3, "layers": layers, **facts}


def validation(number: int, score: float, phase: str = "final") -> dict[str, Any]:
    """A validation."""
    return {"event": "validation", "phase": phase, "step": number, "average_precision": score, "best_f1": score}


TAUGHT = {
    "taught.particle_share": 0.04, "taught.particle_usage": 0.03, "taught.background_usage": 0.8, "taught.usage": 0.83,
    "taught.expected_share": 0.04,
    "taught.agreement": 0.9, "taught.agreement_turned": 0.2,
}  # fmt: skip
ROUND = {
    "event": "round", "round": 1, "counts": True, "rule": "gain", "gain": 0.02, "gain_standard_error": 0.005,
    "average_precision_before": 0.88, "average_precision_after": 0.9, "offered": 4, "kept": 4, "particle_share": 0.04,
    "prior": 0.04, "usage": 0.85, "particle_usage": 0.035, "background_usage": 0.8, "precision": 0.9, "recall": 0.85,
    "particles": {"d": 34, "e": 36, "f": 38},
}  # fmt: skip


def events(**more: Any) -> list[dict[str, Any]]:
    """A sound training from random weights, then a round with unlabelled crops; `taught=...` changes its steps."""
    pull = {"unlabelled_share": 0.5, "unlabelled_cosine": 0.1}
    return [
        {"event": "phase", "phase": "final", "steps": 100, "start": "random"},
        *(step(number) for number in range(1, 101)),
        *(monitor(number) for number in range(1, 101, 10)),
        *(validation(number, score) for number, score in ((25, 0.6), (50, 0.8), (75, 0.87), (100, 0.88))),
        {"event": "phase", "phase": "final-round-1", "steps": 100, "start": "random"},
        *(step(number, "final-round-1", **{**TAUGHT, **more.get("taught", {})}) for number in range(1, 101)),
        *(monitor(number, "final-round-1", **{**pull, **more.get("pull", {})}) for number in range(1, 101, 10)),
        *(validation(number, score, "final-round-1") for number, score in ((50, 0.89), (100, 0.9))),
        {**ROUND, **more.get("round", {})},
    ]


def summary(**more: Any) -> dict[str, Any]:
    """Of a sound run."""
    found = {
        "f1": 0.88, "best_f1": 0.89, "precision": 0.9, "recall": 0.86, "average_precision": 0.9, "threshold": 0.5,
        "truth": 90, "surest_half": (45, 2), "tolerance_pixels": 20.0,
    }  # fmt: skip
    found |= more.pop("validation", {})
    told = {name: value for name, value in ROUND.items() if name != "event"} | more.pop("round", {})
    return {"labels": "complete", "validation": found, "validation_on": ["c"], "rounds": [told], **more}


def evidence(*assignments: str, **parts: Any) -> Evidence:
    """Of a sound training; parts replace those of it."""
    settings = resolve_settings([], assignments)
    whole: dict[str, Any] = {
        "looks": looks(), "events": events(), "summary": summary(),
        "network": NetworkLook(0.0, "", 0.01, 36, 36, 4, 0.8),
        "picks": Picks.of_one("c", np.zeros((90, 2)), np.linspace(0.6, 1, 90)),
    }  # fmt: skip
    strategy = parts.pop("strategy", "fixmatch")
    return Evidence(settings, parts.pop("dataset", dataset()), strategy, **{**whole, **parts})


def _labels(**counts: int) -> Picks:
    tables = [Picks.of_one(name, grid()[:count]) for name, count in counts.items()]
    return Picks.concatenate([*tables, Picks.empty(tuple(counts))])


def _steps(**facts: float) -> list[dict[str, Any]]:
    return [*events()[:1], *(step(number, **facts) for number in range(1, 101))]


def _same_picture() -> Looks:
    return looks(g={"thumbnail": look("a").thumbnail})


FAULTS: dict[str, Callable[[], Evidence]] = {
    "unreadable": lambda: evidence(looks=looks(a={"error": "it is cut off"})),
    "missing_pixels": lambda: evidence(looks=looks(d={"missing_share": 0.1})),
    "duplicates": lambda: evidence(looks=_same_picture()),
    "pixel_size": lambda: evidence(looks=looks(**{name: {"pixel_size_angstrom": 4.0} for name in "abc"})),
    "diameter": lambda: evidence(
        looks=looks(**{name: {"stacks": stacks(ord(name), given=stack(-2.0, 1.2, REACH_DIAMETERS))} for name in "abc"})
    ),
    "outside": lambda: evidence(
        looks=looks(a={"stacks": stacks(0, given=replace(stack(-2.0, reach=REACH_DIAMETERS), offered=60, outside=24))})
    ),
    "orientation": lambda: evidence(
        looks=looks(
            **{name: {"stacks": stacks(ord(name), given=nothing(ord(name)), flip_y=stack(-2.0))} for name in "abc"}
        )
    ),
    "on_nothing": lambda: evidence(
        looks=looks(**{name: {"stacks": stacks(ord(name), given=nothing(ord(name)))} for name in "abc"})
    ),
    "some_on_nothing": lambda: evidence(looks=looks(b={"stacks": stacks(0, given=nothing(0))})),
    "contrast": lambda: evidence(looks=looks(c={"differences": -look("c").differences})),
    "processing": lambda: evidence(looks=looks(**{name: {"spectrum": np.linspace(2, -2, 24)} for name in "def"})),
    "odd_micrographs": lambda: evidence(looks=looks(b={"spectrum": np.linspace(8, 0, 24)})),
    "empty_micrographs": lambda: evidence(dataset=dataset(_labels(a=36, b=0, c=36))),
    "density": lambda: evidence(dataset=dataset(diameter_angstrom=240.0)),
    "double_labels": lambda: evidence(looks=looks(a={"labels": np.concatenate([grid(), grid()[:10] + 2.0])})),
    "few_labels": lambda: evidence(dataset=dataset(_labels(a=4, b=3, c=36))),
    "incomplete_labels": lambda: evidence(
        summary=summary(validation={"surest_half": (60, 25)}),
        picks=Picks.of_one("c", np.concatenate([grid(), grid()[::2] + 30.0]), np.linspace(0.9, 0.95, 54)),
    ),
    "prior": lambda: evidence("labels.kind=sparse", "labels.per_micrograph=150"),
    "learning_rate": lambda: evidence(
        "learn.learning_rate=5e-6", events=[*_steps(learning_rate=5e-6), monitor(391, update_ratio=1e-6)]
    ),
    "loss_stuck": lambda: evidence(events=_steps(loss=1.0)),
    "not_a_number": lambda: evidence(events=[*_steps(), *(step(number, gradient_norm=-1.0) for number in range(9))]),
    "frozen_layer": lambda: evidence(
        events=[monitor(number, layers={"stem": (0.0, 0.0), "last": (0.1, 5e-3)}) for number in (1, 51)]
    ),
    "dead_units": lambda: evidence(network=NetworkLook(0.5, "stem")),
    "precision": lambda: evidence(network=NetworkLook(half_difference=0.4)),
    "small_batches": lambda: evidence("learn.batch=1"),
    "slow_average": lambda: evidence("learn.ema_decay=0.9999"),
    "few_steps": lambda: evidence("learn.steps=40", events=[validation(20, 0.4), validation(40, 0.6)]),
    "pseudo_share": lambda: evidence(summary=summary(round={"particle_share": 0.01, "gain": 0.0})),
    "class_usage": lambda: evidence(
        summary=summary(rounds=[]), events=events(taught={"taught.particle_usage": 0.0, "taught.usage": 0.8})
    ),
    "inert_threshold": lambda: evidence(summary=summary(round={"usage": 0.999})),
    "pseudo_quality": lambda: evidence(summary=summary(round={"recall": 0.1, "gain": 0.0})),
    "empty_chosen": lambda: evidence(summary=summary(round={"kept": 2, "particles": {"d": 3, "e": 2}})),
    "misaligned_views": lambda: evidence(
        events=events(taught={"taught.agreement": 0.1, "taught.agreement_turned": 0.8})
    ),
    "unlabelled_gradient": lambda: evidence(events=events(pull={"unlabelled_share": 0.0})),
    "collapse": lambda: evidence(events=[*events(), validation(100, 0.05, "final-round-1")]),
    "nothing_found": lambda: evidence(summary=summary(validation={"average_precision": 0.05})),
    "threshold": lambda: evidence(summary=summary(validation={"f1": 0.6})),
    "calibration": lambda: evidence(summary=summary(validation={"precision": 0.3})),
    "recall_collapse": lambda: evidence(picks=Picks.of_one("c", np.zeros((90, 2)), np.linspace(0.0, 0.3, 90))),
    "fewer_on_unlabelled": lambda: evidence(
        network=NetworkLook(labelled_picks=36, unlabelled_picks=2, unlabelled_micrographs=4)
    ),
    "flat_output": lambda: evidence(network=NetworkLook(contrast_spread=0.02)),
    "no_gain": lambda: evidence(summary=summary(round={"counts": False, "gain": 0.001})),
    "thin_validation": lambda: evidence(summary=summary(validation={"truth": 12})),
}
"""A planted fault for each check."""
