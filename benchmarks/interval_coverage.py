"""How often intervals of a paired difference hold the truth, and how often they call noise a gain.

Made-up experiments with two equally good lines; the table of docs/explain/statistics.md. About 5 minutes.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from cryoglean.experiment.statistics.intervals import crossed_bootstrap, pooled_f1, seed_spread, two_way_spread

REPEATS = 2000
DRAWS = 300
NOISES = {"seeds": (0.02, 0.0, 0.0), "both": (0.02, 0.02, 0.02), "micrographs": (0.005, 0.05, 0.03)}
"""Deviations of the difference from seed to seed, from micrograph to micrograph, and of their interplay."""


def draw(random: np.random.Generator, shape: tuple[int, int], noise: str, particles: int) -> NDArray[np.float64]:
    """True positives, (2, seeds, micrographs): the recall is .7, and hard micrographs are hard for both lines."""
    seeds, micrographs = shape
    by_seed, by_micrograph, both = (one / np.sqrt(2) for one in NOISES[noise])
    recall = 0.7 + random.normal(0, 0.08, micrographs)
    recall = recall + random.normal(0, by_seed, (2, seeds, 1)) + random.normal(0, by_micrograph, (2, 1, micrographs))
    recall = recall + random.normal(0, both, (2, seeds, micrographs))
    return random.binomial(particles, np.clip(recall, 0.01, 0.99)).astype(np.float64)


def main() -> None:
    """Print the table, one design a line."""
    random = np.random.default_rng(7)
    names = ("two-way t", "t over seeds", "percentile")
    heads = ("particles", "noise", "seeds", "micrographs", *names, *(f"false gains, {name}" for name in names))
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for particles, noise, seeds, micrographs in itertools.product((30, 300), NOISES, (3, 4, 5, 10), (6, 20)):
        both = np.full((2, seeds, micrographs), 2.0 * particles)
        held = []
        for _ in range(REPEATS):
            hits = draw(random, (seeds, micrographs), noise, particles)
            ours, theirs = pooled_f1(hits, both, np.ones((1, micrographs)))[0]
            drawn = crossed_bootstrap(hits, both, draws=DRAWS)
            every = (two_way_spread(hits, both).interval(), seed_spread(ours - theirs).interval(), drawn)
            held.append([*(low <= 0 <= high for low, high in every), *(low > 0 for low, _ in every)])
        said = " | ".join(f"{one:.3f}" for one in np.mean(held, axis=0))
        print(f"| {particles} | {noise} | {seeds} | {micrographs} | {said} |", flush=True)


if __name__ == "__main__":
    main()
