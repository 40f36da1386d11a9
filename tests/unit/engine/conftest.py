"""A phase over small pictures, for the tests of streams."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from cryoglean.learn.hardware import find_hardware
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.rescale import Scale
from cryoglean.prepare.split import Region, Split
from cryoglean.pseudo.guess import Knowledge
from cryoglean.settings import resolve_settings
from cryoglean.streams import Phase
from cryoglean.task import Task

SIDE = 160
STILL = (
    "augment.strength=0", "augment.junk=0", "unlabelled.cutmix=0", "learn.crop_pixels=64", "learn.batch=2",
    "unlabelled.batch=3", "learn.steps=10", "learn.precision=float32",
)  # fmt: skip


@pytest.fixture
def make_phase() -> Callable[..., Phase]:
    """A phase over one labelled and one unlabelled picture of noise with bright discs."""

    def make(*assignments: str, **fields: object) -> Phase:
        settings = resolve_settings([], [*STILL, *assignments])
        rng = np.random.default_rng(0)
        pictures = {name: _picture(name, rng) for name in ("seen", "unseen")}
        xy = np.array([[40.0, 40.0], [80.0, 120.0], [120.0, 60.0]])
        task = Task(
            settings, find_hardware("float32"), Preparation(20.0, 20.0, 1.5, 5.0, particles_are_dark=False),
            {"seen": pictures["seen"]}, Picks.of_one("seen", xy), Split(("seen",), ("seen",)),
            tell=lambda _event: None, unlabelled={"unseen": pictures["unseen"]},
        )  # fmt: skip
        known = Knowledge(density=0.001, particle_pixels=10.0, positive_weight=3.0)
        seen, unseen = task.learned(Region("seen")), task.unlearned(pictures["unseen"])
        return replace(Phase(task, (seen,), lambda: (unseen,), (seen,), known), **fields)  # type: ignore[arg-type]

    return make


def _picture(name: str, rng: np.random.Generator) -> Prepared:
    image = torch.from_numpy(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32))
    valid = torch.ones((SIDE, SIDE), dtype=torch.bool)
    return Prepared(name, image, valid, Scale(1.0, 1.0), (SIDE, SIDE))
