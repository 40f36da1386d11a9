"""Labels of micrographs: read, brought to the names of the files and to their stored rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoglean.dataset import Role
from cryoglean.io.folders import match_labels, with_names_of_files
from cryoglean.io.pick_cards import facts_of
from cryoglean.io.picks import read_in_format
from cryoglean.io.rows import Surroundings, turn_rows
from cryoglean.picks import Picks


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A file or folder of labels.

    Args:
        role: of the micrographs that it speaks of.
        path: of the file or folder.
        format: the name of its format; None goes by suffix and content.
        names: the micrographs that it is asked about; None asks about all.
    """

    role: Role
    path: Path
    format: str | None = None
    names: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of micrographs that are there.

    Args:
        picks: in stored rows; every micrograph in `picks.micrographs` is labelled.
        without_micrograph: names in the file that no micrograph has.
        y_turned: whether y was turned over.
        renamed: a name in the file and the micrograph it was taken for, where cryoSPARC's number was in the way.
    """

    picks: Picks
    without_micrograph: tuple[str, ...] = ()
    y_turned: bool = False
    renamed: tuple[str, str] | None = None


def read_labels(source: LabelSource, around: Surroundings) -> Labels:
    """The labels of the micrographs that are there.

    Args:
        source: where they are.
        around: the micrographs' files by name, and what the user says of y.

    Raises:
        PicksError: the file can't be used, or its y could be meant both ways.
        LabelsError: no label matches a micrograph.
    """
    paths = around.paths or {}
    raw, format_name = read_in_format(source.path, source.format)  # turned below, once names are known
    if source.names is not None:
        raw = raw.of([name for name in raw.micrographs if name in source.names])
    named = with_names_of_files(raw, paths)
    renamed = next((pair for pair in zip(raw.micrographs, named.micrographs, strict=True) if pair[0] != pair[1]), None)
    matched = match_labels(list(paths.values()), named)
    here = named.of(matched.labelled)
    picks = turn_rows(here, facts_of(format_name), around, source.path)
    return Labels(picks, matched.without_micrograph, not np.array_equal(picks.xy, here.xy), renamed)
