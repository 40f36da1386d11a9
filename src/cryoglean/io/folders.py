"""Which micrographs are labelled: files and labels brought together by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoglean.errors import LabelsError
from cryoglean.io.micrographs import micrographs_by_name
from cryoglean.picks import Picks

_LEADING_NUMBER = re.compile(r"^\d{15,}_")


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


def with_names_of_files(picks: Picks, files: Collection[str]) -> Picks:
    """Picks with the files' names in place of names that differ by cryoSPARC's leading number only.

    Names are replaced only if none matches as it is, and no two of either side become the same without the number.

    Args:
        picks: labels.
        files: names of the micrographs that there are.
    """
    if set(files) & set(picks.micrographs):
        return picks
    named = Counter(without_number(name) for name in files)
    meant = Counter(without_number(name) for name in picks.micrographs)
    found = {
        without_number(name): name for name in files if named[without_number(name)] == 1 and meant[without_number(name)]
    }
    if not found or any(meant[name] > 1 for name in found):
        return picks
    known = {name: found.get(without_number(name), name) for name in picks.micrographs}
    names = np.array([known[name] for name in picks.micrograph.tolist()], dtype=np.str_)
    return replace(picks, micrograph=names, micrographs=tuple(known.values()))


def without_number(name: str) -> str:
    """A name without the about 21 digits that cryoSPARC puts before those of its micrographs."""
    return _LEADING_NUMBER.sub("", name)


def _advice(labelled: Iterable[str], files: Collection[str]) -> str:
    """What may be wrong with the names: cryoSPARC puts about 21 digits before those that it exports."""
    if any(without_number(name) in files for name in labelled):
        return "Take cryoSPARC's numbers off the names in the labels."
    return "Names must agree without folder and suffix; check that labels and micrographs belong together."
