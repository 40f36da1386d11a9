"""Who is who in a cell: test, validation, labelled, unlabelled; nobody on two sides, the same for every line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryoglean.dataset import Role
from cryoglean.errors import LabelsError
from cryoglean.prepare.split import in_hashed_order


@dataclass(frozen=True, slots=True)
class Division:
    """The roles of one data set at one ratio and seed; names in order of the alphabet.

    Args:
        labelled: to learn from, with labels; those of a smaller ratio are among those of a larger one.
        unlabelled: to learn from, without.
        validation: thresholds and rounds are chosen on them.
        test: the same for all ratios and seeds.
    """

    labelled: tuple[str, ...]
    unlabelled: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def roles(self, *, is_oracle: bool) -> dict[str, Role]:
        """Name -> role; for the oracle, all training micrographs are labelled."""
        roles: dict[str, Role] = dict.fromkeys(self.labelled, "train")
        roles |= dict.fromkeys(self.unlabelled, "train" if is_oracle else "unlabelled")
        roles |= dict.fromkeys(self.validation, "validation")
        return {**roles, **dict.fromkeys(self.test, "test")}


@dataclass(frozen=True, slots=True)
class Rule:
    """How micrographs are divided.

    Args:
        test_share: of the annotated ones.
        validation: how many validate.
        group: a regular expression with one group; None: each micrograph is its own.
    """

    test_share: float
    validation: int
    group: str | None = None


def divide(counts: Mapping[str, int | None], rule: Rule, ratio: float, seed: int) -> Division:
    """Divide the micrographs of a data set.

    The order is that of a hash of the names (and, but for the test, of the seed): another micrograph more moves no
    other one, and the order of the files does not matter.

    Args:
        counts: particles by micrograph; None for those that nobody annotated, which are unlabelled always, and left
            out where their group is that of a test or validation micrograph.
        rule: see `Rule`.
        ratio: labelled share of the training micrographs, above 0 and at most 1, rounded to the nearest, at least one.
        seed: decides who is labelled and who validates.

    Raises:
        LabelsError: too few micrographs or groups, or a part without a particle.
    """
    annotated = sorted(name for name, count in counts.items() if count is not None)
    groups = _grouped(annotated, rule.group)
    test = _take(groups, in_hashed_order(groups, "test"), rule.test_share * len(annotated))
    rest = {key: names for key, names in groups.items() if not set(names) & set(test)}
    validation = _take(rest, in_hashed_order(rest, f"validation {seed}"), rule.validation)
    training = [name for names in rest.values() for name in names if name not in validation]
    judged = {_group_of(name, rule.group) for name in (*test, *validation)}
    unknown = [name for name in sorted(set(counts) - set(annotated)) if _group_of(name, rule.group) not in judged]
    count = max(round(ratio * (len(training) + len(unknown))), 1)
    if count > len(training):
        raise LabelsError(
            f"{count} labelled micrographs are needed for a ratio of {ratio:g}, and {len(training)} are left beside "
            f"{len(test)} for the test and {len(validation)} for validation",
            fix="Give more micrographs, a smaller ratio, or fewer for test and validation.",
        )  # fmt: skip
    order = in_hashed_order(training, f"labelled {seed}")
    labelled = tuple(sorted(order[:count]))
    division = Division(labelled, tuple(sorted({*order[count:], *unknown})), validation, test)
    for role in ("labelled", "validation", "test"):
        if not any(counts[name] for name in getattr(division, role)):
            fix = "Give a larger share for the test." if role == "test" else "Give another seed."
            raise LabelsError(f"no {role} micrograph has a particle (seed {seed})", fix=fix)
    return division


def _grouped(names: Iterable[str], pattern: str | None) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_group_of(name, pattern), []).append(name)
    return groups


def _group_of(name: str, pattern: str | None) -> str:
    found = re.search(pattern, name) if pattern else None
    return (found.group(1) if found else None) or name


def _take(groups: Mapping[str, Sequence[str]], order: Sequence[str], count: float) -> tuple[str, ...]:
    """Whole groups in this order, until there are as many names."""
    taken: list[str] = []
    for key in order:
        if len(taken) >= max(count, 1):
            break
        taken += groups[key]
    return tuple(sorted(taken))
