"""Which way y counts: picks of a file brought to the stored rows of their micrographs, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cryoglean.errors import PicksError
from cryoglean.io.format_facts import FormatFacts
from cryoglean.io.micrographs import read_micrograph_shape
from cryoglean.picks import Picks

_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Shapes(Mapping[str, tuple[int, int]]):
    """Name -> (rows, columns) of micrographs, each header read when it is first asked for.

    Args:
        paths: the files by micrograph name.
    """

    paths: Mapping[str, Path]
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[int, int]:
        """Rows and columns.

        Raises:
            KeyError: no file has this name.
            MicrographError: the file can't be used.
        """
        if name not in self._known:
            self._known[name] = read_micrograph_shape(self.paths[name])
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a file of this name; its header isn't read."""
        return name in self.paths

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.paths)

    def __len__(self) -> int:
        """How many files there are."""
        return len(self.paths)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known besides a file of picks.

    Args:
        paths: the micrographs' files by name; None when nobody said.
        flip_y: what the user says of y; None goes by the format and by the kind of micrograph.
    """

    paths: Mapping[str, Path] | None = None
    flip_y: bool | None = None

    def is_flipped(self, name: str, facts: FormatFacts, where: Path | str = "") -> bool:
        """Whether y of a micrograph counts from its last stored row in a file of this format.

        Raises:
            PicksError: nobody can know.
        """
        if self.flip_y is not None or facts.y_axis == "stored":
            return bool(self.flip_y)
        if self.paths is None:
            raise PicksError(
                "the file alone can't say whether y counts from the first or the last stored row of the micrographs",
                where=where, fix="Give --micrographs, or say --flip-y or --no-flip-y, as in `cryoglean convert`.",
            )  # fmt: skip
        path = self.paths.get(name)
        if path is None or path.name.lower().endswith(_PICTURES):
            return False  # picks of micrographs that aren't there are left out by whoever brings both together
        if facts.y_axis == "unsaid_for_mrc":
            raise PicksError(
                f"it doesn't say whether the pictures it speaks of were turned over when they were made of {path.name}",
                where=where, fix="Say --flip-y or --no-flip-y, as in `cryoglean train`; CryoPPP's are flipped.",
            )  # fmt: skip
        return True


def turn_rows(picks: Picks, facts: FormatFacts, around: Surroundings, where: Path) -> Picks:
    """Turn y from a file's convention to stored rows, or back: it is the same step.

    Args:
        picks: in the convention of the one or of the other.
        facts: of the file's format.
        around: the micrographs, and what the user said.
        where: the file of picks, for messages.

    Raises:
        PicksError: the convention can't be known, or the height of a micrograph is needed and not known.
    """
    if facts.y_axis == "stored" and not around.flip_y:
        return picks
    with_picks = set(picks.micrograph.tolist())
    turned = {name for name in with_picks if around.is_flipped(name, facts, where)}
    if not turned:
        return picks
    shapes = Shapes(around.paths or {})
    missing = next((name for name in sorted(turned) if name not in shapes), None)
    if missing is not None:
        raise PicksError(
            f"to turn y around, the height of the micrograph '{missing}' is needed", where=where,
            fix="Give the micrographs with --micrographs.",
        )  # fmt: skip
    last = 0 if facts.y_axis == "flipped_for_mrc" else 1  # CryoPPP has height - row; pictures turned over, one less
    names, places = np.unique(picks.micrograph, return_inverse=True)
    heights = np.array([shapes[name][0] - last if name in turned else np.nan for name in names.tolist()])[places]
    xy = picks.xy.copy()
    xy[:, 1] = np.where(np.isnan(heights), xy[:, 1], heights - xy[:, 1])
    return replace(picks, xy=xy)
