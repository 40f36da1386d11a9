"""A network that hardly ever says more than one half: at a cut of 0.5 recall is gone, however well it ranks.

Source: the source notes: recall fell to .0074 at 0.5 after FixMatch. A threshold chosen on validation hides it here;
programs with a fixed cut would find nothing. Unlabelled crops that were taught as background do it
(docs/strategies.md, `collapse`).
"""

import numpy as np

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import take_recommended
from cryoglean.finding import Finding

GROUP = "outcome"
NEEDS = ("summary", "picks")
_LEAST, _ENOUGH = 0.1, 20


def check(evidence: Evidence) -> Finding | None:
    """Fewer picks above 0.5 than a tenth of the particles; a note where no round with unlabelled ones counted."""
    found = (evidence.summary or {}).get("validation") or {}
    truth, recall = int(found.get("truth") or 0), float(found.get("recall") or 0.0)
    if evidence.picks is None or evidence.picks.score is None or truth < _ENOUGH or recall < _LEAST:
        return None
    above = int(np.count_nonzero(evidence.picks.score >= 0.5))
    if above >= _LEAST * truth:
        return None
    is_taught = any(told.get("counts") for told in evidence.rounds)
    return Finding(
        "warning" if is_taught and evidence.settings.labels.kind == "complete" else "note",
        f"only {above} picks score above 0.5, for {truth} particles; the threshold {found['threshold']:.3f} "
        "makes up for it",
        {"picks_above_half": above, "particles": truth, "threshold": float(found["threshold"]), "recall": recall},
        "particles were taught as background: labels that are missing, or pseudo-labels without particles",
        "Do not cut these scores at 0.5; take `recommended`, or leave unlabelled micrographs out.",
        "source notes, critical fix",
        patch=take_recommended(evidence) if is_taught else {},
    )
