"""Non-negative PU risk (Kiryo 2017, arXiv 1703.00593): the unbiased one, kept from learning the positives by heart.

With the logistic surrogate it ranks well and its cut at 0 is usable where the prior is right. The sigmoid surrogate
calls everything background where particles are rare (checks.md B2): take `imbalanced_nnpu` with it.
"""

from __future__ import annotations

from torch import Tensor

from cryoglean.risks import for_each_crop, keep_from_falling, negative_risk, positive_risk, read_prior
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """Prior E_P l(g) + max(0, E_U l(-g) - prior E_P l(-g)) over the whole batch, with beta 0 and gamma 1.

    Where the second part is below 0 the gradient is not that of the value but one up that part, as in algorithm 1 of
    the paper; see `cryoglean.risks.keep_from_falling`.

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
    return for_each_crop(keep_from_falling(positive, negative_risk(logits, targets, settings)), logits)
