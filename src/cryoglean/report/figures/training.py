"""How a training went: losses and validation over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.report.figures.drawing import INK, LINE_COLOURS, LINE_STYLES, MARKERS, label_axes, new_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_LOSSES = frozenset({"step", "gradient_norm", "learning_rate", "loss"})


def loss_terms(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The numbers that the `step` events tell beside the whole loss, in the order first told."""
    names = dict.fromkeys(
        name for event in steps for name, value in event.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NOT_LOSSES
    )  # fmt: skip
    return tuple(names)


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean over `window` values around each: (n,); narrower at the ends, so that a constant stays."""
    padded = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    reach = np.minimum(np.minimum(places, len(values) - 1 - places), window // 2)
    return np.asarray((padded[places + reach + 1] - padded[places - reach]) / (2 * reach + 1), dtype=np.float64)


def draw_losses(steps: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """The loss and its terms over the steps of one phase: each step faint, the running mean strong.

    Args:
        steps: `step` events of one phase, at least one.
        title: of the figure.
    """
    figure, (axes,) = new_chart()
    for place, name in enumerate(("loss", *loss_terms(steps))):
        rows = [(event["step"], float(event[name])) for event in steps if name in event]
        if not rows:
            continue
        at, values = np.array(rows, dtype=np.float64).T
        colour = INK if name == "loss" else LINE_COLOURS[(place - 1) % len(LINE_COLOURS)]
        style = "-" if name == "loss" else LINE_STYLES[place % len(LINE_STYLES)]
        axes.plot(at, values, color=colour, linewidth=0.7, alpha=0.25)
        smooth = running_mean(values, max(1, len(values) // 20))
        label = "sum" if name == "loss" else name.replace("_", " ")
        axes.plot(at, smooth, color=colour, linewidth=2, linestyle=style, label=label)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.legend(frameon=False, fontsize=10)
    label_axes(axes, "step", "loss", title)
    return figure


def draw_validation(validations: Sequence[Mapping[str, Any]]) -> Figure:
    """Average precision on validation over steps, a line for each phase, the chosen steps in full.

    Args:
        validations: `validation` events of any phases, at least one.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_chart()
    phases = dict.fromkeys(str(event.get("phase", "")) for event in validations)
    for place, phase in enumerate(phases):
        told = [event for event in validations if str(event.get("phase", "")) == phase]
        at = [event["step"] for event in told]
        values = [event["average_precision"] for event in told]
        colour, marker = LINE_COLOURS[place % len(LINE_COLOURS)], MARKERS[place % len(MARKERS)]
        style = LINE_STYLES[place % len(LINE_STYLES)]
        axes.plot(
            at, values, color=colour, marker=marker, linestyle=style, markersize=7, markerfacecolor="white",
            label=phase or "training",
        )  # fmt: skip
        chosen = int(np.argmax(values))
        axes.plot(at[chosen], values[chosen], marker, color=colour, markersize=10, gid=f"chosen {phase}")
        if len(phases) == 1:
            axes.annotate(
                f"{values[chosen]:.3f}", (at[chosen], values[chosen]), textcoords="offset points", xytext=(0, -18),
                ha="center", fontsize=10, color=INK,
            )  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, 1.06 * max(event["step"] for event in validations))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.plot([], [], "o", color=INK, markersize=9, label="filled: chosen step")
    figure.legend(frameon=False, fontsize=10, loc="outside upper center", ncols=4, columnspacing=1.2)
    label_axes(axes, "step", "average precision")
    return figure
