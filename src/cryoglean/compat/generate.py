"""The three ways of the source notes to choose pseudo-labels; conventions are in `cryoglean.compat`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from cryoglean.compat.arguments import check_count, check_share, check_variant
from cryoglean.compat.making import PseudoLabels, Wish, make_pseudo_labels
from cryoglean.compat.teacher import Pictures, Teacher
from cryoglean.errors import SettingsError
from cryoglean.pseudo.labeller import Labeller
from cryoglean.pseudo.select import dual
from cryoglean.recipe import Recipe, Variant
from cryoglean.strategies import class_balanced, curriculum, limited


def generate_class_balanced_pseudo_labels(  # noqa: PLR0913 - the notes' signature
    model: nn.Module,
    unlabeled_images: Pictures,
    device: str | torch.device,
    target_particle_ratio: float = 0.04,
    confidence_threshold_particle: float = 0.60,
    confidence_threshold_background: float = 0.80,
    max_pseudo_labels: int | None = None,
    batch_size: int = 4,
    *,
    variant: Variant = "corrected",
) -> PseudoLabels:
    """Pixels are trusted from a lower confidence for particle than for background (the notes' strategy 1).

    Args:
        model: see `cryoglean.compat`.
        unlabeled_images: see `cryoglean.compat`.
        device: where the model runs, such as `cpu` or `cuda`.
        target_particle_ratio: expected share of particle pixels, above 0 and at most 0.9. The notes choose pictures
            whose own share is near it; corrected, it chooses nothing (that would leave out crowded and empty
            pictures) and is only told, beside the share found.
        confidence_threshold_particle: least p of a trusted particle pixel, in [0, 1].
        confidence_threshold_background: least 1 - p of a trusted background pixel, in [0, 1].
        max_pseudo_labels: how many pictures are kept at most, 1 or more; None: all.
        batch_size: pictures that go through the model at once, 1 or more.
        variant: `notes`: the best by 0.3 particle and 0.2 background confidence and 0.5 balance. `corrected`: of each
            crowding, those on which eight turned and mirrored views agree best.

    Returns:
        Pictures, masks, stats; see `cryoglean.compat`.

    Raises:
        SettingsError: an argument is out of range, or the model's answer can't be used.
        MicrographError: there is no picture, or one can't be used.
    """
    check_variant(variant)
    particle = check_share("confidence_threshold_particle", confidence_threshold_particle)
    background = check_share("confidence_threshold_background", confidence_threshold_background)
    most = len(unlabeled_images) if max_pseudo_labels is None else check_count("max_pseudo_labels", max_pseudo_labels)
    recipe = class_balanced.recipe(variant=variant, particle=particle, background=background, cap=float(most))
    # The card calls nothing under 0.5 a particle; a lower threshold asks for just that.
    labeller = replace(_labeller(recipe), select=dual(particle, background, particle_above=min(particle, 0.5)))
    wish = Wish(variant, labeller, {"particle": particle, "background": background}, target=target_particle_ratio)
    return make_pseudo_labels(Teacher.of(model, device, batch_size), unlabeled_images, wish)


def generate_limited_pseudo_labels(  # noqa: PLR0913 - the notes' signature
    model: nn.Module,
    unlabeled_images: Pictures,
    labeled_count: int,
    device: str | torch.device,
    pseudo_to_labeled_ratio: float = 1.0,
    confidence_threshold: float = 0.70,
    batch_size: int = 4,
    *,
    variant: Variant = "corrected",
) -> PseudoLabels:
    """Only `pseudo_to_labeled_ratio` times as many pictures as are labelled, the best ones (the notes' strategy 2).

    Args:
        model: see `cryoglean.compat`.
        unlabeled_images: see `cryoglean.compat`.
        labeled_count: how many pictures are labelled, 1 or more.
        device: where the model runs, such as `cpu` or `cuda`.
        pseudo_to_labeled_ratio: above 0; at least one picture is kept.
        confidence_threshold: in [0, 1]. `notes`: least mean of max(p, 1 - p) over a picture; `corrected`: least
            max(p, 1 - p) of a trusted pixel.
        batch_size: pictures that go through the model at once, 1 or more.
        variant: `notes`: the best by that mean, which are the empty ones; every pixel is trusted. `corrected`: those on
            which eight turned and mirrored views agree best.

    Returns:
        Pictures, masks, stats; see `cryoglean.compat`.

    Raises:
        SettingsError: an argument is out of range, or the model's answer can't be used.
        MicrographError: there is no picture, or one can't be used.
    """
    check_variant(variant)
    threshold = check_share("confidence_threshold", confidence_threshold)
    if not (math.isfinite(pseudo_to_labeled_ratio) and pseudo_to_labeled_ratio > 0):
        raise SettingsError(
            f"it is {pseudo_to_labeled_ratio}", where="pseudo_to_labeled_ratio", fix="Give a number above 0."
        )
    labeller = _labeller(limited.recipe(variant=variant, ratio=pseudo_to_labeled_ratio, trust_above=threshold))
    labelled = check_count("labeled_count", labeled_count)
    wish = Wish(variant, labeller, {"confidence": threshold}, labelled=labelled)
    return make_pseudo_labels(Teacher.of(model, device, batch_size), unlabeled_images, wish)


def generate_curriculum_pseudo_labels(  # noqa: PLR0913 - the notes' signature
    model: nn.Module,
    unlabeled_images: Pictures,
    device: str | torch.device,
    iteration: int,
    max_iterations: int = 3,
    initial_threshold: float = 0.90,
    final_threshold: float = 0.60,
    batch_size: int = 4,
    *,
    target_particle_ratio: float = 0.04,
    variant: Variant = "corrected",
) -> PseudoLabels:
    """First the surest pseudo-labels, in later iterations less sure ones too (the notes' strategy 3).

    Args:
        model: see `cryoglean.compat`.
        unlabeled_images: see `cryoglean.compat`.
        device: where the model runs, such as `cpu` or `cuda`.
        iteration: 1 to `max_iterations`.
        max_iterations: 1 or more.
        initial_threshold: of the first iteration, in [0, 1]; those between lie evenly.
        final_threshold: of the last iteration, in [0, 1].
        batch_size: pictures that go through the model at once, 1 or more.
        target_particle_ratio: expected share of particle pixels, above 0 and at most 0.9; `notes` needs none. The
            default is that of the notes: give that of your labels.
        variant: `notes`: whole pictures whose mean max(p, 1 - p) is at least the threshold. `corrected`: the surest
            pixels of each class over all pictures, as many as are a share of those expected: 0.5, 0.7 and 0.9 for the
            thresholds 0.90, 0.75 and 0.60, evenly between and beyond them, at most all.

    Returns:
        Pictures, masks, stats; see `cryoglean.compat`.

    Raises:
        SettingsError: an argument is out of range, or the model's answer can't be used.
        MicrographError: there is no picture, or one can't be used.
    """
    check_variant(variant)
    first, last = check_share("initial_threshold", initial_threshold), check_share("final_threshold", final_threshold)
    steps = check_count("max_iterations", max_iterations) - 1
    if check_count("iteration", iteration) > max_iterations:
        raise SettingsError(f"it is {iteration} of {max_iterations}", where="iteration", fix="Raise max_iterations.")
    threshold = first + (iteration - 1) / max(steps, 1) * (last - first)
    # The card's shares at the notes' thresholds, a line through them elsewhere.
    share = min(0.5 + (0.90 - threshold) * 0.4 / 0.3, 1.0)
    labeller = _labeller(curriculum.recipe(variant=variant, shares=(share,), thresholds=(threshold,)))
    if variant == "notes":
        wish = Wish(variant, labeller, {"confidence": threshold})
    else:
        wish = Wish(variant, labeller, {"share": share}, target=target_particle_ratio, is_fitted=True)
    return make_pseudo_labels(Teacher.of(model, device, batch_size), unlabeled_images, wish)


def _labeller(recipe: Recipe) -> Labeller:
    """Of its first round."""
    return cast("Labeller", recipe.rounds[0].labeller)
