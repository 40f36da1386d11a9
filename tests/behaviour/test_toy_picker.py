"""A toy of which everything is known: what our engine must show there, and what must harm it (checks.md B5).

MEASURED
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from cryoglean.evaluate.score import evaluate_picks
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.picker import Picker
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.split import Region, Split
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.recipe import Recipe, Round, read_recipe, run_recipe
from cryoglean.settings import resolve_settings
from cryoglean.streams import Batch, Draw, Phase, Stream, labelled, taught
from cryoglean.targets import Targets
from cryoglean.task import Task, region_labels, validation_rules

pytestmark = pytest.mark.slow

SEEDS = (0, 1, 2)
MICROGRAPHS = {"labelled": 1, "validation": 2, "unlabelled": 20, "test": 30}
SIDE = 160
PARTICLES, BLOBS = 6, 8
NOISE = 1.7
SETTINGS = (
    "learn.steps=350", "learn.validate_every=350", "learn.crop_pixels=96", "learn.learning_rate=0.01",
    "learn.ema_decay=0.97", "learn.near_particles=0.9", "learn.start=random", "learn.precision=float32",
    "augment.strength=0.5", "model.name=lean", "model.widths=[12, 16, 24]", "pick.views=1",
)  # fmt: skip
ONLINE = taught(Labeller(1), losses=("mse",), weight=30.0, cutmix=False)

Scores = Mapping[tuple[str, int], NDArray[np.float64]]
"""Average precision on the test micrographs by (arm, views): a value for each seed."""


def askew(stream: Stream) -> Stream:
    """The stream with targets that are mirrored, and pictures that are not: a mistake to be caught."""

    def start(phase: Phase) -> Draw:
        draw = stream(phase)

        def drawn(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[Batch, ...]:
            return tuple(
                replace(one, targets=Targets(one.targets.y.flip(-1), one.targets.w.flip(-1)))
                for one in draw(student, teacher, micro_step)
            )

        return drawn

    return start


ROUNDS = {
    "soft": Round(Labeller(8, (platt(),)), counts="always"),
    "hard": replace(read_recipe("low_threshold", {}).rounds[0], counts="always"),
    "aligned": Round(None, (labelled(), ONLINE), counts="always"),
    "misaligned": Round(None, (labelled(), askew(ONLINE)), counts="always"),
}


@dataclass(frozen=True, eq=False)
class Toy:
    """Micrographs by name, each beginning with what it is for, and the particles of all of them."""

    prepared: Mapping[str, Prepared]
    truth: Picks
    preparation: Preparation

    def names(self, role: str) -> tuple[str, ...]:
        return tuple(name for name in self.prepared if name.startswith(role))


def make_toy(seed: int) -> Toy:
    random = np.random.default_rng(1000 + seed)
    preparation = Preparation(20.0, 20.0, 1.5, 5.0, particles_are_dark=True)
    prepared, tables = {}, []
    for name in [f"{role}_{place}" for role, count in MICROGRAPHS.items() for place in range(count)]:
        pixels, xy = make_picture(random)
        prepared[name] = preparation.apply(Micrograph(name, pixels, 1.0))
        tables.append(Picks.of_one(name, xy))
    return Toy(prepared, Picks.concatenate(tables), preparation)


def make_picture(random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Dark particles of three lobes, turned by any angle, between round blobs, in noise; and the particles' (x, y)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    cells = np.array([(i, j) for i in (24, 61, 98, 135) for j in (24, 61, 98, 135)])
    xy = random.permutation(cells)[: PARTICLES + BLOBS] + random.uniform(-6, 6, (PARTICLES + BLOBS, 2))
    signal = np.zeros((SIDE, SIDE))
    for column, row in xy[:PARTICLES]:
        turn, radius = random.uniform(0, 2 * np.pi), random.uniform(3.0, 4.0)
        for angle in turn + 2 * np.pi / 3 * np.arange(3):
            signal[np.hypot(x - column - 5.5 * np.cos(angle), y - row - 5.5 * np.sin(angle)) < radius] = 1.0
    for column, row in xy[PARTICLES:]:
        signal[np.hypot(x - column, y - row) < random.uniform(6.0, 8.0)] = random.uniform(0.5, 1.2)
    slow = gaussian_filter(random.normal(size=(SIDE, SIDE)), 4)
    noise = random.normal(size=(SIDE, SIDE)) + 0.5 * slow / slow.std()
    return (NOISE * noise - random.uniform(0.9, 1.6) * signal).astype(np.float32), xy[:PARTICLES]


def make_task(toy: Toy, seed: int, folder: Path, *, is_oracle: bool = False) -> Task:
    """What recipes are applied to; the oracle has the labels of the unlabelled micrographs too."""
    extra = toy.names("unlabelled")
    train = toy.names("labelled") + (extra if is_oracle else ())
    known = train + toy.names("validation")
    return Task(
        resolve_settings([], [*SETTINGS, f"seed={seed}"]), find_hardware("float32"), toy.preparation,
        {name: toy.prepared[name] for name in known}, Picks.concatenate(toy.truth.on(name) for name in known),
        Split(train, toy.names("validation")), tell=lambda _event: None, checkpoint_folder=folder, resumes=True,
        unlabelled={} if is_oracle else {name: toy.prepared[name] for name in extra},
    )  # fmt: skip


def score(picker: Picker, toy: Toy, task: Task, views: int) -> float:
    names = toy.names("test")
    judged = replace(task, prepared={name: toy.prepared[name] for name in names}, labels=toy.truth)
    truth = region_labels(judged, tuple(Region(name) for name in names))
    picks = Picks.concatenate(picker.pick(toy.prepared[name], views) for name in names)
    curve = evaluate_picks(picks, truth, validation_rules(judged)).curve
    assert curve is not None
    return curve.average_precision or 0.0


def run_arms(seed: int, folder: Path) -> dict[tuple[str, int], float]:
    """Every arm; the rounds take up the supervised training where it ended."""
    toy = make_toy(seed)
    supervised = read_recipe("supervised", {})
    recipes = {"supervised": supervised, "oracle": supervised}
    recipes |= {name: Recipe(name, "checks.md B5", rounds=(one,)) for name, one in ROUNDS.items()}
    found = {}
    for name, recipe in recipes.items():
        place = folder / name
        if name in ROUNDS:
            shutil.copytree(folder / "supervised", place)
        else:
            place.mkdir(parents=True)
        task = make_task(toy, seed, place, is_oracle=name == "oracle")
        trained = run_recipe(recipe, task)
        for views in (1, 8):
            found[name, views] = score(trained.picker, toy, task, views)
    return found


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    runs = [run_arms(seed, tmp_path_factory.mktemp(f"seed_{seed}")) for seed in SEEDS]
    found = {key: np.array([run[key] for run in runs]) for key in runs[0]}
    for (name, views), values in found.items():  # shown by `pytest -rA`
        print(f"{name} {views} {values.mean():.3f}", *(f"{value:.3f}" for value in values))  # noqa: T201
    return found
