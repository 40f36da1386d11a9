"""Draft."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from cryoglean.evaluate.score import evaluate_picks
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.picker import Picker
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Split
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Recipe, Round, read_recipe, run_recipe
from cryoglean.settings import Settings, resolve_settings
from cryoglean.streams import Batch, Draw, Phase, Stream, labelled, taught
from cryoglean.targets import Targets
from cryoglean.task import Task, region_labels, validation_rules
from cryoglean.prepare.split import Region

pytestmark = pytest.mark.slow

SIDE = 160
DIAMETER = 20.0
LABELLED, VALIDATION, UNLABELLED, TEST = 2, 2, 20, 15
NOISE = 1.8
PARTICLES = 6
STEPS = 300
SETTINGS = [
    "learn.crop_pixels=96", "learn.batch=4", "learn.start=random", "learn.precision=float32",
    "learn.ema_decay=0.97", "augment.strength=0.5", "learn.learning_rate=0.01", "learn.near_particles=0.9", "pick.views=1", "model.name=lean", "model.widths=[12, 16, 24]", "prepare.contrast=dark",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Toy:
    """Micrographs of dark three-lobed particles in coloured noise beside round ice blobs, and where they are."""

    prepared: Mapping[str, Prepared]
    truth: Picks
    preparation: Preparation


def make_toy(seed: int) -> Toy:
    random = np.random.default_rng(1000 + seed)
    preparation = Preparation(DIAMETER, DIAMETER, 1.5, 5.0, particles_are_dark=True)
    roles = ("labelled",) * LABELLED + ("validation",) * VALIDATION + ("unlabelled",) * UNLABELLED + ("test",) * TEST
    prepared, tables = {}, []
    for place, role in enumerate(roles):
        name = f"{role}_{place:02d}"
        pixels, xy = make_picture(random)
        prepared[name] = preparation.apply(Micrograph(name, pixels, 1.0))
        tables.append(Picks.of_one(name, xy))
    return Toy(prepared, Picks.concatenate(tables), preparation)


def make_picture(random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    y, x = np.mgrid[:SIDE, :SIDE]
    cells = [(i, j) for i in (24, 61, 98, 135) for j in (24, 61, 98, 135)]
    chosen = [cells[place] for place in random.permutation(len(cells))[:14]]
    xy = np.array(chosen) + random.uniform(-6, 6, (14, 2))
    contrast = random.uniform(0.9, 1.6)
    signal = np.zeros((SIDE, SIDE))
    for number, (column, row) in enumerate(xy):
        turn, size = random.uniform(0, 2 * np.pi), random.uniform(3.0, 4.0)
        if number < PARTICLES:
            for lobe in range(3):
                angle = turn + 2 * np.pi * lobe / 3
                signal[np.hypot(x - column - 5.5 * np.cos(angle), y - row - 5.5 * np.sin(angle)) < size] = 1.0
        else:
            signal[np.hypot(x - column, y - row) < 2 * size] = random.uniform(0.5, 1.2)
    coloured = gaussian_filter(random.normal(size=(SIDE, SIDE)), 4)
    noise = random.normal(size=(SIDE, SIDE)) + 0.5 * coloured / coloured.std()
    return (NOISE * noise - contrast * signal).astype(np.float32), xy[:PARTICLES]


def make_task(toy: Toy, seed: int, *, is_oracle: bool = False) -> Task:
    """What recipes are applied to; for the oracle the unlabelled micrographs are labelled as well."""
    chosen = resolve_settings([], [*SETTINGS, f"seed={seed}", f"learn.steps={STEPS}", f"learn.validate_every={STEPS}"])
    def named(role: str) -> tuple[str, ...]:
        return tuple(name for name in toy.prepared if name.startswith(role))
    train = named("labelled") + (named("unlabelled") if is_oracle else ())
    known = train + named("validation")
    return Task(
        chosen, find_hardware("float32"), toy.preparation, {name: toy.prepared[name] for name in known},
        Picks.concatenate(toy.truth.on(name) for name in known), Split(train, named("validation")),
        tell=lambda _event: None, unlabelled={} if is_oracle else {name: toy.prepared[name] for name in named("unlabelled")},
    )  # fmt: skip


def score(picker: Picker, toy: Toy, views: int = 1) -> float:
    """Average precision on the test micrographs."""
    names = [name for name in toy.prepared if name.startswith("test")]
    task = replace(make_task(toy, 0), prepared={name: toy.prepared[name] for name in names}, labels=toy.truth)
    picks = Picks.concatenate(picker.pick(toy.prepared[name], views) for name in names)
    truth = region_labels(task, tuple(Region(name) for name in names))
    found = evaluate_picks(picks, truth, validation_rules(task))
    return found.curve.average_precision or 0.0


def askew(stream: Stream) -> Stream:
    """The stream with targets that are mirrored, and pictures that are not."""

    def start(phase: Phase) -> Draw:
        draw = stream(phase)

        def drawn(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            return tuple(
                replace(one, targets=Targets(one.targets.y.flip(-1), one.targets.w.flip(-1)))
                for one in draw(student, teacher, micro_step)
            )

        return drawn

    return start
