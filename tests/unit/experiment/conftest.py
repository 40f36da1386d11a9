"""Result rows of made-up experiments."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

Row = dict[str, Any]


def make_row(data: str, ratio: float, seed: int, line: str, value: float, **more: Any) -> Row:
    """A finished cell: 100 micrographs, `ratio` of them labelled; all measures have one value."""
    labelled = round(100 * ratio)
    cell = {"data": data, "ratio": ratio, "labelled": labelled, "seed": seed, "line": line, "strategy": line}
    return {**cell, "f1": value, "average_precision": value, "best_f1": value, "per_micrograph": [], **more}


def make_counts(hits: Sequence[int], picks: Sequence[int], truth: Sequence[int]) -> list[Row]:
    names = ("true_positives", "picks", "truth")
    return [
        {"micrograph": f"m{place}", **dict(zip(names, map(int, one), strict=True))}
        for place, one in enumerate(zip(hits, picks, truth, strict=True))
    ]


@pytest.fixture(scope="session")
def row() -> Callable[..., Row]:
    return make_row


@pytest.fixture(scope="session")
def counts() -> Callable[..., list[Row]]:
    return make_counts


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., list[Row]]:
    """Rows of one data set and ratio, from the values of each line by seed."""

    def make(data: str = "globule", ratio: float = 0.05, **lines: Sequence[float]) -> list[Row]:
        return [
            make_row(data, ratio, seed, line, value)
            for line, values in lines.items()
            for seed, value in enumerate(values)
        ]

    return make


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
