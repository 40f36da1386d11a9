"""Expectation criterion of Topaz with KL (Bepler 2019, arXiv 1803.08207): the mean probability of U is the prior.

Only that mean is asked for: all of U at the prior is as good as a clean separation (checks.md U5); see `ge_binomial`.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

from cryoglean.risks import for_each_crop, log_loss_of_positives, read_prior, unlabelled_pixels
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_WEIGHT = 10.0


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """The log loss of P + 10 KL(prior, mean probability of U) over the whole batch.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y = 1 is a labelled positive, y = 0 was judged by nobody.
        settings: `prior` is used.

    Returns:
        (n,) float, the same for all crops.

    Raises:
        SettingsError: the prior is not known.
    """
    divergence = _divergence(*unlabelled_pixels(logits, targets), read_prior(settings))
    return for_each_crop(log_loss_of_positives(logits, targets) + _WEIGHT * divergence, logits)


def _divergence(logits: Tensor, weights: Tensor, prior: float) -> Tensor:
    """KL between the prior and the weighted mean of sigma(logits), (m,) each; 0 where m is 0."""
    if len(logits) == 0:
        return logits.sum()
    shares = (weights / weights.sum()).log()
    log_particle, log_background = ((shares + logsigmoid(side)).logsumexp(0) for side in (logits, -logits))
    return prior * (math.log(prior) - log_particle) + (1 - prior) * (math.log(1 - prior) - log_background)
