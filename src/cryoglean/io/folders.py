"""Which micrographs are labelled: files and labels brought together by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoglean.errors import LabelsError
from cryoglean.io.micrographs import micrographs_by_name
from cryoglean.picks import Picks


@dataclass(frozen=True, slots=True)
class LabelledPaths:
    """Micrograph files, sorted by whether somebody labelled them.

    Args:
        labelled: name -> path of the micrographs that the labels speak of, those without a particle among them.
        unlabelled: name -> path of all others: nobody looked, which is not the same as empty.
        without_micrograph: names in the labels that no file has.
    """

    labelled: dict[str, Path]
    unlabelled: dict[str, Path]
    without_micrograph: tuple[str, ...]


def match_labels(paths: Sequence[Path], picks: Picks) -> LabelledPaths:
    """Bring micrograph files and labels together by `micrograph_name`.

    Args:
        paths: micrograph files, as `find_micrographs` gives them.
        picks: labels; a micrograph in `picks.micrographs` is labelled, also when it has no particle.

    Raises:
        LabelsError: no label matches a file; the message shows one name of each side.
        MicrographError: two different files have the same name.
    """
    by_name = micrographs_by_name(paths)
    looked_at = set(picks.micrographs)
    labelled = {name: path for name, path in by_name.items() if name in looked_at}
    if not labelled:
        raise LabelsError(
            f"no label matches a micrograph: the labels speak of '{next(iter(picks.micrographs), 'nothing')}', "
            f"the files of '{next(iter(by_name), 'nothing')}'",
            fix=_advice(picks.micrographs, by_name),
        )
    return LabelledPaths(
        labelled=labelled,
        unlabelled={name: path for name, path in by_name.items() if name not in looked_at},
        without_micrograph=tuple(name for name in picks.micrographs if name not in by_name),
    )


def _advice(labelled: Iterable[str], files: Collection[str]) -> str:
    """What may be wrong with the names: cryoSPARC puts about 21 digits before those that it exports."""
    if any(re.sub(r"^\d{15,}_", "", name) in files for name in labelled):
        return "Take cryoSPARC's numbers off the names in the labels."
    return "Names must agree without folder and suffix; check that labels and micrographs belong together."
