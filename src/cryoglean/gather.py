"""Bring micrographs and labels together into a data set, each micrograph with exactly one role; or read patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cryoglean.dataset import Dataset, LabelFiles, ParticleSize, Role
from cryoglean.errors import LabelsError, SettingsError
from cryoglean.io.folders import match_labels
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
from cryoglean.io.patches import Patches
from cryoglean.io.picks import read_picks
from cryoglean.learn.patches_file import is_patches_file, read_patches
from cryoglean.picks import Picks


def gather_dataset(
    micrographs: Sequence[str | Path], size: ParticleSize, labels: LabelFiles
) -> tuple[Dataset, dict[Path, tuple[str, ...]]]:
    """Find the micrographs, read the labels, and give each micrograph its role.

    Args:
        micrographs: files, folders, globs or STAR files; those without labels are unlabelled.
        size: of the particle, and of a pixel if the headers do not say it.
        labels: the files of labels; a micrograph in the validation file is held out, whatever else names it.

    Returns:
        The data set, and for each file the labelled micrographs that were not among those given.

    Raises:
        CryogleanError: nothing is found, no label matches, a diameter is not above 0, or two roles for one.
    """
    size.check()
    paths = find_micrographs(micrographs)
    by_name = micrographs_by_name(paths)
    roles: dict[str, Role] = dict.fromkeys(by_name, "unlabelled")
    missing: dict[Path, tuple[str, ...]] = {}
    tables: dict[Role, Picks] = {}
    for role, file in labels.by_role():
        matched = match_labels(paths, table := read_picks(file, micrographs=by_name))
        if matched.without_micrograph:
            missing[file] = matched.without_micrograph
        for name in matched.labelled:
            if role == "test" and roles[name] != "unlabelled":
                raise LabelsError(f"it is for {roles[name]} and for test", where=name, fix="Take it out of one file.")
            roles[name] = role
        tables[role] = table.of(matched.labelled)
    known = _join_labels(tables["train"], tables.get("validation"))
    if not any(role == "train" for role in roles.values()):
        raise LabelsError("all labelled micrographs are for validation", where=labels.train, fix="Label another one.")
    if not len(known):
        raise LabelsError("no particle is labelled on the micrographs given", where=labels.train)
    return Dataset(by_name, roles, known, size.diameter_angstrom, size.pixel_size_angstrom), missing


def find_patches_file(files: Sequence[str | Path]) -> Path | None:
    """The file of patches, where that is what to learn from; None where it is micrographs.

    Args:
        files: what was given to learn from.

    Raises:
        SettingsError: a file of patches is not alone.
    """
    if not any(is_patches_file(file) for file in files):
        return None
    if len(files) > 1:
        raise SettingsError(f"{len(files)} files were given", where=files[1], fix="Give one file of patches.")
    return Path(files[0])


def gather_patches(file: Path, size: ParticleSize) -> tuple[Dataset, Patches]:
    """Read a file of patches, and describe it as a data set: one name, and where in its patches a particle lies.

    Args:
        file: see `read_patches`.
        size: of the particle and of a pixel; patches have no header that could say it.

    Raises:
        PicksError: the file can't be used.
        SettingsError: a size is missing or not above 0.
    """
    size.check()
    if size.pixel_size_angstrom is None:
        raise SettingsError("patches do not say how large a pixel is", where=file, fix="Give --pixel-size-angstrom.")
    patches = read_patches(file)
    middle = Picks.of_one(file.stem, np.full((1, 2), patches.side_pixels // 2, dtype=np.float64))
    facts = (size.diameter_angstrom, size.pixel_size_angstrom, patches.digest())
    return Dataset({file.stem: file}, {file.stem: "train"}, middle, *facts), patches


def _join_labels(train: Picks, validation: Picks | None) -> Picks:
    """All labels; a micrograph in both files is taken from the validation file."""
    if validation is None:
        return train
    kept = [name for name in train.micrographs if name not in validation.micrographs]
    return Picks.concatenate([train.of(kept), validation])
