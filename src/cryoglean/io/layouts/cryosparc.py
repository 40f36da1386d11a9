"""A cryoSPARC job's folder or an exported group: `.cs` files of exposures and of particles with a location."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoglean.errors import MicrographError, PicksError
from cryoglean.io.cs_tables import fields_of, read_cs_table, text_of
from cryoglean.io.folder_datasets import FolderDataset
from cryoglean.io.folders import without_number
from cryoglean.io.labels import LabelSource

_PLACE, _BLOB = "location/center_x_frac", "micrograph_blob/path"
_PATHS = (_BLOB, "location/micrograph_path")
_PIXELS = ("micrograph_blob/psize_A", "location/micrograph_psize_A")
_REFUSED = ("rejected", "excluded", "incomplete", "uncategorized")


def recognises(folder: Path) -> bool:
    """Whether a `.cs` file in it has particles with a location."""
    return any(_PLACE in fields_of(path) for path in _tables(folder))


def open_folder(folder: Path) -> FolderDataset:
    """The micrographs of the exposures, else those that the particles name; the labels are the particles.

    Of several files of particles those called `particles_selected` go before `picked_particles`, those before others,
    and at last passthrough files; names with rejected, excluded, incomplete or uncategorized don't count.

    Raises:
        PicksError: two files are equally good, or none has particles.
        MicrographError: the micrographs' files aren't there.
    """
    tables = {path: fields_of(path) for path in _tables(folder)}
    particles = _best([path for path in tables if _PLACE in tables[path]], folder, "--picks")
    exposures = [path for path in tables if _BLOB in tables[path] and _PLACE not in tables[path]]
    listed = _best(exposures, folder, "--picks, and the micrographs") if exposures else particles
    table = read_cs_table(listed)
    lists = (listed,) if exposures else ()
    notes = () if exposures else ("there is no exposures .cs: only micrographs with particles are known",)
    return FolderDataset(
        folder, _files(folder, table, listed), (LabelSource("train", particles, "cs"),), lists=lists,
        pixel_size_angstrom=_pixel_size(table), notes=notes,
    )  # fmt: skip


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.cs") if not any(word in path.name for word in _REFUSED))


def _best(paths: list[Path], folder: Path, option: str) -> Path:
    ranked = sorted(paths, key=_rank)
    equal = [path for path in ranked if _rank(path) == _rank(ranked[0])]
    if len(equal) > 1:
        names = ", ".join(path.name for path in equal)
        raise PicksError(f"{names} are equally good", where=folder, fix=f"Name one with {option}.")
    return ranked[0]


def _rank(path: Path) -> tuple[int, bool]:
    words = ("particles_selected", "picked_particles", "exposures")
    place = next((place for place, word in enumerate(words) if word in path.name), len(words))
    return place, "passthrough" in path.name


def _files(folder: Path, table: NDArray[Any], listed: Path) -> tuple[Path, ...]:
    field = next((name for name in _PATHS if name in (table.dtype.names or ())), None)
    names = dict.fromkeys(text_of(value) for value in table[field].tolist()) if field else {}
    found = {name: _find(name.lstrip(">"), folder) for name in names}
    missing = [name for name, file in found.items() if file is None]
    if missing or not found:
        raise MicrographError(
            f"{len(missing)} of its {len(found)} micrographs are not there{f', {missing[0]} for one' * bool(missing)}",
            where=listed, fix="Paths begin in the project's folder: copy micrographs and folder as they lie there.",
        )  # fmt: skip
    return tuple(file for file in found.values() if file is not None)


def _find(name: str, folder: Path) -> Path | None:
    """The file, looked for from the folder and from each above it; also without cryoSPARC's leading number."""
    wanted = Path(name)
    if not wanted.name:
        return None
    start = folder.absolute()
    for above in (start, *start.parents):
        for path in (above / wanted, above / wanted.with_name(without_number(wanted.name))):
            try:
                if path.is_file():
                    return path
            except (OSError, ValueError):  # a name that is too long, or with a zero byte in it
                return None
    return None


def _pixel_size(table: NDArray[Any]) -> float | None:
    """What all rows say, if they agree."""
    field = next((name for name in _PIXELS if name in (table.dtype.names or ())), None)
    sizes = np.unique(np.asarray(table[field], dtype=np.float64).round(6)) if field else np.empty(0)
    return float(sizes[0]) if len(sizes) == 1 and np.isfinite(sizes[0]) and sizes[0] > 0 else None
