"""Which micrographs are labelled, unlabelled, for validation and for the test: decided by name, nobody on two sides."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cryoglean.errors import LabelsError, SettingsError
from cryoglean.prepare.split import in_hashed_order
from cryoglean.ratios.sources import Source

HELD_SHARE = 0.1
"""Of the annotated micrographs, where none are given for judging; the notes hold out 100 of 1,000."""
MOST_VALIDATION = 50
"""A threshold is no better for more, and they are picked again and again while a training runs."""
_LEAST_HELD = 2


@dataclass(frozen=True, slots=True)
class Draw:
    """Who is who, by name, in order of the alphabet.

    Args:
        labeled: to learn from, with their labels.
        unlabeled: to learn from; labels, where there are some, are not looked at.
        validation: the threshold, the best step and each round are chosen on them, and pseudo-labels calibrated.
        test: nothing is chosen on them.
    """

    labeled: tuple[str, ...]
    unlabeled: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def draw(source: Source, ratio: float, seed: int) -> Draw:
    """Divide the micrographs.

    The labelled ones of a smaller ratio are among those of a larger one; validation and test are the same for all
    ratios and seeds.

    Args:
        source: see `Source`.
        ratio: share of the training micrographs that is labelled, above 0 and at most 1; rounded down, as in the notes.
        seed: decides who is labelled.

    Raises:
        LabelsError: a part would be empty, or have no particle.
        SettingsError: nobody would be labelled.
    """
    validation, test = _hold_out(source)
    training = sorted(set(source.paths) - set(validation) - set(test) - (source.held or frozenset()))
    count = math.floor(ratio * len(training) + 1e-9)
    if count < 1:
        raise SettingsError(
            f"{100 * ratio:g} % of {len(training)} training micrographs is less than one", where="--labeled-ratios",
            fix=f"Give {math.ceil(10000 / max(len(training), 1)) / 10000:g} or more, or more micrographs.",
        )  # fmt: skip
    annotated = [name for name in training if name in source.annotated]
    if count > len(annotated):
        raise LabelsError(
            f"{100 * ratio:g} % of {len(training)} training micrographs are {count}, of which "
            f"{len(annotated)} are annotated",
            where="--labeled-ratios", fix="Give a smaller ratio.",
        )  # fmt: skip
    labeled = in_hashed_order(annotated, f"{seed}")[:count]
    _check_particles(source, labeled, "labelled micrographs", "Give another --seed, or a larger ratio.")
    rest = sorted(set(training) - set(labeled))
    return Draw(tuple(sorted(labeled)), tuple(rest), validation, test)


def _hold_out(source: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Half of what is for judging chooses, the other half, and what is more than enough to choose, is for the test."""
    if source.held is None:
        count = max(math.floor(HELD_SHARE * len(source.annotated)), _LEAST_HELD)
        held = in_hashed_order(source.annotated, "held")[:count]
    else:
        held = in_hashed_order(source.held & source.annotated, "held")
    if len(held) < _LEAST_HELD or (source.held is None and len(source.annotated) <= _LEAST_HELD):
        raise LabelsError(
            f"{len(source.annotated)} annotated micrographs can't be divided into labelled, validation and test",
            fix="Annotate more; two are needed for judging alone.",
        )  # fmt: skip
    chosen = min(len(held) // 2, MOST_VALIDATION)
    for names, role in ((held[:chosen], "validation"), (held[chosen:], "test")):
        _check_particles(source, names, f"{role} micrographs", "Annotate more micrographs.")
    return tuple(sorted(held[:chosen])), tuple(sorted(held[chosen:]))


def _check_particles(source: Source, names: Iterable[str], role: str, fix: str) -> None:
    if not any(source.counts.get(name) for name in names):
        raise LabelsError(f"none of the {role} has a particle", where=", ".join(sorted(names)[:3]), fix=fix)
