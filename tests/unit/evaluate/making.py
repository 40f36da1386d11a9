"""Small tables of picks for the tests of the evaluate room."""

from __future__ import annotations

import numpy as np

from cryoglean.picks import Picks


def table(points, scores=None, name="m", micrographs=(), diameter=None):
    """Picks of one micrograph from a list of (x, y)."""
    xy = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Picks(
        np.full(len(xy), name),
        xy,
        None if scores is None else np.array(scores, dtype=np.float64),
        None if diameter is None else np.full(len(xy), float(diameter)),
        micrographs=(name, *micrographs),
    )


def lattice(count, spacing=50.0, start=100.0):
    """`count` points on a square lattice, (x, y)."""
    side = int(np.ceil(np.sqrt(count)))
    return [(start + spacing * (i % side), start + spacing * (i // side)) for i in range(count)]


def crowd(random, picks=80, truth=60, side=150.0, micrographs=2, levels=None):
    """Crowded scored picks and truth, so that almost every match is contested; `levels` makes scores tie."""
    scores = random.random(picks) if levels is None else random.integers(0, levels, picks) / levels
    names = np.array([f"m{i}" for i in range(micrographs)])
    found = Picks(names[random.integers(0, micrographs, picks)], random.random((picks, 2)) * side, scores)
    real = Picks(names[random.integers(0, micrographs, truth)], random.random((truth, 2)) * side)
    return found, Picks(real.micrograph, real.xy, micrographs=tuple(names.tolist()))
