"""What is known before the maps, and targets that fall on the picture's pixels."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cryoglean.labelling import Teachers, enlarge, harvest, know, look
from cryoglean.learn.hardware import find_hardware
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.rescale import Scale
from cryoglean.prepare.split import Region, Split
from cryoglean.pseudo.budget import by_confidence, top_k
from cryoglean.pseudo.calibrate import platt
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import everything
from cryoglean.settings import resolve_settings
from cryoglean.targets import Targets
from cryoglean.task import Task

SIDE = 200
XY = np.array([(x, y) for x in (40.0, 100.0, 160.0) for y in (40.0, 100.0, 160.0)])


class Discs(nn.Module):
    """Sure of dark pixels and less of bright ones: logits at every second pixel."""

    def forward(self, image: Tensor) -> Tensor:
        return 8 * image[..., ::2, ::2] - 6


def picture(name: str, xy: np.ndarray) -> Prepared:
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    for column, row in xy:
        image[np.hypot(x - column, y - row) <= 6] = 1.0
    return Prepared(
        name, torch.from_numpy(image), torch.ones((SIDE, SIDE), dtype=torch.bool), Scale(1, 1), (SIDE, SIDE)
    )


@pytest.fixture
def task() -> Task:
    settings = resolve_settings([], ["learn.precision=float32"])
    return Task(
        settings, find_hardware("float32"), Preparation(20.0, 20.0, 1.5, 5.0, particles_are_dark=False),
        {"seen": picture("seen", XY)}, Picks.of_one("seen", XY), Split(("seen",), ("seen",)), tell=lambda _event: None,
        unlabelled={"many": picture("many", XY[:6]), "none": picture("none", XY[:0])},
    )  # fmt: skip


def test_the_density_is_that_of_the_labels_inside_the_border(task: Task) -> None:
    """All nine are inside; the border of half a diameter leaves 180 x 180 pixels, a map of half as many a side."""
    known = know(task, [Region("seen")])

    assert known.density == pytest.approx(9 / 180**2 * 4)
    assert known.particle_pixels == 10
    assert known.core_share == pytest.approx(9 * math.pi * 6**2 / 180**2, rel=0.01)
    assert known.positive_weight == task.settings.loss.positive_weight
    assert known.labelled == 1


def test_the_density_of_a_part_is_that_of_the_part(task: Task) -> None:
    """One of nine particles lies in the upper left quadrant and off its edges."""
    known = know(task, [Region("seen", (0,))])

    assert 0.5 * 9 / 180**2 * 4 < known.density < 2 * 9 / 180**2 * 4


def test_pseudo_labels_lie_on_the_particles(task: Task) -> None:
    made = harvest(task, Labeller(1, (), everything()), Teachers([Discs()], [Region("seen")], [Region("seen")]))

    many = next(one for one in made.micrographs if one.name == "many")
    image = task.unlabelled["many"].image
    assert float(((many.y > 0.5) != (image > 0.5)).float().mean()) < 0.01
    assert sorted(map(tuple, np.round(many.xy / 20).tolist())) == sorted(map(tuple, np.round(XY[:6] / 20).tolist()))
    assert made.obituary["particles"] == {"many": 6, "none": 0}
    assert made.obituary["precision"] > 0.95
    assert made.obituary["recall"] > 0.95
    assert made.obituary["usage"] == pytest.approx(0.81, abs=0.01)


def test_a_map_is_enlarged_to_where_it_was_taken() -> None:
    """Value (j, i) of the map belongs to pixel (2 j, 2 i): a disc keeps its centre; w is 0 beside what is ignored."""
    y, x = torch.meshgrid(torch.arange(50), torch.arange(60), indexing="ij")
    disc = (torch.hypot(x - 30.0, y - 20.0) <= 8).float()[None, None]
    seen = torch.ones_like(disc)
    seen[..., 10, 10] = 0

    large, w = enlarge(Targets(disc, seen), (100, 119), 2)

    rows, columns = torch.meshgrid(torch.arange(100.0), torch.arange(119.0), indexing="ij")
    centre = [float((large * axis).sum() / large.sum()) for axis in (rows, columns)]
    assert centre == pytest.approx([40.0, 60.0], abs=0.01)
    torch.testing.assert_close(large[::2, ::2], disc[0, 0][:, :60], atol=1e-4, rtol=0)
    assert sorted(map(tuple, torch.nonzero(w == 0).tolist())) == [(r, c) for r in (19, 20, 21) for c in (19, 20, 21)]


def test_a_budget_leaves_micrographs_out(task: Task) -> None:
    """By mean confidence the empty micrograph is the best one: the notes' fault."""
    labeller = Labeller(1, (), everything(), top_k(1.0, by_confidence))

    made = harvest(task, labeller, Teachers([Discs()], [Region("seen")], [Region("seen")]))

    assert (made.obituary["offered"], made.obituary["kept"]) == (2, 1)
    assert made.obituary["particles"] == {"none": 0}


def test_without_held_out_labels_what_is_known_is_taken_from_others(task: Task) -> None:
    """The final network of a cross-validation has none; nothing is judged then, but it is calibrated."""
    teachers = Teachers([Discs()], [Region("seen")], [Region("seen")])
    labeller = Labeller(1, (platt(),), everything())
    judged = harvest(task, labeller, teachers)

    alone = harvest(task, labeller, replace(teachers, held=(), known=judged.known))
    blind = harvest(task, labeller, replace(teachers, held=()))

    assert alone.obituary["states"] == judged.obituary["states"] != blind.obituary["states"]
    assert alone.obituary["precision"] is None
    assert blind.obituary["states"][0] == [1.0, 0.0]


def test_networks_and_views_are_averaged(task: Task) -> None:
    class Never(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image[..., ::2, ::2] * 0 - 30

    guess = look(task, [Discs(), Never()], task.prepared["seen"], 1)

    assert float(guess.probability.max()) == pytest.approx(0.44, abs=0.01)
    assert float(guess.votes.max()) == 0.5
    assert float(guess.spread.max()) == pytest.approx(0.44, abs=0.01)
