"""What the PU losses share: means over labelled positives (P) and over what nobody judged (U), and risks made of them.

A pixel of `Targets(y, w)` belongs to P by w y and to U by w (1 - y). U is not background: a share `prior` of it are
particles, and the risk on background follows from U and P together (du Plessis 2015, PMLR 37). It is no sum over crops,
so that a PU loss is one number for the whole batch, the same for each of its crops. A mean over nothing is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cryoglean.errors import SettingsError
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets


def read_prior(settings: LossSettings) -> float:
    """The share of positives among U, in (0, 1).

    Raises:
        SettingsError: it is not known.
    """
    if settings.prior is None:
        raise SettingsError(
            "the PU losses need the share of particle pixels (or patches) among those that nobody judged",
            where="loss.prior",
            fix="Set loss.prior (such as loss.prior=0.04), or train with labels.kind=sparse, which finds it.",
        )
    return settings.prior


def split_weights(targets: Targets) -> tuple[Tensor, Tensor]:
    """How much each pixel counts among P and among U; both of the shape of the targets, in [0, 1]."""
    return targets.w * targets.y, targets.w * (1 - targets.y)


def mean_over(weights: Tensor, values: Tensor) -> Tensor:
    """The weighted mean, a scalar; 0 without a gradient where all weights are 0."""
    return (weights * values).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


def judge(logits: Tensor, settings: LossSettings) -> Tensor:
    """How wrong it is to say `logits` of a positive, pixel by pixel; of a negative it is `judge(-logits)`.

    Args:
        logits: any shape.
        settings: `surrogate` is used: `logistic` is ln(1 + exp(-z)), `sigmoid` is 1 / (1 + exp(z)).
    """
    return softplus(-logits) if settings.surrogate == "logistic" else torch.sigmoid(-logits)


def positive_risk(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """E_P l(g), not yet times the prior: a scalar; 0 where there is no P."""
    return mean_over(split_weights(targets)[0], judge(logits, settings))


def negative_risk(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """R_n = E_U l(-g) - prior E_P l(-g), which is (1 - prior) E_N l(-g) on the average, though N was never seen.

    Without P it is E_U l(-g); without U it is 0, for -E_P l(-g) alone says nothing of background and has no bound.

    Raises:
        SettingsError: the prior is not known.
    """
    prior = read_prior(settings)
    positive, unlabelled = split_weights(targets)
    wrong = judge(-logits, settings)
    has_unlabelled = (unlabelled.sum() > 0).to(wrong.dtype)
    return has_unlabelled * (mean_over(unlabelled, wrong) - prior * mean_over(positive, wrong))


def keep_from_falling(positive: Tensor, negative: Tensor, beta: float = 0.0, gamma: float = 1.0) -> Tensor:
    """Positive + max(negative, -beta), with the gradient of algorithm 1 of nnPU (Kiryo 2017, arXiv 1703.00593).

    A risk on negatives below -beta shows that the network has learned the labelled positives by heart. The step is then
    one up that risk: the gradient is that of -gamma negative alone. Otherwise it is that of positive + negative.

    Args:
        positive: a scalar, the prior times the risk on positives.
        negative: a scalar, the risk on negatives.
        beta: how far below 0 the risk on negatives may fall, at least 0.
        gamma: the size of the step up, in [0, 1].
    """
    value = positive + negative.clamp_min(-beta)
    followed = torch.where(negative < -beta, -gamma * negative, positive + negative)
    return value.detach() + (followed - followed.detach())


def log_loss_of_positives(logits: Tensor, targets: Targets) -> Tensor:
    """E_P ln(1 + exp(-g)), a scalar: what the expectation criteria (GE) ask of P; 0 where there is no P."""
    return mean_over(split_weights(targets)[0], softplus(-logits))


def unlabelled_pixels(logits: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The logits (m,) and weights (m,) of the pixels that count among U, in the order of the batch."""
    weights = split_weights(targets)[1].flatten()
    counted = weights > 0
    return logits.flatten()[counted], weights[counted]


def for_each_crop(value: Tensor, logits: Tensor) -> Tensor:
    """A batch's one value as (n,), so that the mean over crops is the value itself."""
    return value.expand(len(logits))
