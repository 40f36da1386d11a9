"""Bring micrographs and labels together into a data set, each micrograph with exactly one role; or read patches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoglean.dataset import Dataset, LabelFiles, ParticleSize, Role, Source
from cryoglean.errors import LabelsError, SettingsError
from cryoglean.io.folder_datasets import FolderDataset, find_folder_dataset
from cryoglean.io.labels import Labels, LabelSource, read_labels
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name, read_micrograph
from cryoglean.io.patches import Patches
from cryoglean.io.rows import Surroundings
from cryoglean.learn.patches_file import is_patches_file, read_patches
from cryoglean.picks import Picks

_ALIKE = 1.1
"""How much the diameters of one kind of particle may differ."""


def gather_dataset(
    micrographs: Sequence[str | Path], size: ParticleSize, labels: LabelFiles | None, *, flip_y: bool | None = None
) -> tuple[Dataset, dict[Path, tuple[str, ...]]]:
    """Find the micrographs, read the labels, and give each micrograph its role.

    Args:
        micrographs: files, folders, globs or STAR files; those without labels are unlabelled. Without `labels`, a
            folder in one of the known layouts.
        size: of the particle, and of a pixel if the headers do not say it.
        labels: the files of labels; a micrograph in the validation file is held out, whatever else names it.
        flip_y: whether y of the labels counts from the last stored row; None goes by format and micrographs.

    Returns:
        The data set, and for each file the labelled micrographs that were not among those given.

    Raises:
        CryogleanError: nothing is found, no label matches, a diameter is not above 0, or two roles for one.
    """
    size.check()
    if labels is not None:
        diameter = size.diameter()
        by_name = micrographs_by_name(find_micrographs(micrographs))
        sources = [LabelSource(role, file) for role, file in labels.by_role()]
        gathered = _read_all(sources, Surroundings(by_name, flip_y))
        dataset = Dataset(by_name, gathered.roles, gathered.known, diameter, size.pixel_size_angstrom)
        return replace(dataset, source=gathered.source()), gathered.missing
    folder = find_folder_dataset(micrographs)
    if folder is None:
        raise SettingsError(
            "--picks requires a file of labels",
            fix="Without it only a file of patches (.npz, .pt) will do, or a folder in one of the layouts that "
            "`cryoglean list layouts` shows.",
        )  # fmt: skip
    return _gather_folder(folder, size, Surroundings(micrographs_by_name(folder.micrographs), flip_y))


def _gather_folder(
    folder: FolderDataset, size: ParticleSize, around: Surroundings
) -> tuple[Dataset, dict[Path, tuple[str, ...]]]:
    by_name = around.paths or {}
    gathered = _read_all(folder.labels, around, folder.test)
    if size.pixel_size_angstrom is None:
        size = replace(size, pixel_size_angstrom=folder.pixel_size_angstrom)
    diameter, notes = size.diameter_angstrom, [*folder.notes]
    if diameter is None:
        diameter, note = _measure_diameter(gathered.known, by_name, size.pixel_size_angstrom, folder.folder)
        notes.append(note)
    source = gathered.source()
    files = tuple(dict.fromkeys([*map(str, folder.lists), *source.files]))
    source = replace(source, layout=folder.layout, files=files, notes=(*notes, *source.notes))
    dataset = Dataset(by_name, gathered.roles, gathered.known, diameter, size.pixel_size_angstrom, source=source)
    return dataset, gathered.missing


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """Labels of all roles: who has which role, the labels to learn from, and what is to be said."""

    roles: dict[str, Role]
    known: Picks
    missing: dict[Path, tuple[str, ...]]
    read: list[tuple[Path, Labels]]
    flip_y: bool | None

    def source(self) -> Source:
        """What to keep of how the labels were read."""
        files = tuple(dict.fromkeys(str(file) for file, _ in self.read))
        turned = tuple(dict.fromkeys(str(file) for file, labels in self.read if labels.y_turned))
        notes = [f"y of {file} was turned over: {_WHY_TURNED[self.flip_y]}" for file in turned]
        notes += [
            f"{file}: names were matched without cryoSPARC's leading number, such as '{labels.renamed[0]}'"
            for file, labels in self.read if labels.renamed
        ]  # fmt: skip
        return Source("", files, bool(turned), self.flip_y, tuple(notes))


_WHY_TURNED = {
    None: "in this format it counts from the last row of such files (--no-flip-y leaves it)",
    True: "as --flip-y says",
}


def _read_all(sources: Sequence[LabelSource], around: Surroundings, test: Collection[str] = ()) -> _Gathered:
    roles: dict[str, Role] = dict.fromkeys(around.paths or {}, "unlabelled")
    roles |= dict.fromkeys(test, "test")
    missing: dict[Path, tuple[str, ...]] = {}
    read: list[tuple[Path, Labels]] = []
    tables: dict[Role, list[Picks]] = {"train": [], "validation": [], "test": []}
    for source in sources:
        labels = read_labels(source, around)
        if labels.without_micrograph:
            missing[source.path] = labels.without_micrograph
        for name in labels.picks.micrographs:
            if "test" in (source.role, roles[name]) and roles[name] != "unlabelled":
                raise LabelsError(
                    f"it is for {roles[name]} and for {source.role}", where=name, fix="Take it out of one file."
                )
            roles[name] = source.role
        tables[source.role].append(labels.picks)
        read.append((source.path, labels))
    known = _join_labels(Picks.concatenate(tables["train"]), Picks.concatenate(tables["validation"]))
    if not any(role == "train" for role in roles.values()):
        raise LabelsError(
            "all labelled micrographs are for validation", where=sources[0].path, fix="Label another one."
        )
    if not len(known):
        raise LabelsError("no particle is labelled on the micrographs given", where=sources[0].path)
    return _Gathered(roles, known, missing, read, around.flip_y)


def _measure_diameter(
    labels: Picks, paths: Mapping[str, Path], pixel_size_angstrom: float | None, folder: Path
) -> tuple[float, str]:
    """The particle's diameter in angstrom that the labels have, and a sentence about it."""
    pixels = labels.diameter_pixels
    known = pixels[np.isfinite(pixels) & (pixels > 0)] if pixels is not None else np.empty(0)
    if not len(known):
        raise SettingsError(
            "it is needed: the labels have none", where="--diameter-angstrom",
            fix="Give the particle's diameter in angstrom.",
        )  # fmt: skip
    low, middle, high = float(known.min()), float(np.median(known)), float(known.max())
    if high > _ALIKE * low:
        raise SettingsError(
            f"it is needed: the labels have diameters from {low:g} to {high:g} pixels, which are several particles",
            where="--diameter-angstrom", fix=f"Give it; better, train on one kind of particle of {folder} at a time.",
        )  # fmt: skip
    first = paths[labels.micrographs[0]]
    angstrom = pixel_size_angstrom or read_micrograph(first).pixel_size_angstrom
    if angstrom is None:
        raise SettingsError(
            f"it is needed: particles are {middle:g} pixels across, and {first.name} doesn't say how large a pixel is",
            where="--pixel-size-angstrom", fix="Give the pixel size in angstrom.",
        )  # fmt: skip
    diameter = round(middle * angstrom, 2)
    return diameter, f"diameter {diameter:g} angstrom: {middle:g} pixels in the labels, {angstrom:g} angstrom a pixel"


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
    facts = (size.diameter(), size.pixel_size_angstrom, patches.digest())
    return Dataset({file.stem: file}, {file.stem: "train"}, middle, *facts), patches


def _join_labels(train: Picks, validation: Picks) -> Picks:
    """All labels; a micrograph in both files is taken from the validation file."""
    kept = [name for name in train.micrographs if name not in validation.micrographs]
    return Picks.concatenate([train.of(kept), validation]) if validation.micrographs else train
