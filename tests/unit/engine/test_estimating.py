"""A number from clicks alone: peaks that count, ranks instead of scores, and the clicks that were learned from."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cryoglean.errors import LabelsError
from cryoglean.estimating import Seen, Sight, count_seen, see, split_clicks
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Prepared
from cryoglean.streams import Phase
from cryoglean.task import Task


class Planted:
    """A stand-in for a picker: picks of each micrograph that are known beforehand."""

    def __init__(self, picks: Picks) -> None:
        self.picks = picks

    def pick(self, prepared: Prepared) -> Picks:
        return self.picks.on(prepared.name)


@pytest.fixture
def task(make_phase: Callable[..., Phase]) -> Task:
    """Two pictures of 160 pixels; a particle is 20 across."""
    return make_phase("labels.kind=sparse").task


def test_halves_hold_every_click_once_and_the_seed_draws_them() -> None:
    first, second = split_clicks(101, 3)

    assert (len(first), len(second)) == (51, 50)
    assert sorted([*first, *second]) == list(range(101))
    assert (split_clicks(101, 3)[0] == first).all()
    assert not (split_clicks(101, 4)[0] == first).all()


def test_peaks_on_learned_clicks_are_left_out_and_held_out_ones_get_their_height(task: Task) -> None:
    peaks = Picks.of_one("seen", np.array([[40.0, 40.0], [80.0, 80.0], [100.0, 40.0]]), np.array([0.9, 0.5, 0.1]))
    known = Picks.of_one("seen", np.array([[42.0, 40.0]]))
    held = Picks.of_one("seen", np.array([[80.0, 85.0], [60.0, 110.0]]))

    sight = see(Planted(peaks), task, "seen", known, held)  # type: ignore[arg-type]

    assert sight.heights.tolist() == [0.5, 0.1]
    assert sight.held.tolist() == [0.5, 0.0]
    assert sight.is_found.tolist() == [True, False]
    assert sight.known == 1


def test_nothing_counts_at_the_edge_where_nothing_is_learned(task: Task) -> None:
    edge = Picks.of_one("seen", np.array([[1.0, 80.0], [80.0, 80.0]]), np.array([0.9, 0.8]))

    sight = see(Planted(edge), task, "seen", edge.rows(np.array([0])), edge)  # type: ignore[arg-type]

    assert sight.heights.tolist() == [0.8]
    assert sight.held.tolist() == [0.8]
    assert sight.known == 0


def sights(random: np.random.Generator, distance: float, *, scale: float = 1.0, known: int = 0) -> list[Sight]:
    """Twelve micrographs with 20 particles and 60 other peaks each; every fourth particle is held out."""
    made = []
    for number in range(12):
        particles = random.normal(distance, 1, 20)
        other = random.normal(0, 1, 60)
        heights, held = np.concatenate([particles, other]) * scale, particles[::4] * scale
        made.append(Sight("seen" if number == 0 else f"m{number}", heights, held, np.ones(5, dtype=bool), known))
    return made


@pytest.fixture
def wide(task: Task) -> Task:
    """The same with twelve pictures."""
    return replace(task, unlabelled={f"m{number}": task.unlabelled["unseen"] for number in range(1, 12)})


def learnable(task: Task) -> float:
    return float(task.learnable(task.prepared["seen"]).sum())


def test_well_parted_peaks_are_counted(wide: Task) -> None:
    seen = sights(np.random.default_rng(0), 6.0)

    found = count_seen(wide, [Seen(seen, seen)])

    assert found.value is not None
    assert found.value * learnable(wide) == pytest.approx(20, rel=0.1)
    assert found.low <= found.value <= found.high


def test_two_networks_count_once_though_their_scores_differ(wide: Task) -> None:
    """Each saw all micrographs; the second one's scores are a thousand times as large."""
    random = np.random.default_rng(0)
    both = [Seen(one, one) for one in (sights(random, 6.0), sights(random, 6.0, scale=1000.0))]

    found = count_seen(wide, both)

    assert found.value is not None
    assert found.value * learnable(wide) == pytest.approx(20, rel=0.1)
    assert "of 80 peaks" in found.reason


def test_clicks_that_were_learned_from_are_added(wide: Task) -> None:
    random = np.random.default_rng(0)
    without, with_known = sights(random, 6.0), sights(np.random.default_rng(0), 6.0, known=7)

    fewer, more = (count_seen(wide, [Seen(one, one)]) for one in (without, with_known))

    assert fewer.value is not None
    assert more.value is not None
    assert (more.value - fewer.value) * learnable(wide) == pytest.approx(7)


def test_held_out_particles_may_lie_on_other_micrographs(wide: Task) -> None:
    seen = sights(np.random.default_rng(0), 6.0)
    peaks = [one for one in seen if one.name != "seen"]

    found = count_seen(wide, [Seen(peaks, seen[:1] * 4)])

    assert found.value is not None
    assert found.value * learnable(wide) == pytest.approx(20, rel=0.25)


def test_overlapping_peaks_give_a_bound_and_no_number(wide: Task) -> None:
    seen = sights(np.random.default_rng(0), 0.7)

    found = count_seen(wide, [Seen(seen, seen)])

    assert found.value is None
    assert found.reason.startswith("Not identifiable")
    assert found.high * learnable(wide) > 20


def test_without_a_held_out_peak_it_is_refused(wide: Task) -> None:
    lost = [replace(one, is_found=np.zeros(5, dtype=bool)) for one in sights(np.random.default_rng(0), 6.0)]

    with pytest.raises(LabelsError, match="held-out"):
        count_seen(wide, [Seen(lost, lost)])
