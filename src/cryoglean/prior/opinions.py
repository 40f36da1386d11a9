"""What several sources say about the number of particles, side by side, and whether they disagree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cryoglean.errors import LabelsError
from cryoglean.prior.estimate import Estimate
from cryoglean.prior.kinds import CountPrior, PatchPrior, PixelPrior
from cryoglean.prior.means import Mean
from cryoglean.prior.particle_count import CountEstimate

Source = Literal["user", "labels", "validation labels", "best bin", "Elkan-Noto", "mean probability"]
Kind = Literal["count", "pixel", "patch"]
Row = tuple[str, str, str, str]

_USER_FACTOR = 2.0  # "about N": learning with half or twice the prior ranks nearly as well
_WORDS: dict[Kind, str] = {"count": "particles a micrograph", "pixel": "of the pixels", "patch": "of the patches"}
HEADER: Row = ("source", "says", "95 % interval", "why")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one source says.

    Args:
        source: who says it.
        kind: which of the three priors it is about.
        value: a number of particles, or a share in [0, 1]; None when the source can't tell.
        low: lower end of the interval.
        high: upper end; the upper bound when the source can't tell.
        reason: a sentence.
    """

    source: Source
    kind: Kind
    value: float | None
    low: float
    high: float
    reason: str

    @property
    def is_identifiable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def rescale(self, kind: Kind, factor: float) -> Opinion:
        """The same opinion as another kind of prior.

        Args:
            kind: the new kind.
            factor: to multiply by; for `pixel` from `count` the share of the pixels that one core makes up.
        """
        most = float("inf") if kind == "count" else 1.0
        value = None if self.value is None else min(self.value * factor, most)
        return replace(
            self, kind=kind, value=value, low=min(self.low * factor, most), high=min(self.high * factor, most)
        )

    def to_prior(self) -> CountPrior | PixelPrior | PatchPrior | None:
        """The value as a prior of its kind; None when the source can't tell."""
        if self.value is None:
            return None
        if self.kind == "count":
            return CountPrior(self.value)
        return PixelPrior(self.value) if self.kind == "pixel" else PatchPrior(self.value)


def user_opinion(particles: float) -> Opinion:
    """What "about N particles a micrograph" means: from half of it to twice as many.

    Args:
        particles: a micrograph, at least 0.

    Raises:
        LabelsError: less than 0.
    """
    said = CountPrior(particles).particles
    low, high = said / _USER_FACTOR, said * _USER_FACTOR
    return Opinion("user", "count", said, low, high, "You said so; taken as half to twice as many.")


def opinion_of_mean(source: Source, kind: Kind, mean: Mean, reason: str) -> Opinion:
    """An opinion from a mean over micrographs: completely labelled particles, or calibrated probabilities.

    Args:
        source: who says it.
        kind: what was averaged.
        mean: with its interval.
        reason: a sentence.
    """
    return Opinion(source, kind, mean.value, mean.low, mean.high, reason)


def opinion_of_estimate(source: Source, kind: Kind, estimate: Estimate | CountEstimate) -> Opinion:
    """An opinion from an estimate of a share or of a count.

    Args:
        source: who says it.
        kind: what it is a share or a count of.
        estimate: the estimate.
    """
    return Opinion(source, kind, estimate.value, estimate.low, estimate.high, estimate.reason)


def opinion_rows(opinions: Sequence[Opinion]) -> list[Row]:
    """The opinions as rows of a table, in the order given: source, what it says, interval, why; see `HEADER`.

    Args:
        opinions: of any kinds.
    """
    return [(one.source, _say(one), _say_interval(one), one.reason) for one in opinions]


def disagreements(opinions: Sequence[Opinion]) -> list[str]:
    """A sentence for each two opinions of the same kind whose intervals don't meet.

    A source that only has an upper bound disagrees with those that say more than that.

    Args:
        opinions: of any kinds; those of different kinds aren't compared.
    """
    pairs = itertools.combinations(opinions, 2)
    return [_compare(*_sorted(pair)) for pair in pairs if _disagree(*pair)]


def judge_opinions(opinions: Sequence[Opinion]) -> str:
    """Whether the opinions agree, in a sentence or more.

    Args:
        opinions: all of one kind, at least one.

    Raises:
        LabelsError: no opinion, or several kinds, which can't be compared.
    """
    if len({one.kind for one in opinions}) != 1:
        raise LabelsError("opinions must be of one kind", where="prior", fix="Rescale them to the same kind first.")
    told = [one for one in opinions if one.is_identifiable]
    found = disagreements(opinions)
    if found:
        return " ".join(found)
    if not told:
        most = min(one.high for one in opinions)
        return f"No source can tell; at most {_number(most, opinions[0].kind)} {_WORDS[opinions[0].kind]}."
    if len(told) == 1:
        return f"Only one source can tell ({told[0].source}): {_say(told[0])}."
    return f"{_listed([one.source for one in told])} agree within their intervals."


def _disagree(one: Opinion, other: Opinion) -> bool:
    return one.kind == other.kind and (one.low > other.high or other.low > one.high)


def _sorted(pair: tuple[Opinion, Opinion]) -> tuple[Opinion, Opinion]:
    return (pair[1], pair[0]) if pair[0].low > pair[1].low else pair


def _compare(less: Opinion, more: Opinion) -> str:
    return f"{more.source} says more ({_say(more)}) than {less.source} ({_say(less)}), beyond their intervals."


def _say(opinion: Opinion) -> str:
    words = _WORDS[opinion.kind]
    if opinion.value is None:
        return f"not identifiable, at most {_number(opinion.high, opinion.kind)} {words}"
    return f"{_number(opinion.value, opinion.kind)} {words}"


def _say_interval(opinion: Opinion) -> str:
    if opinion.value is None:
        return "–"
    return f"{_number(opinion.low, opinion.kind)}–{_number(opinion.high, opinion.kind)}"


def _number(value: float, kind: Kind) -> str:
    if kind != "count":
        return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
