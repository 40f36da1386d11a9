"""Unbiased PU risk (du Plessis 2015, PMLR 37): right on the average, but with no bound below.

A network that can learn the labelled positives by heart drives it below 0 and picks worse for that; `nnpu` forbids it.
"""

from __future__ import annotations

from torch import Tensor

from cryoglean.risks import for_each_crop, negative_risk, positive_risk, read_prior
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """Prior E_P l(g) + E_U l(-g) - prior E_P l(-g) over the whole batch; see `cryoglean.risks`.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y = 1 is a labelled positive, y = 0 was judged by nobody.
        settings: `prior` and `surrogate` are used.

    Returns:
        (n,) float, the same for all crops.

    Raises:
        SettingsError: the prior is not known.
    """
    positive = read_prior(settings) * positive_risk(logits, targets, settings)
    return for_each_crop(positive + negative_risk(logits, targets, settings), logits)
