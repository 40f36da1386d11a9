"""The straight line for a file of patches: read -> prepare -> hold out -> train -> threshold by the prior -> keep.

Each patch is a tiny picture of which only the middle was judged: a particle (positive), or by nobody (unlabelled).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cryoglean.counting import choose_by_count
from cryoglean.dataset import Dataset
from cryoglean.errors import PicksError, SettingsError
from cryoglean.evaluate.threshold import ChosenThreshold
from cryoglean.io.patches import Patches
from cryoglean.judging import measure_auc
from cryoglean.keeping import Clock, describe_outcome, is_done, keep, set_up, tell_all
from cryoglean.learn.hardware import Hardware, find_hardware
from cryoglean.learn.loop import Tell
from cryoglean.picks import Picks
from cryoglean.prepare.contrast import measure_contrast
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.patch_pictures import prepare_patches
from cryoglean.prepare.split import Region, Split
from cryoglean.preparing import start_preparation
from cryoglean.recipe import Recipe, Trained, read_recipe, run_recipe
from cryoglean.run import Run
from cryoglean.settings import Settings
from cryoglean.task import Task

DEFAULT = "fixmatch_pu"
_FEWEST = 4  # patches of each kind
_ENOUGH = 500  # positive patches that the contrast is measured on


def train_from_patches(
    dataset: Dataset, patches: Patches, settings: Settings, run: Run, *, tell: Tell | None = None, resumes: bool = False
) -> Run:
    """Learn to pick from patches alone.

    Args:
        dataset: see `gather_patches`.
        patches: the same file's.
        settings: with sparse labels, a model that judges patches, and `loss.prior`: the share of unlabelled patches
            with a particle in the middle.
        run: the folder to fill; it must not hold a finished run unless `resumes`.
        tell: is told what happens, beside the events file.
        resumes: continue a run that was interrupted.

    Returns:
        The finished run, which picks micrographs as any other.

    Raises:
        CryogleanError: settings that don't fit patches, too few of them, or see `prepare_patches`.
    """
    if is_done(dataset, settings, run, resumes=resumes):
        return run
    clock = Clock(run)
    recipe, prior = _read_wish(settings)
    hardware = find_hardware(settings.learn.precision)
    task = replace(_make_task(dataset, patches, settings, hardware, prior), tell=tell_all(run, tell, clock))
    task = replace(task, checkpoint_folder=run.checkpoint_folder, resumes=resumes)
    set_up(dataset, settings, run, hardware)  # not before: a mistake in the data leaves the folder free
    trained = run_recipe(recipe, task)
    keep(run, trained, {"strategy": recipe.name, **_summarise(task, trained, dataset, prior), **clock.seconds()})
    return run


def _read_wish(settings: Settings) -> tuple[Recipe, float]:
    """The recipe and the prior, after all that does not fit patches was refused.

    Raises:
        SettingsError: naming the setting.
    """
    prior = settings.loss.prior
    recipe = read_recipe(DEFAULT if settings.strategy == "auto" else settings.strategy, settings.options)
    if settings.labels.kind != "sparse" or recipe.labels != "sparse":
        raise SettingsError(
            "patches of a file are positive or unlabelled, none is background", where=f"strategy {recipe.name}",
            fix=f"Give --labels sparse --preset {DEFAULT}.",
        )  # fmt: skip
    if settings.labels.per_micrograph is not None:
        raise SettingsError("patches are no micrographs", where="--per-micrograph", fix="Give --set loss.prior.")
    if settings.split.folds:
        raise SettingsError("patches are not cut into folds", where="split.folds", fix="Give split.validation_share.")
    if prior is None:
        raise SettingsError(
            "nobody says what share of the unlabelled patches hold a particle in the middle", where="loss.prior",
            fix="Give --set loss.prior=0.05; for patches cut anywhere it is the number of particles on a micrograph "
            "times 0.28 diameters squared, over the micrograph's area.",
        )  # fmt: skip
    return recipe, prior


def _make_task(dataset: Dataset, patches: Patches, settings: Settings, hardware: Hardware, prior: float) -> Task:
    """Held-out patches as validation, the other positive ones as labelled, the other unlabelled ones as unlabelled."""
    preparation, positive, unlabelled = _prepare(dataset, patches, settings)
    share, seed = settings.split.validation_share, settings.seed
    held, seen = _hold_out(positive, share, seed)
    held_unlabelled, unseen = _hold_out(unlabelled, share, seed + 1)
    middle = np.full((1, 2), patches.side_pixels // 2, dtype=np.float64)
    labels = [Picks.of_one(one.name, middle) for one in positive]
    labels.append(Picks.empty([one.name for one in held_unlabelled]))
    narrow = _only_the_middle(settings, patches.side_pixels, preparation, dataset)
    task = Task(
        narrow, hardware, preparation, {one.name: one for one in (*positive, *held_unlabelled)},
        Picks.concatenate(labels), Split(_names(seen), _names(held) + _names(held_unlabelled)),
        tell=lambda _event: None, unlabelled={one.name: one for one in unseen},
        density=prior / (math.pi * (settings.targets.core_diameters * preparation.particle_pixels) ** 2),
        patch_prior=prior,
    )  # fmt: skip
    if not task.is_of_patches:
        raise SettingsError(
            f"'{settings.model.name}' judges micrographs, not patches", where="model.name",
            fix=f"Give --preset {DEFAULT}, or --set model.name=small_cnn_patch.",
        )  # fmt: skip
    return task


def _prepare(
    dataset: Dataset, patches: Patches, settings: Settings
) -> tuple[Preparation, tuple[Prepared, ...], tuple[Prepared, ...]]:
    if min(len(patches.positive), len(patches.unlabelled)) < _FEWEST:
        raise PicksError(
            f"{len(patches.positive)} positive and {len(patches.unlabelled)} unlabelled patches", where="patches",
            fix=f"Give at least {_FEWEST} of each; better hundreds.",
        )  # fmt: skip
    choice = settings.prepare
    preparation = start_preparation(dataset, settings)
    size = dataset.pixel_size_angstrom or 1.0
    positive, unlabelled = prepare_patches(patches.positive, patches.unlabelled, preparation, size)
    if choice.contrast == "auto":
        asked = positive[:_ENOUGH]
        places = [one.scale.to_rescaled(np.full((1, 2), patches.side_pixels // 2)) for one in asked]
        if measure_contrast(asked, places, choice.particle_pixels).is_dark:
            preparation = preparation.turned(particles_are_dark=True)
            positive, unlabelled = (tuple(one.turned() for one in part) for part in (positive, unlabelled))
    return preparation, positive, unlabelled


def _hold_out(
    prepared: Sequence[Prepared], share: float, seed: int
) -> tuple[tuple[Prepared, ...], tuple[Prepared, ...]]:
    """A share, drawn by the seed, and the rest; at least one on each side."""
    count = min(max(round(share * len(prepared)), 1), len(prepared) - 1)
    order = np.random.default_rng(seed).permutation(len(prepared))
    held, rest = (tuple(prepared[place] for place in sorted(part)) for part in (order[:count], order[count:]))
    return held, rest


def _only_the_middle(settings: Settings, side: int, preparation: Preparation, dataset: Dataset) -> Settings:
    """The same settings with an edge so wide that nothing but the core in the middle is learned from or judged."""
    diameter = preparation.diameter_angstrom / (dataset.pixel_size_angstrom or 1.0)
    border = max((side - 1) / 2 / diameter - settings.targets.core_diameters, 0.0)
    prepare = settings.prepare.model_copy(update={"border_diameters": border})
    return settings.model_copy(update={"prepare": prepare})


def _names(prepared: Sequence[Prepared]) -> tuple[str, ...]:
    return tuple(one.name for one in prepared)


def _summarise(task: Task, trained: Trained, dataset: Dataset, prior: float) -> dict[str, Any]:
    """What held-out patches say; the threshold leaves as many unlabelled ones as the prior expects."""
    held = task.split.validation
    positive = [name for name in held if len(task.labels.on(name))]
    unlabelled = [name for name in held if not len(task.labels.on(name))]
    best = {name: _best_in_the_middle(trained.validation_picks.on(name), task, name) for name in held}
    chosen = _choose(np.array([best[name] for name in unlabelled]), prior)
    found = sum(0 < best[name] >= chosen.threshold for name in positive)
    picks = sum(0 < score >= chosen.threshold for score in best.values())
    auc = measure_auc(task, trained.picker.network, [Region(name) for name in held])
    return {
        **describe_outcome(task, trained, chosen),
        "unlabelled": len(task.unlabelled),
        "expected": {"per_micrograph": prior, "source": "user"},
        "train": list(dataset.names("train")),
        "validation_on": [],
        "is_cross_validated": False,
        "validation": None,
        "clicks": {
            "micrographs": len(held), "picks": picks, "clicks": len(positive), "clicks_found": found,
            "picks_per_micrograph": {},
        },
        "patches": {
            "positive": len(task.split.train), "unlabelled": len(task.unlabelled), "held_positive": len(positive),
            "held_unlabelled": len(unlabelled), "auc": auc,
        },
    }  # fmt: skip


def _best_in_the_middle(picks: Picks, task: Task, name: str) -> float:
    """The highest score within a core of the middle; 0 without a pick there."""
    if not len(picks) or picks.score is None:
        return 0.0
    middle = task.prepared[name].original_shape[0] // 2
    reach = task.settings.targets.core_diameters * task.diameter_pixels(name)
    is_near = np.hypot(*(picks.xy - middle).T) <= reach
    return float(picks.score[is_near].max(initial=0.0))


def _choose(scores: np.ndarray[Any, np.dtype[np.float64]], prior: float) -> ChosenThreshold:
    """The threshold that leaves the expected share of unlabelled patches."""
    seen = scores[scores > 0]  # a patch without a pick in its middle has no score
    rows = np.arange(len(seen), dtype=np.float64)
    expected = prior * len(scores)
    chosen = choose_by_count(Picks.of_one("patches", np.stack([rows, rows], axis=1), seen), expected)
    short = f", but only {len(seen)} have a pick in the middle" if len(seen) < round(expected) else ""
    reason = (
        f"So that {prior:.3g} of the {len(scores)} unlabelled patches held out are called particle, as expected{short}."
    )
    return replace(chosen, reason=reason)
