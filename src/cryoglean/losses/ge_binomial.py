"""Expectation criterion of Topaz with a binomial (Bepler 2019, arXiv 1803.08207): U holds about as many as it should.

The number of particles that the network sees among N pixels of U is about Gaussian, with mean sum p and variance
sum p (1 - p); it is compared with Binomial(N, prior). The paper's N is a small batch (240 of U beside 16 of P), and
with it goes the weight 1. Tens of thousands of pixels at once would make the count certain and the criterion thousands
of times as heavy, so U is dealt out into groups of about 240, each spread over the batch, and the mean over them taken.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from cryoglean.risks import for_each_crop, log_loss_of_positives, read_prior, unlabelled_pixels
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_GROUP = 240
_LEAST_VARIANCE = 1 / 12  # of a count: what rounding makes uncertain; at 0 the gradient would be infinite


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """The log loss of P + the cross entropy between the count that is said and Binomial(N, prior), over the batch.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y = 1 is a labelled positive, y = 0 was judged by nobody; w = 0 is in no group.
        settings: `prior` is used.

    Returns:
        (n,) float, the same for all crops.

    Raises:
        SettingsError: the prior is not known.
    """
    surprise = _surprise(*unlabelled_pixels(logits, targets), read_prior(settings))
    return for_each_crop(log_loss_of_positives(logits, targets) + surprise, logits)


def _surprise(logits: Tensor, weights: Tensor, prior: float) -> Tensor:
    """-sum_k q(k) ln Binomial(k; N, prior), the mean over groups; logits and weights are (m,), 0 where m is 0."""
    if len(logits) == 0:
        return logits.sum()
    p, share = _deal(torch.sigmoid(logits)), _deal(weights)
    size = (share.sum(0) ** 2 / (share**2).sum(0)).round()  # pixels of equal weight that would be as certain (Kish)
    share = share / share.sum(0)
    mean, variance = size * (share * p).sum(0), size * (share * p * (1 - p)).sum(0)
    count = torch.arange(len(p) + 1, device=p.device, dtype=p.dtype)[:, None]
    rest = size - count
    said = (-((count - mean) ** 2) / (2 * variance.clamp_min(_LEAST_VARIANCE))).masked_fill(rest < 0, -torch.inf)
    rest = rest.clamp_min(0)
    ways = torch.lgamma(size + 1) - torch.lgamma(count + 1) - torch.lgamma(rest + 1)
    asked = ways + count * math.log(prior) + rest * math.log(1 - prior)
    return -(said.softmax(0) * asked).sum(0).mean()


def _deal(values: Tensor) -> Tensor:
    """(m,) as (about 240, groups), like cards to players; what is missing in the last row is 0."""
    groups = max(1, round(len(values) / _GROUP))
    return pad(values, (0, -len(values) % groups)).view(-1, groups)
