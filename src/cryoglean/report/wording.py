"""Numbers in words, the same way in every section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WORD_JOINER = "\u2060"  # no line break here


def count_of(number: int, noun: str) -> str:
    """`1 micrograph`, `1,039 particles`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def decimals(value: float | None, digits: int = 3) -> str:
    """A score, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A share in per cent, or a dash where it is not defined."""
    return "–" if value is None else f"{100 * value:.1f} %"


def interval_of(intervals: Mapping[str, Any], name: str) -> str:
    """`95 % interval 0.693–0.867`; empty when there is none."""
    interval = intervals.get(name)
    if interval is None:
        return ""
    joined = f"{interval[0]:.3f}{_WORD_JOINER}–{_WORD_JOINER}{interval[1]:.3f}"
    return f"95 % interval {joined}"


def duration(seconds: float) -> str:
    """`88 s`, `12 min`, `2 h 5 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def round_outcome(told: Mapping[str, Any], where: str = "on validation") -> str:
    """What a round with unlabelled micrographs brought, in a sentence.

    Args:
        told: one of the `rounds` of a summary, or a `round` event.
        where: how the average precision was measured: `on validation` or `by cross-validation`.
    """
    if "gain" not in told:
        return f"Round {told['round']} counted: nothing was held out to judge it by."
    name, gain, error = f"Round {told['round']}", float(told["gain"]), float(told["gain_standard_error"])
    before, after = (decimals(told[f"average_precision_{when}"]) for when in ("before", "after"))
    size = f"{round(gain, 3) + 0.0:+.3f} ± {error:.3f}"  # + 0.0 makes -0 a 0
    verb = "rose" if gain > error else "fell" if gain < -error else "went"
    change = f"average precision {where} {verb} from {before} to {after} ({size}, one standard error)"
    if told["counts"]:
        if verb == "rose":
            return f"{name} counted: {change}."
        if told.get("rule") == "unless_harm":
            return f"{name} counted, because it did no detectable harm: {change}."
        worth = "did harm" if verb == "fell" else "brought no detectable gain"
        return f"{name} counted, because this strategy keeps every round, but {worth}: {change}."
    if verb == "fell":
        return f"{name} did harm: {change}. The network before it was kept."
    return f"{name} brought no detectable gain ({size}): the network before it was kept."


_MEASURED = {
    "validation": "on validation", "clicks": "on the clicks that it learned from, which flatters it",
}  # fmt: skip


def say_gate(summary: Mapping[str, Any]) -> str:
    """Whether the first network was good enough to go on with unlabelled data; empty where nobody asked.

    Args:
        summary: of a run; its `gate` is looked at, see `cryoglean.judging.Gate`.
    """
    gate = summary.get("gate")
    if not gate:
        return ""
    if gate["auc"] is None:
        return "The first network was not checked: nothing was there to check it on."
    where = "on held-out patches" if summary.get("patches") else _MEASURED[gate["measured_on"]]
    if gate["passed"]:
        return f"The first network ranks particles above the rest: AUC {gate['auc']:.2f} {where}."
    return (
        f"The first network does not rank particles above the rest: AUC {gate['auc']:.2f} {where}, "
        f"{gate['least']:.2f} is needed; nothing was learned from unlabelled data."
    )


def gate_checks(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What to check, in this order, where the first network was not good enough; empty where it was.

    Args:
        summary: see `say_gate`.
    """
    if (summary.get("gate") or {}).get("passed", True):
        return ()
    is_of_patches = bool(summary.get("patches"))
    what = "PATCHES" if is_of_patches else "MICROGRAPHS --picks PICKS ..."
    labels = "positive patches" if is_of_patches else "labels"
    return (
        f"coordinates: `cryoglean show patches {what}`; the mean patch must show a particle",
        "--diameter-angstrom and --pixel-size-angstrom",
        "contrast: --set prepare.contrast=dark (or light)",
        f"the number of {labels}: below 20 there may be too few, or they are not of one kind",
    )


def say_expected(told: Mapping[str, Any]) -> str:
    """How many particles a micrograph is expected to hold, and who says so.

    Args:
        told: `expected` of a summary, or a `prior` event.
    """
    low, high = told.get("interval") or (None, None)
    if told["per_micrograph"] is None:
        return f"particles a micrograph: can't be told, at most about {high:,.0f} ({told['source']})"
    between = "" if low is None else f", 95 % interval {low:,.0f} to {high:,.0f}"
    return f"particles a micrograph: about {told['per_micrograph']:,.0f} ({told['source']}{between})"


def say_evidence(evidence: Mapping[str, Any]) -> str:
    """`labels 12, strength 1.163`: what was measured, by name."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in evidence.items()
    )


def some_of(names: Sequence[str], limit: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
