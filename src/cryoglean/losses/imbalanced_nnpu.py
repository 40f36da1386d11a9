"""Non-negative PU risk as if half of all were positive (Su 2021, doi 10.24963/ijcai.2021/412): for rare particles.

What the network says is then no probability: the prior is one half. The sigmoid surrogate no longer calls everything
background, and a cut at 0 is more often usable than with `nnpu`; the ranking is no better (checks.md B2).
"""

from __future__ import annotations

from torch import Tensor

from cryoglean.risks import for_each_crop, keep_from_falling, negative_risk, positive_risk, read_prior
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

_PRETENDED_PRIOR = 0.5


def loss(logits: Tensor, targets: Targets, settings: LossSettings) -> Tensor:
    """Half E_P l(g) + half / (1 - prior) max(0, E_U l(-g) - prior E_P l(-g)) over the whole batch.

    Where the second part is below 0 the gradient is one up that part, as in `nnpu`, on which the paper builds.

    Args:
        logits: (n, 1, y, x).
        targets: the same shape; y = 1 is a labelled positive, y = 0 was judged by nobody.
        settings: `prior` and `surrogate` are used.

    Returns:
        (n,) float, the same for all crops.

    Raises:
        SettingsError: the prior is not known.
    """
    positive = _PRETENDED_PRIOR * positive_risk(logits, targets, settings)
    scale = (1 - _PRETENDED_PRIOR) / (1 - read_prior(settings))
    return for_each_crop(keep_from_falling(positive, scale * negative_risk(logits, targets, settings)), logits)
