"""Everything that a check may look at; each part is there or not, and a check says which parts it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryoglean.dataset import Dataset
from cryoglean.doctor.looks import Look, Looks
from cryoglean.picks import Picks
from cryoglean.settings import Settings

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NetworkLook:
    """What a trained network does.

    Args:
        dead_share: share of its units that say the same whatever is shown.
        deadest_layer: the layer with the largest share of them.
        half_difference: largest difference of a probability between bfloat16 and float32, in [0, 1].
        labelled_picks: mean number of picks above the threshold on a labelled micrograph.
        unlabelled_picks: the same on unlabelled ones; None without any.
        unlabelled_micrographs: how many of those were picked.
        contrast_spread: standard deviation of its probability over that of a perfect network, sqrt(p (1 - p)).
    """

    dead_share: float = 0.0
    deadest_layer: str = ""
    half_difference: float = 0.0
    labelled_picks: float = 0.0
    unlabelled_picks: float | None = None
    unlabelled_micrographs: int = 0
    contrast_spread: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """See the module.

    Args:
        settings: of the training, or those that a training would have.
        dataset: micrographs, roles and labels.
        strategy: what `settings.strategy` comes to.
        looks: what the micrographs and labels are like.
        events: what a training told, in order.
        summary: what it came to.
        network: what its network does.
        picks: on its validation micrographs, with scores.
    """

    settings: Settings
    dataset: Dataset
    strategy: str
    looks: Looks | None = None
    events: Sequence[Event] = ()
    summary: Mapping[str, Any] | None = None
    network: NetworkLook | None = None
    picks: Picks | None = None

    def has(self, part: str) -> bool:
        """Whether a part is there.

        Args:
            part: `settings`, `dataset`, `looks`, `events`, `summary`, `network` or `picks`.
        """
        return bool(self.events) if part == "events" else getattr(self, part) is not None

    def pixel_size_angstrom(self, look: Look) -> float | None:
        """Of a micrograph: as the user said, else as its header says; None where nobody does."""
        return self.dataset.pixel_size_of(look.name) or look.pixel_size_angstrom

    def told(self, kind: str, phase: str | None = None) -> list[Event]:
        """The events of one kind, of one phase or of all."""
        return [
            event for event in self.events if event.get("event") == kind and phase in (None, event.get("phase"))
        ]  # fmt: skip

    @property
    def phases(self) -> tuple[str, ...]:
        """The trainings that told something, in order."""
        return tuple(dict.fromkeys(str(event["phase"]) for event in self.events if "phase" in event))

    @property
    def rounds(self) -> list[Event]:
        """What each round came to."""
        return list(self.summary.get("rounds", ())) if self.summary is not None else self.told("round")

    def mean_fact(self, name: str) -> float | None:
        """The mean over steps of a number that streams tell, such as `taught.particle_share`; None if nobody told it.

        Args:
            name: of the number, with its stream.
        """
        values = [float(event[name]) for event in self.told("step") if name in event]
        return sum(values) / len(values) if values else None
