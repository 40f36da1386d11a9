"""Decide once, by name, what a micrograph is for; nobody is asked on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import LabelsError
from cryoglean.settings import SplitSettings

_FEW = 3
_QUADRANTS = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Region:
    """A labelled micrograph, or some quadrants of it.

    Args:
        name: the micrograph's name.
        quadrants: of 0 upper left, 1 upper right, 2 lower left, 3 lower right.
    """

    name: str
    quadrants: tuple[int, ...] = _QUADRANTS

    def contains(
        self, xy: NDArray[np.float64], shape: tuple[int, int], margin_pixels: float = 0.0
    ) -> NDArray[np.bool_]:
        """Which points lie in the region, and farther than the margin from quadrants that are not part of it.

        Args:
            xy: (n, 2) pixels.
            shape: (y, x) of the micrograph.
            margin_pixels: at least 0.
        """
        if set(self.quadrants) == set(_QUADRANTS):
            return np.ones(len(xy), dtype=np.bool_)
        middle = np.array([shape[1], shape[0]]) / 2 - 0.5
        side = (xy >= middle).astype(int)
        inside = np.isin(side[:, 0] + 2 * side[:, 1], self.quadrants)
        return inside & (np.abs(xy - middle) >= margin_pixels).all(axis=1)


@dataclass(frozen=True, slots=True)
class Fold:
    """One training and what it is validated on: no pixel on both sides."""

    train: tuple[Region, ...]
    validation: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """What each labelled micrograph is for.

    Args:
        train: names the final network learns from.
        validation: names held out of every training; empty when there are folds.
        folds: trainings whose only purpose is to choose the threshold.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    folds: tuple[Fold, ...] = ()

    def with_more_training(self, names: Sequence[str]) -> Split:
        """The same, with micrographs that every training learns from and none is validated on."""
        more = tuple(Region(name) for name in names)
        folds = tuple(Fold(fold.train + more, fold.validation) for fold in self.folds)
        return Split(tuple(sorted({*self.train, *names})), self.validation, folds)


def plan_split(annotated: Sequence[str], validation: Sequence[str], settings: SplitSettings, seed: int) -> Split:
    """Hold out what the user named, or a share; with three or fewer labelled micrographs make folds instead.

    Args:
        annotated: names of the micrographs with labels, those in `validation` among them or not.
        validation: names to validate on; empty: decide here.
        settings: share and folds.
        seed: decides which are held out, by a hash of the name: adding a micrograph moves no other one.

    Returns:
        The split. One labelled micrograph is cut into quadrants, two diagonal ones a fold.

    Raises:
        LabelsError: nothing is left to train on.
    """
    train = tuple(sorted(set(annotated) - set(validation)))
    if not train:
        raise LabelsError(
            "all labelled micrographs are for validation, none to train on",
            where="--validation",
            fix="Give labels of at least one more micrograph in --picks.",
        )
    if validation:
        return Split(train, tuple(sorted(set(validation))))
    folds = settings.folds or (0 if len(train) > _FEW else max(len(train), 2))
    if folds == 0:
        held = min(max(round(settings.validation_share * len(train)), 1), len(train) - 1)
        shuffled = in_hashed_order(train, seed)
        return Split(tuple(sorted(shuffled[held:])), tuple(sorted(shuffled[:held])))
    if len(train) == 1:
        halves = (Region(train[0], (0, 3)), Region(train[0], (1, 2)))
        return Split(train, (), (Fold((halves[0],), (halves[1],)), Fold((halves[1],), (halves[0],))))
    return Split(train, (), _make_folds(train, min(folds, len(train)), seed))


def _make_folds(names: Sequence[str], count: int, seed: int) -> tuple[Fold, ...]:
    shuffled = in_hashed_order(names, seed)
    parts = [shuffled[start::count] for start in range(count)]
    return tuple(
        Fold(tuple(Region(name) for name in names if name not in part), tuple(Region(name) for name in sorted(part)))
        for part in parts
    )


def in_hashed_order(names: Iterable[str], salt: str | int) -> list[str]:
    """Names in an order that a hash of each decides: another name more moves no other one.

    Args:
        names: in any order, which does not matter.
        salt: another one gives another order.
    """
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}/{name}".encode()).hexdigest())
