"""The data sets of the semi-supervised comparison: for each seed another draw of who is labelled.

Micrographs in order of name are turned by twice the seed; then the first is labelled, the next two validate, and the
others are in turn unlabelled and for test (simulated sets: 19 unlabelled and 6 for test, so that 1 of 20 is labelled).
No micrograph has two roles, and the unlabelled ones are not those that are tested.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoglean.dataset import Dataset, Role
from cryoglean.io.micrographs import read_micrograph, write_micrograph
from cryoglean.picks import Picks
from real_data import SHARED, Bench, apoferritin, beta_galactosidase, simulated

_SIMULATED_COUNT = 28
_SIMULATED_TEST = 6
_SEEDS = {"simulated": 2, "development": 3}
REAL = ("bgal_quarter", "apoferritin_k0.05", "apoferritin_k0.1")
SIMULATED = ("simulated_globule", "simulated_tetramer")


@dataclass(frozen=True)
class Draw:
    """One draw of roles.

    Args:
        bench: the set, the labelled part of a micrograph among its files.
        names: by role.
    """

    bench: Bench
    names: dict[Role, tuple[str, ...]]

    def dataset(self, *, is_oracle: bool = False, labelled: int = 1) -> Dataset:
        """What a training is given: test micrographs are named, without labels.

        Args:
            is_oracle: whether the unlabelled ones come with all of their labels, too.
            labelled: how many are; beyond the first they are taken from the unlabelled ones.
        """
        more = self.names["unlabelled"] if is_oracle else self.names["unlabelled"][: labelled - 1]
        roles = {name: role for role, names in self.names.items() for name in names}
        roles |= dict.fromkeys(more, "train")
        known = [name for name, role in roles.items() if role in ("train", "validation")]
        paths = {name: self.bench.paths[name] for name in roles}
        labels = self.bench.truth.of(known)
        return Dataset(paths, roles, labels, self.bench.diameter_angstrom, self.bench.pixel_size_angstrom)


def draw(name: str, seed: int) -> Draw:
    """One draw of a set.

    Args:
        name: one of `set_names()`, or `simulated_` and a molecule; `development_` and a molecule is another simulation,
            to choose settings on.
        seed: decides who is labelled.
    """
    kind, _, molecule = name.partition("_")
    if kind in _SEEDS:
        bench = simulated(molecule, _SIMULATED_COUNT, _SEEDS[kind])
        names = _turned(bench, seed)
        rest, test = names[3:-_SIMULATED_TEST], names[-_SIMULATED_TEST:]
    else:
        bench = (
            beta_galactosidase() if name == "bgal_quarter" else apoferritin(float(name.removeprefix("apoferritin_k")))
        )
        names = _turned(bench, seed)
        rest, test = names[3::2], names[4::2]
    labelled = names[0]
    if name == "bgal_quarter":
        bench, labelled = _with_quarter(bench, labelled, seed % 4)
    roles: dict[Role, tuple[str, ...]] = {
        "train": (labelled,), "validation": tuple(names[1:3]), "unlabelled": tuple(rest), "test": tuple(test)
    }  # fmt: skip
    return Draw(bench, roles)


def set_names() -> tuple[str, ...]:
    """All sets, without the real ones where their folder is absent."""
    return (*(REAL if SHARED.exists() else ()), *SIMULATED)


def _turned(bench: Bench, seed: int) -> list[str]:
    names = sorted(bench.paths)
    shift = 2 * seed % len(names)
    return names[shift:] + names[:shift]


def _with_quarter(bench: Bench, name: str, quarter: int) -> tuple[Bench, str]:
    """The set and a quarter of one of its micrographs as a file of its own."""
    whole = read_micrograph(bench.paths[name], bench.pixel_size_angstrom)
    rows, columns = (length // 2 for length in whole.shape)
    top, left = (quarter // 2) * rows, (quarter % 2) * columns
    part = f"{name}_quarter_{quarter}"
    path = Path(tempfile.gettempdir()) / "cryoglean_quarters" / f"{part}.mrc"
    pixels = np.ascontiguousarray(whole.pixels[top : top + rows, left : left + columns])
    write_micrograph(replace(whole, name=part, pixels=pixels, path=None), path)
    xy = bench.truth.on(name).xy - (left, top)
    xy = xy[((xy >= 0) & (xy < (columns, rows))).all(axis=1)]
    labels = Picks.of_one(part, xy)
    truth = Picks.concatenate([replace(bench.truth, diameter_pixels=None, score=None), labels])
    return replace(bench, paths={**bench.paths, part: path}, truth=truth), part
