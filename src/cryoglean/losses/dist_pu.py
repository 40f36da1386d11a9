"""Label distributions that agree (Dist-PU; Zhao 2022, arXiv 2212.02801): the mean of P is 1, that of U is the prior.

Two means and a small entropy, so that U is not all at the prior. Two things of the paper are left out: its mixup, as a
loss can't mix images that the network has already seen, and the change of the entropy's weight during training.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cryoglean.risks import for_each_crop, mean_over, read_prior, split_weights
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_ENTROPY_WEIGHT = 0.004


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """|E_P p - 1| + |E_U p - prior| / (2 prior) + 0.004 E_U entropy(p) over the whole batch.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y = 1 is a labelled positive, y = 0 was judged by nobody.
        settings: `prior` is used.

    Returns:
        (n,) float, the same for all crops.

    Raises:
        SettingsError: the prior is not known.
    """
    prior = read_prior(settings)
    positive, unlabelled = split_weights(targets)
    p = torch.sigmoid(logits)
    missed = mean_over(positive, torch.sigmoid(-logits))
    surplus = mean_over(unlabelled, p - prior)
    entropy = mean_over(unlabelled, p * softplus(-logits) + (1 - p) * softplus(logits))
    return for_each_crop(missed + surplus.abs() / (2 * prior) + _ENTROPY_WEIGHT * entropy, logits)
