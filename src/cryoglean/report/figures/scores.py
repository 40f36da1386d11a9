"""What scores are worth: precision and recall, true against false, and whether a score is a probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoglean.evaluate.calibration import Reliability
from cryoglean.evaluate.curves import Curve, Tally
from cryoglean.report.figures.drawing import BLUE, FAINT, GREEN, INK, VERMILLION, label_axes, new_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10  # of the calibration


def draw_precision_recall(curve: Curve, chosen: Tally, threshold: float | None) -> Figure:
    """Precision over recall at every threshold, the chosen one marked, lines of equal F1 behind.

    Args:
        curve: with at least one threshold.
        chosen: the counts at the threshold.
        threshold: the chosen one; None when all picks are taken.
    """
    figure, (axes,) = new_chart(height_inches=4.6)
    _draw_equal_f1(axes)
    precision = np.append(curve.precision[:1], curve.precision)
    axes.plot(np.append(0.0, curve.recall), precision, color=BLUE, linewidth=2.4)
    if chosen.precision is not None and chosen.recall is not None:
        what = "all picks" if threshold is None else f"threshold {threshold:.3f}"
        axes.plot(
            chosen.recall, chosen.precision, "o", color=VERMILLION, markersize=10, markeredgecolor="white",
            markeredgewidth=1.5, label=f"{what}:\nrecall {chosen.recall:.3f}, precision {chosen.precision:.3f}",
        )  # fmt: skip
        axes.legend(loc="lower left", fontsize=10, framealpha=0.9, edgecolor=FAINT)
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.03)
    average = curve.average_precision
    title = "Precision and recall" if average is None else f"Average precision {average:.3f}"
    label_axes(axes, "recall (share of the particles found)", "precision (share of picks that are right)", title)
    return figure


def draw_scores(scores: NDArray[np.float64], is_true: NDArray[np.bool_], threshold: float | None) -> Figure:
    """How many true and false picks have which score, and where the threshold cuts.

    Args:
        scores: (n,) with n at least 1.
        is_true: (n,) whether each is a particle.
        threshold: a vertical line; None for none.
    """
    figure, (axes,) = new_chart()
    low, high = float(scores.min()), float(scores.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    edges = np.linspace(low, high if high > low else low + 1.0, round(np.clip(1.3 * len(scores) ** 0.5, 10, 50)) + 1)
    kinds = [(is_true, GREEN, "", "particle"), (~is_true, VERMILLION, "////", "no particle")]
    for chosen, colour, hatch, label in kinds:
        counts, _ = np.histogram(scores[chosen], edges)
        axes.stairs(
            counts, edges, fill=True, facecolor=f"{colour}55", edgecolor=colour, hatch=hatch, linewidth=1.6,
            label=f"{label}: {int(chosen.sum())}",
        )  # fmt: skip
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=2, linestyle="--", label=f"threshold {threshold:.3f}")
    figure.legend(frameon=False, fontsize=10, loc="outside upper center", ncols=3, columnspacing=1.2)
    label_axes(axes, "score", "picks")
    return figure


def draw_calibration(found: Reliability) -> Figure:
    """The share of true picks over the score they were given, and how many picks each point rests on.

    Args:
        found: scores in [0, 1], in `BINS` bins.
    """
    figure, (axes, below) = new_chart(height_inches=4.8, rows=2)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1.2, linestyle="--", label="perfect")
    error = np.sqrt(found.share_true * (1 - found.share_true) / found.count)
    axes.errorbar(
        found.mean_score, found.share_true, yerr=error, color=BLUE, marker="o", markersize=7, linewidth=2,
        capsize=3, label="measured (± 1 standard error)",
    )  # fmt: skip
    axes.set_xlim(0, 1.01)
    axes.set_ylim(-0.02, 1.04)
    figure.legend(frameon=False, fontsize=10, loc="outside upper center", ncols=2, columnspacing=1.2)
    title = f"Expected calibration error {found.expected_calibration_error:.3f}"
    label_axes(axes, "", "share that is a particle", title)
    middles = (np.minimum(np.floor(found.mean_score * BINS), BINS - 1) + 0.5) / BINS
    below.bar(middles, found.count, width=0.9 / BINS, color=BLUE, alpha=0.75)
    for score, count in zip(middles, found.count, strict=True):
        below.annotate(
            f"{count}", (score, count), textcoords="offset points", xytext=(0, 2), ha="center", fontsize=8, color=INK
        )
    below.set_ylim(0, 1.35 * float(found.count.max()))
    label_axes(below, "score", "picks")
    return figure


def _draw_equal_f1(axes: Axes) -> None:
    recall = np.linspace(0.01, 1.0, 400)
    for f1 in (0.5, 0.6, 0.7, 0.8, 0.9):
        bottom = 2 * recall - f1
        precision = f1 * recall / np.where(bottom > 0, bottom, np.inf)
        is_there = (bottom > 0) & (precision <= 1.0)
        axes.plot(recall[is_there], precision[is_there], color=FAINT, linewidth=1, zorder=1)
        axes.text(1.02, f1 / (2 - f1), f"F1 {f1:.1f}", fontsize=8, color="#6b7280", va="center", clip_on=False)
