"""What the experiment is made on: a folder of pictures with coordinates, or two folders with COCO annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cryoglean.errors import LabelsError, MicrographError, PicksError, SettingsError
from cryoglean.io.folders import match_labels
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name
from cryoglean.io.picks import read_picks
from cryoglean.io.picks_file import BOX_HEIGHT, BOX_WIDTH
from cryoglean.picks import Picks


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Micrographs and what is known about them.

    Args:
        paths: where each lies, by name.
        held: names of those that are given for judging; None: some of the others must be held out.
        annotated: names of those that somebody annotated, the empty ones among them.
        picks: their particles, in pixels of the pictures.
        diameters: of a particle, in pixels, of each micrograph.
        without_picture: how many names in the annotations have no picture.
    """

    paths: Mapping[str, Path]
    held: frozenset[str] | None
    annotated: frozenset[str]
    picks: Picks
    diameters: Mapping[str, float]
    without_picture: int = 0
    counts: Mapping[str, int] = field(init=False)
    """Particles on each micrograph that has any."""

    def __post_init__(self) -> None:
        names, counts = np.unique(self.picks.micrograph, return_counts=True)
        object.__setattr__(self, "counts", dict(zip(names.tolist(), counts.tolist(), strict=True)))


def read_folder(image_dir: Path, coords_file: Path, particle_radius: float) -> Source:
    """A folder of pictures, and one file with coordinates of the particles.

    Args:
        image_dir: the pictures; files of other kinds in it are not looked at.
        coords_file: `{"name.jpg": [[x, y], ...]}`, or any other file of picks; a name without a list is unannotated.
        particle_radius: in pixels of the pictures, above 0.

    Raises:
        MicrographError: the folder holds no picture.
        PicksError: the file can't be read.
        LabelsError: no coordinate belongs to a picture.
        SettingsError: the radius is not above 0.
    """
    paths, picks, missing = _match(_folder(image_dir, "--image-dir"), coords_file)
    diameter = 2 * _check_radius(particle_radius)
    return Source(paths, None, frozenset(picks.micrographs), picks, dict.fromkeys(paths, diameter), missing)


def read_coco(train_data_dir: Path, val_data_dir: Path, particle_radius: float | None = None) -> Source:
    """Two folders of pictures with COCO annotations each.

    Args:
        train_data_dir: the pictures to learn from, labelled or not; see `find_annotations`.
        val_data_dir: the pictures to judge by.
        particle_radius: in pixels of the pictures, of all of them; None: as large as the boxes of each picture.

    Raises:
        MicrographError: a folder holds no picture, or a picture of one is in the other, too.
        PicksError: a file of annotations is missing or can't be read.
        LabelsError: no annotation belongs to a picture.
        SettingsError: the radius is not above 0, or nobody says how large a particle is.
    """
    parts = [
        _match(_pictures_in(folder, option), find_annotations(folder, option))
        for folder, option in ((train_data_dir, "--train-data-dir"), (val_data_dir, "--val-data-dir"))
    ]
    (paths, _, _), (held, _, _) = parts
    if twins := sorted(set(paths) & set(held)):
        raise MicrographError(
            f"{len(twins)} pictures are in both folders, {twins[0]} for one", where=val_data_dir,
            fix="What is learned from must not judge: take them out of one folder.",
        )  # fmt: skip
    picks = Picks.concatenate(part[1] for part in parts)
    if particle_radius is None:
        diameters = _box_diameters(picks, [*paths, *held])
    else:
        diameters = dict.fromkeys([*paths, *held], 2 * _check_radius(particle_radius))
    missing = sum(part[2] for part in parts)
    return Source({**paths, **held}, frozenset(held), frozenset(picks.micrographs), picks, diameters, missing)


def find_annotations(folder: Path, option: str) -> Path:
    """The COCO file of a folder of pictures: in it, in its `annotations`, or in `annotations` beside it.

    Args:
        folder: such as `train`; of several files in one place `instances_train.json` is taken.
        option: that gave the folder.

    Raises:
        PicksError: there is none, or several of which none is named after the folder.
    """
    for place in (folder, folder / "annotations", folder.parent / "annotations"):
        files = sorted(place.glob("*.json")) if place.is_dir() else []
        named = [file for file in files if file.stem == f"instances_{folder.name}"]
        if place != folder.parent / "annotations" and len(files) == 1:
            return files[0]
        if named:
            return named[0]
        if files and place != folder.parent / "annotations":
            raise PicksError(
                f"it holds {len(files)} JSON files", where=place, fix=f"Call the one instances_{folder.name}.json."
            )
    fix = f"Put instances_{folder.name}.json into it, or into {folder.parent / 'annotations'}."
    if list(folder.glob("*.np[yz]")):
        fix = "Batches of .npy or .npz hold masks, not particles: give the pictures that they were made from. " + fix
    raise PicksError(f"there are no COCO annotations for {option}", where=folder, fix=fix)


def _folder(folder: Path, option: str) -> Path:
    if not folder.is_dir():
        raise MicrographError(f"there is no such folder for {option}", where=folder, fix="Check the path.")
    return folder


def _pictures_in(folder: Path, option: str) -> Path:
    """The folder itself, or `images` in it where there is one."""
    inner = _folder(folder, option) / "images"
    return inner if inner.is_dir() else folder


def _match(folder: Path, annotations: Path) -> tuple[dict[str, Path], Picks, int]:
    files = find_micrographs([folder])
    table = read_picks(annotations, micrographs=micrographs_by_name(files))
    found = match_labels(files, table)
    if not len(known := table.of(found.labelled)):
        raise LabelsError("no particle is on the pictures", where=annotations, fix=f"It must belong to {folder}.")
    return {**found.labelled, **found.unlabelled}, known, len(found.without_micrograph)


def _check_radius(radius: float) -> float:
    if not (radius > 0 and math.isfinite(radius)):
        raise SettingsError(f"it is {radius}", where="--particle-radius", fix="Give pixels of the pictures, above 0.")
    return radius


def _box_diameters(picks: Picks, names: list[str]) -> dict[str, float]:
    """The median of each picture's own boxes; of all boxes where it has none."""
    sides = [picks.extra[side] for side in (BOX_WIDTH, BOX_HEIGHT) if side in picks.extra]
    sizes = np.max([*sides, np.zeros(len(picks))], axis=0)  # a box that is cut at the edge has one whole side
    known = np.isfinite(sizes) & (sizes > 0)
    if not known.any():
        raise SettingsError("the boxes have no size", where="--particle-radius", fix="Give the radius in pixels.")
    found, place = np.unique(picks.micrograph[known], return_inverse=True)
    order = np.argsort(place, kind="stable")
    groups = np.split(sizes[known][order], np.flatnonzero(np.diff(place[order])) + 1)
    own = {str(name): float(np.median(group)) for name, group in zip(found, groups, strict=True)}
    usual = float(np.median(sizes[known]))
    return {name: own.get(name, usual) for name in names}
