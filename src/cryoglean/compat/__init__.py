"""The function names of the source notes, as thin calls of the strategy cards' labellers.

For a training script of one's own: a network in, `pseudo_images, pseudo_masks, stats` out.

* `model`: a torch module from (n, 1, y, x) to logits (n, 1, y, x), or to one logit at every `stride`-th pixel, that at
  (j, i) for the pixel (stride j, stride i); masks are then enlarged to the picture's size. It is moved to `device` and
  runs in evaluation mode; afterwards it is in its former mode again.
* `unlabeled_images`: a sequence, array or tensor of (y, x) or (1, y, x) pictures of one size, prepared as the model
  expects them.
* `pseudo_images`: a list of the pictures that were kept, as they were given.
* `pseudo_masks`: a list of (y, x) float32 arrays of 0 and 1.
* `stats`: see `PseudoLabelStats`. A pixel that is not trusted is not background: `stats["weights"]` has 0 there, its
  mask is a guess, and the loss should leave it out. A loss that uses the masks alone calls it background or particle.

`variant="corrected"` (the default) and `variant="notes"` are those of the cards `class_balanced`, `limited` and
`curriculum`, whose docstrings say what was wrong. Without validation labels nothing can be calibrated: `platt` changes
nothing here. Without a particle's size, how crowded a picture is is told by its particle pixels.
"""

from __future__ import annotations

from cryoglean.compat.diagnose import Diagnosis, diagnose_pseudo_labels
from cryoglean.compat.generate import (
    generate_class_balanced_pseudo_labels,
    generate_curriculum_pseudo_labels,
    generate_limited_pseudo_labels,
)
from cryoglean.compat.making import PseudoLabels, PseudoLabelStats

__all__ = [
    "Diagnosis",
    "PseudoLabelStats",
    "PseudoLabels",
    "diagnose_pseudo_labels",
    "generate_class_balanced_pseudo_labels",
    "generate_curriculum_pseudo_labels",
    "generate_limited_pseudo_labels",
]
