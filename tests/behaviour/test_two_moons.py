"""Two moons with a handful of labels: what consistency must gain there (checks.md B4).

Our own parts, a point standing for a crop of 1 x 1: averaged teacher, ramp, losses, selection. PLACEHOLDER
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cryoglean.learn.schedule import ramp_up
from cryoglean.learn.teacher import AveragedNetwork
from cryoglean.losses import bce, mse
from cryoglean.pseudo.guess import Guess, Knowledge
from cryoglean.pseudo.select import confident
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

make_moons = pytest.importorskip("sklearn.datasets").make_moons

pytestmark = pytest.mark.slow

STEPS = 1500
BATCH = 256
LOSS = LossSettings(positive_weight=1.0)
CONFIDENT = confident(trust_above=0.95)

Term = Callable[[nn.Module, nn.Module, Tensor, float], Tensor]
"""(student, averaged teacher, unlabelled points, share of the steps done) -> what to make small besides."""


@dataclass(frozen=True)
class Moons:
    """Points of two moons, `per_class` of each labelled."""

    noise: float
    per_class: int
    seeds: int

    def draw(self, seed: int) -> tuple[Tensor, Tensor, NDArray[np.intp]]:
        """Points (n, 2, 1, 1), classes (n, 1, 1, 1), and the places of the labelled ones."""
        points, classes = make_moons(1000, noise=self.noise, random_state=seed)
        random = np.random.default_rng(seed)
        places = [random.choice(np.flatnonzero(classes == one), self.per_class, replace=False) for one in (0, 1)]
        x = torch.from_numpy(points.astype(np.float32))[:, :, None, None]
        return x, torch.from_numpy(classes.astype(np.float32))[:, None, None, None], np.concatenate(places)


class Points(nn.Module):
    """A small network of points: (n, 2, 1, 1) -> (n, 1, 1, 1) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.layers(x)[:, :, None, None]
        return said


def jitter(x: Tensor, size: float) -> Tensor:
    return x + size * torch.randn_like(x)


def nothing(_student: nn.Module, _teacher: nn.Module, x: Tensor, _time: float) -> Tensor:
    return x.new_zeros(())


def mean_teacher(student: nn.Module, teacher: nn.Module, x: Tensor, time: float) -> Tensor:
    """Both see noise of 0.15; squared difference, weight 30."""
    with torch.no_grad():
        guess = torch.sigmoid(teacher(jitter(x, 0.15)))
    term = mse.loss(student(jitter(x, 0.15)), Targets(guess, torch.ones_like(guess)), LOSS).mean()
    return 30 * ramp_up(time, burn_in=0.0, rise=0.3) * term


def fixmatch(student: nn.Module, _teacher: nn.Module, x: Tensor, _time: float) -> Tensor:
    """Hard labels above 0.95 from noise of 0.02, for noise of 0.2."""
    return bce.loss(student(jitter(x, 0.2)), sure_labels(student, jitter(x, 0.02)), LOSS).mean()


def self_training(student: nn.Module, _teacher: nn.Module, x: Tensor, _time: float) -> Tensor:
    """The same labels for the very same points."""
    return bce.loss(student(x), sure_labels(student, x), LOSS).mean()


def sure_labels(network: nn.Module, x: Tensor) -> Targets:
    with torch.no_grad():
        said = torch.sigmoid(network(x))
    return CONFIDENT.apply(Guess.from_views(said[None], torch.ones_like(said)), (), Knowledge(0.0, 1.0))


def learn(moons: Moons, seed: int, term: Term) -> float:
    """The accuracy on all points; the averaged network's with Mean Teacher."""
    torch.manual_seed(seed)
    x, classes, places = moons.draw(seed)
    said = Targets(classes[places], torch.ones_like(classes[places]))
    student = Points()
    average = AveragedNetwork(student, decay=0.95)
    optimizer = torch.optim.Adam(student.parameters(), lr=RATE)
    for step in range(STEPS):
        batch = x[torch.randint(len(x), (BATCH,))]
        loss = bce.loss(student(x[places]), said, LOSS).mean()
        loss = loss + term(student, average.network, batch, step / STEPS)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(student, step)
    with torch.no_grad():
        return float(((average.network(x) > 0) == (classes > 0.5)).float().mean())


RATE = 0.003
