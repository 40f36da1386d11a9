"""Data sets in folders as programs and archives lay them out, made of a few MRC files and their labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from public_data import DIAMETER_PIXELS, picture_of

from cryoglean.dataset import Role
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import write_picks
from cryoglean.picks import Picks

NUMBER = "000123456789012345678_"


@dataclass(frozen=True)
class Made:
    """A data set's folder, and what is true about it."""

    folder: Path
    roles: dict[str, Role]
    labels: Picks  # rows as stored
    says_pixel_size: bool = True


def _flipped(labels: Picks, micrographs: Path) -> Picks:
    """Labels of the pictures, which are the MRC files turned over."""
    xy = labels.xy.copy()
    rows = read_micrograph(micrographs / f"{labels.micrographs[0]}.mrc").shape[0]
    xy[:, 1] = rows - 1 - xy[:, 1]
    return Picks(labels.micrograph, xy, micrographs=labels.micrographs)


def _roles(micrographs: Path, labels: Picks) -> dict[str, Role]:
    names = [path.stem for path in sorted(micrographs.glob("*.mrc"))]
    return {name: "train" if name in labels.micrographs else "unlabelled" for name in names}


def _table(picks: Picks, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{x:.0f},{y:.0f},{DIAMETER_PIXELS}" for x, y in picks.on(name).xy]
    path.write_text("\n".join(["X-Coordinate,Y-Coordinate,Diameter", *rows, ""]))


def make_cryoppp(micrographs: Path, labels: Picks, folder: Path) -> Made:
    shutil.copytree(micrographs, folder / "micrographs", ignore=shutil.ignore_patterns("*.csv"))
    for name in labels.micrographs:
        _table(_flipped(labels, micrographs), name, folder / f"ground_truth/particle_coordinates/{name}.csv")
        _table(Picks.of_one(name, np.zeros((1, 2))), name, folder / f"ground_truth/false_positives/{name}.csv")
    return Made(folder, _roles(micrographs, labels), labels)


def make_lite(micrographs: Path, labels: Picks, folder: Path) -> Made:
    made = make_cryoppp(micrographs, labels, folder)
    for path in sorted((folder / "micrographs").glob("*.mrc")):
        path.with_suffix(".jpg").write_bytes(picture_of(path))
        path.unlink()
    return replace(made, labels=_flipped(labels, micrographs), says_pixel_size=False)


def make_cryotransformer(micrographs: Path, labels: Picks, folder: Path) -> Made:
    """The first labelled one for training, from a CSV; the last for validation, from its annotation; one for test."""
    flipped, roles = _flipped(labels, micrographs), _roles(micrographs, labels)
    first, last = labels.micrographs[0], labels.micrographs[-1]
    roles[last], roles[max(set(roles) - set(labels.micrographs))] = "validation", "test"
    images: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    for place, (name, role) in enumerate(sorted(roles.items())):
        part = {"validation": "val", "test": "test"}.get(role, "train")
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / f"{name}.jpg").write_bytes(picture_of(micrographs / f"{name}.mrc"))
        images[part].append({"id": place, "file_name": f"{name}.jpg", "width": 9, "height": 9})
        if role != "validation" and name in labels.micrographs:
            _table(flipped, name, folder / f"particle_coordinates/{name}.csv")
    _table(flipped, first, folder / f"particle_coordinates/{first}.csv")
    (folder / "annotations").mkdir()
    half = DIAMETER_PIXELS / 2
    for part in ("train", "val"):
        boxes = [
            {"image_id": image["id"], "bbox": box, "iscrowd": 1}
            for image in images[part]
            for box in [
                [x - half, y - half, 2 * half, 2 * half] for x, y in flipped.on(str(image["file_name"])[:-4]).xy
            ] or [[0, 0, 0, 0]]
        ]  # fmt: skip
        (folder / f"annotations/instances_{part}.json").write_text(
            json.dumps({"info": [], "images": images[part], "annotations": boxes})
        )
    return Made(folder, roles, flipped, says_pixel_size=False)


def make_notes(micrographs: Path, labels: Picks, folder: Path) -> Made:
    (folder / "images").mkdir(parents=True)
    for path in sorted(micrographs.glob("*.mrc")):
        (folder / "images" / f"{path.stem}.jpg").write_bytes(picture_of(path))
    flipped = _flipped(labels, micrographs)
    lists = {f"{name}.jpg": flipped.on(name).xy.round().tolist() for name in labels.micrographs}
    (folder / "coordinates.json").write_text(json.dumps(lists))
    return Made(folder, _roles(micrographs, labels), flipped, says_pixel_size=False)


def make_relion(micrographs: Path, labels: Picks, folder: Path) -> Made:
    """Two CtfFind jobs, of which the first lists one micrograph; picks of five jobs, of which the last failed."""
    place = Path("MotionCorr/job002/Micrographs")
    shutil.copytree(micrographs, folder / place, ignore=shutil.ignore_patterns("*.csv"))
    names = sorted(path.name for path in micrographs.glob("*.mrc"))
    for job, listed in {"CtfFind/job003/micrographs_ctf": names[:1], "CtfFind/job011/micrographs_ctf": names,
                        "MotionCorr/job020/corrected_micrographs": names[1:]}.items():  # fmt: skip
        star = folder / f"{job}.star"
        star.parent.mkdir(parents=True, exist_ok=True)
        star.write_text(
            "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 4.0\n\n"
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
            + "".join(f"{place}/{name} 1\n" for name in listed)
        )
    paths = np.array([f"{place}/{name}.mrc" for name in labels.micrograph.tolist()])
    picks = Picks(labels.micrograph, labels.xy, extra={"micrograph_path": paths}, micrographs=labels.micrographs)
    for job in ("Extract/job007", "Select/job010", "Select/job012"):
        (folder / job).mkdir(parents=True)
        others = Picks(picks.micrograph, elsewhere(picks.xy), extra=picks.extra)
        write_picks(picks if job == "Select/job010" else others,
                    folder / job / "particles.star")  # fmt: skip
    (folder / "Select/job012/RELION_JOB_EXIT_FAILURE").touch()
    (folder / "default_pipeline.star").write_text("data_pipeline_general\n\n_rlnPipeLineJobCounter 13\n")
    write_picks(picks, folder / "AutoPick/job006", "autopick")
    index = folder / "AutoPick/job006/autopick.star"
    index.write_text(index.read_text().replace(f"{folder}/", ""))
    old = folder / "ManualPick/job004/Micrographs"  # RELION 3 writes no index that says where the files are
    write_picks(picks, old, "autopick")
    (old / "autopick.star").unlink()
    (old.parent / "coords_suffix_manualpick.star").write_text("CtfFind/job003/micrographs_ctf.star")
    for path in old.glob("*.star"):
        path.rename(old / path.name.replace("_autopick", "_manualpick"))
    return Made(folder, _roles(micrographs, labels), labels)


def make_cryosparc(micrographs: Path, labels: Picks, folder: Path) -> Made:
    """A job that knows its micrographs by numbered names; the files lie in another job's folder, without numbers."""
    images = folder.parent / "J3" / "motioncorrected"
    shutil.copytree(micrographs, images, ignore=shutil.ignore_patterns("*.csv"))
    folder.mkdir()
    names = sorted(path.name for path in micrographs.glob("*.mrc"))
    table = np.zeros(
        len(names), dtype=[("uid", "u8"), ("micrograph_blob/path", "S100"), ("micrograph_blob/psize_A", "f4")]
    )
    table["micrograph_blob/path"] = [f">J3/motioncorrected/{NUMBER}{name}" for name in names]
    table["micrograph_blob/psize_A"] = 4.0
    save_table(table, folder / "exposures_accepted.cs")
    numbered = np.array([f"{NUMBER}{name}" for name in labels.micrograph.tolist()])
    paths = np.array([f"J3/motioncorrected/{name}.mrc" for name in numbered.tolist()])
    files = {f"{NUMBER}{path.stem}": path for path in images.glob("*.mrc")}
    for name, moved in (
        ("J7_particles_selected.cs", False),
        ("J7_picked_particles.cs", True),
        ("particles_excluded.cs", True),
    ):
        picks = Picks(numbered, elsewhere(labels.xy) if moved else labels.xy, extra={"micrograph_path": paths})
        write_picks(picks, folder / name, "cs", micrographs=files)
    return Made(folder, _roles(micrographs, labels), labels)


def elsewhere(xy: np.ndarray) -> np.ndarray:
    """Other places, all inside: towards the middle."""
    return xy + np.where(xy < 100, 9, -9)


def save_table(table: np.ndarray, path: Path) -> None:
    """A `.cs` file."""
    with path.open("wb") as file:
        np.save(file, table)


MAKERS: dict[str, Callable[[Path, Picks, Path], Made]] = {
    "cryoppp": make_cryoppp, "cryotransformer": make_cryotransformer, "notes": make_notes, "relion": make_relion,
    "cryosparc": make_cryosparc,
}  # fmt: skip
