"""The data sets of the comparison on clicks: for each seed other roles, and another random subset of the labels.

Micrographs in order of name are turned by twice the seed; the first half is clicked, the next two validate (labelled
completely), the last three (simulated: six) are tested. Clicks are drawn from all labels of the clicked half at random;
micrographs of it without a click are unlabelled. Nobody has two roles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoglean.dataset import Dataset, Role
from cryoglean.picks import Picks
from real_data import SHARED, Bench, apoferritin, beta_galactosidase, simulated

SIMULATED_COUNT, SIMULATED_TEST = 28, 6
_SEEDS = {"simulated": 2, "development": 3}
HUMAN = -1  # instead of a number of clicks: those that a person made


@dataclass(frozen=True)
class Clicks:
    """One draw.

    Args:
        bench: the set.
        clicked: micrographs of the clicked half.
        validation: held out, labelled completely.
        test: never looked at.
        labels: the clicks.
    """

    bench: Bench
    clicked: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    labels: Picks

    def dataset(self, *, is_complete: bool = False, has_validation: bool = True) -> Dataset:
        """What a training is given; `is_complete`: all labels of the clicked half instead of the clicks."""
        labels = self.bench.truth.of(self.clicked) if is_complete else self.labels
        named = {name for name in self.clicked if len(labels.on(name))}
        roles: dict[str, Role] = {name: "train" if name in named else "unlabelled" for name in self.clicked}
        roles |= dict.fromkeys(self.validation, "validation" if has_validation else "test")
        roles |= dict.fromkeys(self.test, "test")
        held = [self.bench.truth.of(self.validation)] if has_validation else []
        known = Picks.concatenate([labels.of(sorted(named)), *held])
        paths = {name: self.bench.paths[name] for name in roles}
        return Dataset(paths, roles, known, self.bench.diameter_angstrom, self.bench.pixel_size_angstrom)

    @property
    def per_micrograph(self) -> float:
        """What a user would say: the number of particles on a clicked micrograph, to one digit."""
        mean = len(self.bench.truth.of(self.clicked)) / len(self.clicked)
        return float(f"{mean:.0e}")


def draw_clicks(name: str, count: int, seed: int) -> Clicks:
    """One draw.

    Args:
        name: `bgal`, `apoferritin_k0.1`, `simulated_` or `development_` and a molecule.
        count: of clicks; `HUMAN`: those of `manual_partial_pos_neg.csv` (only `bgal`).
        seed: decides the roles and the clicks.
    """
    bench, tested = _bench(name)
    names = sorted(bench.paths)
    shift = 2 * seed % len(names)
    names = names[shift:] + names[:shift]
    half = len(names) // 2
    clicked = tuple(names[:half])
    labels = _human().of(clicked) if count == HUMAN else _some(bench.truth.of(clicked), count, seed)
    return Clicks(bench, clicked, tuple(names[half : half + 2]), tuple(names[-tested:]), labels)


def _bench(name: str) -> tuple[Bench, int]:
    kind, _, molecule = name.partition("_")
    if kind in _SEEDS:
        return simulated(molecule, SIMULATED_COUNT, _SEEDS[kind]), SIMULATED_TEST
    return (beta_galactosidase() if name == "bgal" else apoferritin(float(name.removeprefix("apoferritin_k")))), 3


def _some(labels: Picks, count: int, seed: int) -> Picks:
    chosen = np.random.default_rng(seed).permutation(len(labels))[:count]
    return labels.rows(np.sort(chosen))


def _human() -> Picks:
    """The positive clicks of a person."""
    rows = np.loadtxt(SHARED / "bgal_10017" / "manual_partial_pos_neg.csv", delimiter=",", skiprows=1, dtype=np.str_)
    rows = rows[rows[:, 3] == "positive"]
    names = np.array([name.removesuffix(".mrc") for name in rows[:, 0]])
    return Picks(names, rows[:, 1:3].astype(np.float64))
