"""A toy of which everything is known: what our engine must show there (checks.md B5).

One labelled micrograph of six three-lobed particles between eight round blobs, 20 unlabelled ones, 30 for test; 350
steps of a small network with random first weights. Rounds count always, so that they are seen.

Measured 2026-11-23 (torch 2.13 on a CPU, 1 thread), average precision with 8 views (1 view), seeds 0, 1, 2:
supervised .698 .235 .623, mean .519 (.658 .197 .523, mean .459); oracle (the unlabelled ones labelled too) .845 .813
.541, mean .733 (.667); soft calibrated round .751 .314 .742, mean .602 (.581); hard uncalibrated round .757 .262 .700,
mean .573 (.533). Targets and what a trained network says of the strong view: correlation .79 to .96, mirrored .01 to
.26 (five batches).

Not shown by this toy, and so not asserted: that an online stream with mirrored targets is worse than a right one.
Mean Teacher (weight 30) .578 .113 .260, with mirrored targets .517 .114 .372; with prior-matched cross entropy (seeds
0, 2) .559 .461, mirrored .552 .488; with five labelled micrographs (seeds 0, 2) supervised .851 .683, Mean Teacher .738
.506, mirrored .809 .678. So short a training is harmed by every online stream, right or wrong. A soft round with
mirrored targets: .782 .186 .713, mean .560, above supervised: the first training's seed matters as much as the round
(the oracle of seed 2 is an unlucky one), and differences below .1 of three seeds are noise.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

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
from cryoglean.streams import Phase, taught
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
Scores = Mapping[tuple[str, int], NDArray[np.float64]]
"""Average precision on the test micrographs by (arm, views): a value for each seed."""


ROUNDS = {
    "soft": Round(Labeller(8, (platt(),)), counts="always"),
    "hard": replace(read_recipe("low_threshold", {}).rounds[0], counts="always"),
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
    return {key: np.array([run[key] for run in runs]) for key in runs[0]}


def test_more_labels_help(scores: Scores) -> None:
    """There is a gap for unlabelled micrographs to close, and the toy is neither too easy nor hopeless."""
    assert 0.25 < scores["supervised", 8].mean() < 0.7, scores
    assert scores["oracle", 8].mean() >= scores["supervised", 8].mean() + 0.05, scores


def test_eight_views_pick_better_than_one(scores: Scores) -> None:
    assert scores["supervised", 8].mean() >= scores["supervised", 1].mean() + 0.02, scores


def test_a_round_of_soft_calibrated_labels_is_not_worse_than_none(scores: Scores) -> None:
    assert scores["soft", 8].mean() >= scores["supervised", 8].mean() - 0.03, scores


def test_of_a_teacher_that_works_hard_labels_are_not_better_than_soft_ones(scores: Scores) -> None:
    """Of one that fails they are (docs/log.md, 2026-11-23): soft targets keep its doubt, hard ones at .5 drop it."""
    works = scores["supervised", 8] >= 0.3

    assert works.any(), scores
    assert scores["hard", 8][works].mean() <= scores["soft", 8][works].mean() + 0.02, scores


def test_online_targets_lie_on_the_varied_picture_and_mirrored_ones_beside_it(tmp_path: Path) -> None:
    """What a trained network says of a strong view is what it was taught there; a mirrored target is the control."""
    toy = make_toy(0)
    task = make_task(toy, 0, tmp_path)
    network = run_recipe(read_recipe("supervised", {}), task).picker.network
    phase = Phase(task, labelled=(), unlabelled=lambda: tuple(map(task.unlearned, task.unlabelled.values())))
    draw = taught(Labeller(1), losses=("mse",), look="varied")(phase)
    batches = [batch for step in range(300, 350, 10) for batch in draw(network, network, step)]
    with torch.no_grad():
        said = torch.cat([torch.sigmoid(network(batch.images)) for batch in batches]).flatten()
    targets = torch.cat([batch.targets.y for batch in batches])

    aligned, mirrored = (
        float(torch.corrcoef(torch.stack([said, each.flatten()]))[0, 1]) for each in (targets, targets.flip(-1))
    )

    assert aligned >= 0.7
    assert mirrored <= 0.35
