"""Micrographs without particles chosen as the best ones, because confidence is highest where there is nothing.

Source: methods.md 0: the mean of max(p, 1 - p) over a picture falls with its number of particles (correlation -0.99),
so that the top quarter by it are the empty ones. The source notes' 3,083 of 4,914 had half of the particles that the
labelled had.
"""

from statistics import mean

from cryoglean.doctor.evidence import Evidence
from cryoglean.doctor.remedies import take_recommended
from cryoglean.finding import Finding

GROUP = "pseudo-labels"
NEEDS = ("events", "settings", "dataset")
_FEW, _SHARE = 0.5, 0.95


def check(evidence: Evidence) -> Finding | None:
    """A part of the micrographs was kept, with half of the particles that labelled ones have, or fewer."""
    labels, names = evidence.dataset.labels, evidence.dataset.names("train", "validation")
    labelled = mean(len(labels.on(name)) for name in names) if names else 0.0
    for told in evidence.rounds:
        counts = list((told.get("particles") or {}).values())
        is_chosen = counts and told.get("kept", 0) < _SHARE * told.get("offered", 0)
        if is_chosen and mean(counts) < _FEW * labelled:
            return Finding(
                "warning",
                f"the micrographs chosen in round {told['round']} hold {mean(counts):.0f} particles each, "
                f"labelled ones {labelled:.0f}",
                {
                    "chosen_particles": mean(counts),
                    "labelled_particles": labelled,
                    "kept": told["kept"],
                    "offered": told["offered"],
                },
                "they were ranked by mean confidence, which is highest where there is nothing",
                "Take the corrected variant, which ranks by stability over views within classes of crowding.",
                "methods.md 0",
                patch={"options": {"variant": "corrected"}}
                if "variant" in evidence.settings.options
                else take_recommended(evidence),
            )
    return None
