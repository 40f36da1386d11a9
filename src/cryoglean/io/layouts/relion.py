"""A RELION project (3.0 to 5): the last micrographs with CTF, and the last picks."""

from __future__ import annotations

import re
from pathlib import Path

from cryoglean.errors import MicrographError, PicksError
from cryoglean.io.folder_datasets import FolderDataset
from cryoglean.io.labels import LabelSource
from cryoglean.io.star_lines import StarTable
from cryoglean.io.star_tables import read_star_tables

_MICROGRAPHS = {
    "CtfFind": "micrographs_ctf.star", "MotionCorr": "corrected_micrographs.star", "Import": "micrographs.star"
}  # fmt: skip
_PICKS = {
    "Select": "particles*.star", "ManualPick": "manualpick.star", "AutoPick": "autopick.star",
    "Extract": "particles.star",
}  # fmt: skip
_ONE_BY_ONE = {"ManualPick": "*_manualpick.star", "AutoPick": "*_autopick.star"}  # RELION 3 has no index
_ENDED = ("RELION_JOB_EXIT_FAILURE", "RELION_JOB_EXIT_ABORTED")
_NAME, _PIXEL = "rlnMicrographName", "rlnMicrographPixelSize"
_HEAD_BYTES = 65536


def recognises(folder: Path) -> bool:
    """Whether it is a project's folder."""
    return (folder / "default_pipeline.star").is_file() or any(
        (folder / kind).is_dir() for kind in ("CtfFind", "MotionCorr")
    )


def open_folder(folder: Path) -> FolderDataset:
    """The micrographs of the last CtfFind, else MotionCorr, else Import job; the picks of the last job that has any.

    The last is the one with the highest number; jobs that failed or were aborted don't count. The kinds of picks are
    Select, ManualPick, AutoPick and Extract.

    Raises:
        PicksError: no job has picks, or the last one has several files of them.
        MicrographError: no job has micrographs, or their files aren't there.
    """
    listed = _last_micrographs(folder)
    tables = read_star_tables(listed, MicrographError)
    picks, older = _last_picks(folder, listed)
    notes = (f"other jobs with picks: {', '.join(older)}; name one with --picks",) if older else ()
    files = _files(folder, tables, listed)
    return FolderDataset(
        folder, files, (LabelSource("train", picks),), lists=(listed,), pixel_size_angstrom=_pixel_size(tables),
        notes=notes,
    )  # fmt: skip


def _last_micrographs(folder: Path) -> Path:
    for kind, name in _MICROGRAPHS.items():
        found = [job / name for job in _jobs(folder, kind) if (job / name).is_file()]
        if found:
            return found[-1]
    raise MicrographError(
        "no finished CtfFind, MotionCorr or Import job has a list of micrographs", where=folder,
        fix="Give the micrographs, and --picks.",
    )  # fmt: skip


def _last_picks(folder: Path, micrographs: Path) -> tuple[Path, list[str]]:
    """The file or folder of picks, and the other jobs that have some, the last first."""
    found = {job: picks for kind in _PICKS for job in _jobs(folder, kind) if (picks := _picks_of(job, kind))}
    if not found:
        raise PicksError(
            "no finished Select, ManualPick, AutoPick or Extract job has picks", where=folder,
            fix="Pick a few micrographs in RELION first, or give --picks.",
        )  # fmt: skip
    last = max(map(_number, found))
    best = [picks for job, each in found.items() if _number(job) == last for picks in each]
    if len(best) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in best)
        raise PicksError(
            f"its last picks are {len(best)} files, and nothing says which is meant: {names}", where=folder,
            fix=f"Name one: train {micrographs} --picks {best[0]}.",
        )  # fmt: skip
    older = sorted((job for job in found if _number(job) < last), key=_number, reverse=True)
    return best[0], [str(job.relative_to(folder)) for job in older]


def _jobs(folder: Path, kind: str) -> list[Path]:
    """The job folders of a kind that didn't fail, by number."""
    jobs = [path for path in (folder / kind).glob("job*") if path.is_dir() and _number(path) >= 0]
    return sorted((job for job in jobs if not any((job / name).exists() for name in _ENDED)), key=_number)


def _number(job: Path) -> int:
    found = re.fullmatch(r"job(\d+)", job.name)
    return int(found[1]) if found else -1


def _picks_of(job: Path, kind: str) -> list[Path]:
    files = [path for path in sorted(job.glob(_PICKS[kind])) if kind in _ONE_BY_ONE or _has_coordinates(path)]
    if files or kind not in _ONE_BY_ONE:
        return files
    each = {path.parent for path in job.rglob(_ONE_BY_ONE[kind]) if not path.name.startswith("coords_suffix")}
    return sorted(each) if len(each) < 2 else [job]


def _has_coordinates(path: Path) -> bool:
    with path.open("rb") as file:
        return b"_rlnCoordinateX" in file.read(_HEAD_BYTES)


def _files(folder: Path, tables: dict[str, StarTable], listed: Path) -> tuple[Path, ...]:
    names = dict.fromkeys(name for table in tables.values() for name in table.get(_NAME, []))
    files = [folder / name for name in names]  # RELION's paths begin in the project's folder
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise MicrographError(
            f"{len(missing)} of its {len(files)} micrographs are not there{f', {missing[0]} for one' * bool(missing)}",
            where=listed, fix="Give the project's folder as it is on this machine.",
        )  # fmt: skip
    return tuple(files)


def _pixel_size(tables: dict[str, StarTable]) -> float | None:
    """What all optics groups say, if they agree."""
    sizes = {value for table in tables.values() for value in table.get(_PIXEL, [])}
    try:
        (size,) = {float(text) for text in sizes}
    except ValueError:
        return None
    return size if size > 0 else None
