"""What a strategy is, and the one outer loop that all strategies share.

A strategy is a value: streams of crops for a first training, and rounds in each of which a teacher labels the
unlabelled micrographs and a new student learns. Every stream makes `Targets(y, w)`, whoever made them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from pydantic import ValidationError, validate_call
from torch import Tensor, nn

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.evaluate.gain import Gain, compare_picks
from cryoglean.evaluate.score import evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.judging import Gate, measure_gate
from cryoglean.labelling import Harvest, Teachers, harvest
from cryoglean.learn.loop import Fit
from cryoglean.learn.picker import Picker
from cryoglean.phases import Branch, Plan, run_phase
from cryoglean.picks import Picks
from cryoglean.prepare.split import Fold, Region
from cryoglean.pseudo.labeller import Labeller
from cryoglean.registry import load_card
from cryoglean.streams import Stream, labelled, pseudo_labelled
from cryoglean.task import Task, pick_regions, region_labels, validation_rules

Variant = Literal["corrected", "notes"]
"""Of a strategy of the source notes: as they did it, or put right."""


Counts = Literal["gain", "unless_harm", "always"]
"""When a round counts, see `Round`."""


@dataclass(frozen=True, slots=True)
class Round:
    """The teacher labels the unlabelled micrographs once; then a student starts afresh.

    Args:
        labeller: what becomes of the teacher's maps; None: nothing is labelled beforehand, the streams do it.
        streams: of the student.
        counts: `gain`: only if validation average precision rises by more than one standard error; `unless_harm`: not
            if it falls by more than one; `always`.
        goes_on: whether the student begins with the teacher's weights, and not afresh.
    """

    labeller: Labeller | None = field(default_factory=Labeller)
    streams: tuple[Stream, ...] = field(default_factory=lambda: (labelled(), pseudo_labelled()))
    counts: Counts = "gain"
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """A strategy.

    Args:
        name: the card's name.
        source: the paper (doi or arXiv) or note that it is from.
        streams: of the first training; by default the labelled crops alone, which is the supervised baseline.
        rounds: one after the other; the best is the result.
        pretrain: streams of a training before, without labels.
        members: networks of the first training that teach together in the first round; the first one picks.
        stops_without_gain: whether a round that does not count is the last one.
        labels: what it is made for: `sparse` ones leave particles unlabelled.
        least_auc: the gate: no round begins unless the first network ranks particles above the rest with an area under
            the ROC curve above this; None asks for nothing.
    """

    name: str
    source: str
    streams: tuple[Stream, ...] = field(default_factory=lambda: (labelled(),))
    rounds: tuple[Round, ...] = ()
    pretrain: tuple[Stream, ...] = ()
    members: int = 1
    stops_without_gain: bool = True
    labels: Literal["complete", "sparse"] = "complete"
    least_auc: float | None = None

    @property
    def is_semi(self) -> bool:
        """Whether unlabelled micrographs are looked at at all."""
        return bool(self.rounds) or bool(self.pretrain) or self.labels == "sparse"


def read_recipe(strategy: str, options: Mapping[str, Any]) -> Recipe:
    """The recipe of a card with its options.

    Args:
        strategy: a strategy card.
        options: of its `recipe`.

    Raises:
        SettingsError: there is no such card, it knows no such option, or the value is not of the option's kind.
    """
    card = load_card("strategies", strategy)
    known = tuple(inspect.signature(card.recipe).parameters)
    for name in options:
        if name not in known:
            raise SettingsError(
                f"'{strategy}' knows no option '{name}'", where="options",
                fix=did_you_mean(name, known) if known else "It has none.",
            )  # fmt: skip
    try:
        recipe: Recipe = validate_call(card.recipe)(**options)
    except ValidationError as error:
        wrong = "; ".join(f"{mistake['loc'][0]} = {mistake['input']!r}: {mistake['msg']}" for mistake in error.errors())
        raise SettingsError(wrong, where=f"options of '{strategy}'") from error
    return recipe


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a recipe came to.

    Args:
        picker: the final network.
        validation_picks: picks on validation micrographs by the final network; with folds, on every labelled
            micrograph by the network that had not seen it.
        best_step: how many steps the final network had seen.
        rounds: for each round its obituary, its gain and whether it counted; no gain where nothing is held out.
        gate: whether rounds could begin at all, see `Gate`; None where the recipe does not ask.
    """

    picker: Picker
    validation_picks: Picks
    best_step: int
    rounds: tuple[dict[str, Any], ...] = ()
    gate: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Generation:
    """All branches after a round.

    Args:
        fits: of each branch; several only after the first training of an ensemble.
        picks: on everything held out.
        obituary: of the pseudo-labels that the first branch learned from.
        known: what their teachers said and what is true; see `Knowledge`.
        has_learned: whether there was anything to learn from.
    """

    fits: tuple[tuple[Fit, ...], ...]
    picks: Picks
    obituary: dict[str, Any] = field(default_factory=dict)
    known: Tensor | None = None
    has_learned: bool = True


def run_recipe(recipe: Recipe, task: Task) -> Trained:
    """Train, and go through the rounds while they count; on folds where no validation micrographs are held out.

    With folds, rounds are judged by the pooled picks of the fold networks, and the final network, which learns from
    every label, then goes through the rounds that counted. Fold networks run to their last step, as the final one
    does: stopped at their best validation they are less sure than it, and a threshold chosen on their picks is too low
    for it (docs/log.md, 2026-11-21).

    Raises:
        RunError: a checkpoint is broken.
    """
    whole = tuple(Region(name) for name in task.split.train)
    held = tuple(Region(name) for name in task.split.validation)
    final = Branch("final", Fold(whole, held))
    branches = [Branch(f"fold-{place + 1}", fold) for place, fold in enumerate(task.split.folds)] or [final]
    best = _begin(recipe, task, branches)
    told: list[dict[str, Any]] = []
    counted: list[tuple[int, _Generation]] = []
    gate = _check_gate(recipe, task, branches, best)
    may_begin = bool(task.unjudged) and (gate is None or gate.has_passed)
    for number, step in enumerate(recipe.rounds if may_begin else (), 1):
        new = _go_on(recipe, task, branches, number, best)
        gain = _compare(task, branches, best.picks, new.picks)
        counts = new.has_learned and _is_counted(step.counts, gain)
        told.append(
            {
                "round": number,
                "counts": counts,
                "rule": step.counts,
                **(gain.to_json() if gain else {}),
                **_score(task, branches, new.picks),
                **new.obituary,
            }
        )
        task.tell({"event": "round", **told[-1]})
        if counts:
            best = new
            counted.append((number, new))
        elif recipe.stops_without_gain:
            break
    chosen = _finish(recipe, task, final, counted) if task.split.folds else best
    fitted = chosen.fits[0][0]
    passed = None if gate is None else gate.to_json()
    return Trained(task.picker(fitted.network), best.picks, fitted.best_step, tuple(told), passed)


def _is_counted(rule: Counts, gain: Gain | None) -> bool:
    """Whether a round counts; where nothing is held out, nobody can say that it does not."""
    if gain is None or rule == "always":
        return True
    return gain.is_clear if rule == "gain" else not gain.is_harm


def _check_gate(recipe: Recipe, task: Task, branches: Sequence[Branch], first: _Generation) -> Gate | None:
    """Measured again when a run is resumed: the networks are the same."""
    if recipe.least_auc is None:
        return None
    networks = [members[0].network for members in first.fits]
    gate = measure_gate(task, networks, [branch.fold.validation for branch in branches], recipe.least_auc)
    task.tell({"event": "gate", **gate.to_json()})
    return gate


def _finish(recipe: Recipe, task: Task, final: Branch, counted: Sequence[tuple[int, _Generation]]) -> _Generation:
    """The final network, which nothing is held out from, through the rounds that counted for the folds."""
    chosen = _begin(recipe if counted else replace(recipe, members=1), task, [final])
    for number, of_folds in counted:
        weight = min(
            members[0].unlabelled_weight for members in of_folds.fits
        )  # what spoilt a fold would spoil it, too
        chosen = _go_on(recipe, task, [final], number, replace(chosen, known=of_folds.known), weight)
    return chosen


def _begin(recipe: Recipe, task: Task, branches: Sequence[Branch]) -> _Generation:
    """The first training of each branch, of all its members."""
    fits = []
    for branch in branches:
        start = _pretrain(recipe, task, branch)
        members = []
        for member in range(recipe.members if task.unjudged else 1):
            name = branch.name if member == 0 else f"{branch.name}-member-{member + 1}"
            plan = Plan(recipe.streams, start, salt=member, tells_auc=recipe.least_auc is not None)
            members.append(run_phase(task, replace(branch, name=name), plan))
        fits.append(tuple(members))
    return _Generation(tuple(fits), _pick(task, branches, [members[0] for members in fits]))


def _go_on(
    recipe: Recipe, task: Task, branches: Sequence[Branch], number: int, before: _Generation, weight: float = 1.0
) -> _Generation:  # fmt: skip
    """One round of each branch, unlabelled terms weighing `weight` relative to the settings."""
    fits, harvests = [], []
    step = recipe.rounds[number - 1]
    for branch, fitted in zip(branches, before.fits, strict=True):
        made = Harvest()
        if step.labeller is not None:
            networks = [one.network for one in fitted]
            teachers = Teachers(networks, branch.fold.train, branch.fold.validation, before.known)
            made = harvest(task, step.labeller, teachers)
            if not made.micrographs:  # nothing to learn from: the network stays
                fits.append((fitted[0],))
                harvests.append(made)
                continue
        start = fitted[0].network if step.goes_on else _pretrain(recipe, task, branch)
        plan = Plan(step.streams, start, step.goes_on, made, 100 * number, recipe.least_auc is not None, weight)
        fits.append((run_phase(task, replace(branch, name=f"{branch.name}-round-{number}"), plan),))
        harvests.append(made if not harvests else replace(made, micrographs=()))  # the first one's are shown
    is_shown = task.is_sparse or bool(branches[0].fold.validation)
    if task.keep_examples is not None and is_shown and harvests[0].micrographs:
        task.keep_examples(number, harvests[0].micrographs)
    known = [made.known for made in harvests if made.known is not None]
    picks = _pick(task, branches, [members[0] for members in fits])
    has_learned = any(new[0] is not old[0] for new, old in zip(fits, before.fits, strict=True))
    return _Generation(
        tuple(fits), picks, harvests[0].obituary, torch.cat(known) if known else None, has_learned=has_learned
    )


def _pretrain(recipe: Recipe, task: Task, branch: Branch) -> nn.Module | None:
    if not recipe.pretrain:
        return None
    blind = Branch(f"{branch.name}-pretrain", Fold(branch.fold.train, ()))
    return run_phase(task, blind, Plan(recipe.pretrain)).network


def _pick(task: Task, branches: Sequence[Branch], fits: Sequence[Fit]) -> Picks:
    parts = [
        pick_regions(task.picker(fitted.network), task, branch.fold.validation)
        for branch, fitted in zip(branches, fits, strict=True)
    ]
    return Picks.concatenate(parts)


def _score(task: Task, branches: Sequence[Branch], picks: Picks) -> dict[str, Any]:
    """Precision, recall and F1 on what is held out, at the threshold that would be chosen on it.

    Nothing without a particle held out; nothing of patches, whose unlabelled ones may hold a particle.
    """
    regions = tuple(region for branch in branches for region in branch.fold.validation)
    if not regions or task.patch_prior is not None:
        return {}
    truth, rules = region_labels(task, regions), validation_rules(task)
    if not evaluate_picks(Picks.empty(truth.micrographs), truth, rules).total.truth:
        return {}
    chosen = choose_threshold(picks, truth, rules, rule=task.settings.pick.cut)
    total = evaluate_picks(picks, truth, rules, threshold=chosen.threshold).total
    scores = {"precision": total.precision, "recall": total.recall, "f1": total.f1, "threshold": chosen.threshold}
    return {"validation": scores}


def _compare(task: Task, branches: Sequence[Branch], before: Picks, after: Picks) -> Gain | None:
    """The gain on what is held out; None where nothing is."""
    regions = tuple(region for branch in branches for region in branch.fold.validation)
    if not regions:
        return None
    return compare_picks(before, after, region_labels(task, regions), validation_rules(task))
