"""How many particles a micrograph holds, from clicks alone: two networks, each of which saw half of the clicks.

A network that tells some clicks from everything else scores the other clicks as it scores any particle that nobody
clicked: out of fold. So held-out clicks show how high particles score, all peaks together show how many things score
that high, and the best bin gives the number (Garg 2021, arXiv 2111.00980; `cryoglean.prior`).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoglean.clicks import clicked
from cryoglean.counting import Expected, micrograph_pixels, unjudged_names
from cryoglean.errors import LabelsError
from cryoglean.evaluate.match import match_picks
from cryoglean.learn.loop import Tell
from cryoglean.learn.picker import Picker
from cryoglean.picks import Picks
from cryoglean.prior.estimate import Evidence
from cryoglean.prior.particle_count import Candidates, CountEstimate, HeldOut, estimate_count
from cryoglean.recipe import Recipe, run_recipe
from cryoglean.settings import Settings
from cryoglean.task import Task

_PLAIN = Recipe("halves", "doi 10.1145/1401890.1401920", (clicked(("bce",)),), labels="sparse")
"""Clicked against everything, nobody's guess of the share of particles needed: it ranks as particle against
background does (Elkan 2008, lemma 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The peaks of a network's map of one micrograph, away from its edge, and what held-out labels lie on.

    Args:
        name: of the micrograph.
        heights: (m,) of the peaks, those on labels that the network learned from left out.
        held: (n,) height of the peak on each held-out label; 0 where there is none.
        is_found: (n,) bool, whether there is one.
        known: how many labels the network learned from.
    """

    name: str
    heights: NDArray[np.float64]
    held: NDArray[np.float64]
    is_found: NDArray[np.bool_]
    known: int


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one network saw.

    Args:
        peaks: of micrographs that nobody labelled completely.
        held: of micrographs with labels that it did not learn from; the same ones or others.
    """

    peaks: Sequence[Sight]
    held: Sequence[Sight]


@dataclass(frozen=True, slots=True)
class Found:
    """A number of particles, or why there is none; all for a rescaled pixel that may be learned from.

    Args:
        value: None when it can't be told.
        low: lower end of the 95 % interval.
        high: upper end; when the number can't be told, it is at most about this much.
        reason: a sentence.
        ratio: what the formula gave, whether or not it can be believed.
        evidence: what it was made from.
    """

    value: float | None
    low: float
    high: float
    reason: str
    ratio: float
    evidence: Evidence


def estimate_particles(task: Task) -> Expected:
    """The number of particles by `estimate_density`, told to whoever listens.

    Args:
        task: with sparse labels and prepared unlabelled micrographs; its checkpoints are used.

    Returns:
        The number and its interval, from `best bin`.

    Raises:
        LabelsError: the number can't be told; it says why, and what it is at most.
    """
    found = estimate_density(task)
    pixels = micrograph_pixels(task)
    low, high = found.low * pixels, found.high * pixels
    if found.value is None:
        unknown = {"per_micrograph": None, "source": "best bin", "interval": [0.0, round(high, 1)]}
        task.tell({"event": "prior", **unknown, "reason": found.reason})
        raise LabelsError(
            f"the clicks do not tell how many particles a micrograph holds (at most about {high:,.0f}). {found.reason}",
            where="--picks",
            fix="Give --per-micrograph with about how many there are, or --validation with completely labelled ones.",
        )
    expected = Expected(found.value, "best bin", found.value * pixels, (low, high), found.reason)
    task.tell({"event": "prior", **expected.to_json()})
    return expected


def estimate_density(task: Task) -> Found:
    """Train on each half of the clicks, score the other half, and take the best bin.

    The networks are trained as the settings say, but for half as many steps; all peaks count, however low.

    Args:
        task: see `estimate_particles`.

    Raises:
        LabelsError: no held-out click has a peak.
    """
    halves = split_clicks(len(task.labels), task.settings.seed)
    sights = [_see_half(task, number, halves[number - 1]) for number in (1, 2)]
    return count_seen(task, [Seen(one, one) for one in sights])


def drop_halves(task: Task) -> None:
    """Remove the checkpoints of an estimate that is finished and kept."""
    for number in (1, 2):
        folder = _half_folder(task, number)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def split_clicks(number: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of two halves, drawn at random; the first has one more where the number is odd.

    Args:
        number: of clicks.
        seed: the same seed draws the same halves.
    """
    order = np.random.default_rng(seed).permutation(number)
    return np.sort(order[0::2]), np.sort(order[1::2])


def see(picker: Picker, task: Task, name: str, known: Picks, held: Picks) -> Sight:
    """Look at one micrograph; see `Sight`.

    Args:
        picker: with the lowest score that a peak may have.
        task: where things may be learned from, and how large a particle is.
        name: of a prepared or unlabelled micrograph.
        known: what the network learned from.
        held: labels that it did not learn from.
    """
    prepared = {**task.prepared, **task.unlabelled}[name]
    tolerance = 0.5 * task.preparation.particle_pixels / prepared.scale.x
    peaks, own, other = (_inside(task, one) for one in (picker.pick(prepared), known.on(name), held.on(name)))
    is_left = np.ones(len(peaks), dtype=np.bool_)
    is_left[match_picks(peaks.xy, own.xy, tolerance).pick_indices] = False
    peaks = peaks.rows(is_left)
    heights = np.zeros(0) if peaks.score is None else peaks.score
    pairs = match_picks(peaks.xy, other.xy, tolerance)
    scores, is_found = np.zeros(len(other)), np.zeros(len(other), dtype=np.bool_)
    scores[pairs.truth_indices], is_found[pairs.truth_indices] = heights[pairs.pick_indices], True
    return Sight(name, heights, scores, is_found, len(own))


def count_seen(task: Task, networks: Sequence[Seen]) -> Found:
    """The number of particles from what one network saw, or several on the same micrographs.

    Scores of different networks are not comparable; each becomes the share of peaks of its network that are not
    higher. A micrograph that several networks saw is drawn once for all of them.

    Args:
        task: see `Task`.
        networks: what each saw.

    Raises:
        LabelsError: not one peak, or no held-out label with a peak.
    """
    ranked = [_rank(one) for one in networks]
    peaks, held = ([one for seen in ranked for one in getattr(seen, side)] for side in ("peaks", "held"))
    names = sorted({one.name for one in peaks})
    candidates = Candidates(np.concatenate([one.heights for one in peaks]), _names(peaks, "heights"), names)
    labelled = HeldOut(
        np.concatenate([one.held for one in held]), np.concatenate([one.is_found for one in held]), _names(held, "held")
    )
    estimate = estimate_count(candidates, labelled, seed=task.settings.seed)
    return _describe(task, estimate, peaks, names)


def _describe(task: Task, estimate: CountEstimate, peaks: Sequence[Sight], names: Sequence[str]) -> Found:
    """The estimate of several networks as that of one, the labels that each learned from added."""
    networks = len(peaks) / len(names)
    known = sum(one.known for one in peaks) / len(peaks)
    pictures = {**task.prepared, **task.unlabelled}
    learnable = float(np.mean([float(task.learnable(pictures[name]).sum()) for name in names]))
    each, found = estimate.candidates_per_micrograph / networks, estimate.share_found
    ratio = (estimate.share_of_candidates * each / found + known) / learnable
    low, high = ((end / networks + known) / learnable for end in (estimate.low, estimate.high))
    if estimate.value is None:
        return Found(None, 0.0, high, estimate.reason, ratio, estimate.evidence)
    reason = (
        f"{estimate.share_of_candidates:.0%} of {each:,.0f} peaks a micrograph score like held-out labels, of which "
        f"{found:.0%} have a peak."
    )
    return Found(ratio, low, high, reason, ratio, estimate.evidence)


def _see_half(task: Task, number: int, rows: NDArray[np.intp]) -> list[Sight]:
    """Train on some of the clicks, then look for the others on clicked and unlabelled micrographs."""
    rest = np.setdiff1d(np.arange(len(task.labels)), rows)
    known, held = task.labels.rows(rows), task.labels.rows(rest)
    half = replace(
        task, settings=_half_as_long(task), labels=known, tell=_renamed(task.tell, f"half {number} of the clicks"),
        density=None, checkpoint_folder=_half_folder(task, number), keep_examples=None,
    )  # fmt: skip
    picker = run_recipe(_PLAIN, half).picker
    lowest = replace(picker, settings=picker.settings.model_copy(update={"floor": 0.0}))
    return [see(lowest, task, name, known, held) for name in unjudged_names(task)]


def _half_folder(task: Task, number: int) -> Path | None:
    return None if task.checkpoint_folder is None else task.checkpoint_folder / f"half-{number}"


def _half_as_long(task: Task) -> Settings:
    learn = task.settings.learn
    return task.settings.model_copy(
        update={"learn": learn.model_copy(update={"steps": max(learn.steps // 2, 1)})}
    )  # fmt: skip


def _renamed(tell: Tell, phase: str) -> Tell:
    """Tells the events of another phase than the final training's."""
    return lambda event: tell({**event, "phase": phase} if "phase" in event else event)


def _inside(task: Task, picks: Picks) -> Picks:
    """The picks, all on one micrograph, where it may be learned from."""
    prepared = {**task.prepared, **task.unlabelled}[picks.micrographs[0]]
    learnable = task.learnable(prepared).numpy() > 0
    columns, rows = np.round(prepared.scale.to_rescaled(picks.xy)).astype(int).T
    fits = (rows >= 0) & (columns >= 0) & (rows < learnable.shape[0]) & (columns < learnable.shape[1])
    fits[fits] = learnable[rows[fits], columns[fits]]
    return picks.rows(fits)


def _rank(seen: Seen) -> Seen:
    """The same with the share of its peaks that are not higher instead of each height."""
    every = np.sort(np.concatenate([one.heights for one in seen.peaks]))
    peaks, held = (
        [replace(one, heights=_shares(every, one.heights), held=_shares(every, one.held)) for one in side]
        for side in (seen.peaks, seen.held)
    )
    return Seen(peaks, held)


def _shares(every: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each height, the share of all that are not higher, in [0, 1]."""
    return np.searchsorted(every, heights, side="right") / max(len(every), 1)


def _names(seen: Sequence[Sight], column: str) -> NDArray[np.str_]:
    return np.repeat([one.name for one in seen], [len(getattr(one, column)) for one in seen])
