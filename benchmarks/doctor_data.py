"""Sound data sets for the doctor, and faults planted in them: each fault takes a data set and gives a spoilt one.

Everything is simulated, 12 micrographs of 480 x 576 pixels a set, so that the suite runs anywhere. Spoilt files are
written to a folder of their own.
"""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from cryoglean.dataset import Dataset, Role
from cryoglean.doctor.moves import move_picks
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name, read_micrograph, write_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

SHAPE = (480, 576)
_COUNT = {"train": 3, "validation": 2, "unlabelled": 4, "test": 3}
Plant = Callable[[Dataset, Path], Dataset]


def sound(molecule: str, seed: int = 0) -> tuple[Dataset, Picks]:
    """A data set without a fault, and all true particles.

    Args:
        molecule: a built-in one.
        seed: of the simulation.
    """
    folder = Path(tempfile.gettempdir()) / f"cryoglean_doctor_{molecule}_{seed}"
    settings = SimulationSettings(
        molecule=molecule, shape_pixels=SHAPE, particles_per_micrograph=45, dose_electrons_per_angstrom2=20,
        carbon_edge=0.0,
    )  # fmt: skip
    if not (folder / "coordinates.csv").exists():
        simulate_folder(folder, sum(_COUNT.values()), seed, settings)
    truth = read_picks(folder / "coordinates.csv")
    paths = micrographs_by_name(find_micrographs([folder]))
    names = iter(sorted(paths))
    roles: dict[str, Role] = {next(names): role for role, count in _COUNT.items() for _ in range(count)}  # type: ignore[misc]
    labelled = [name for name, role in roles.items() if role in ("train", "validation")]
    assert truth.diameter_pixels is not None
    diameter = float(truth.diameter_pixels[0]) * settings.pixel_size_angstrom
    return Dataset(paths, roles, truth.of(labelled), diameter, None), truth


def from_real(bench: object) -> Dataset:
    """A real set (see `real_data.Bench`), three micrographs labelled, two for validation, the others unlabelled."""
    names = sorted(bench.paths)  # type: ignore[attr-defined]
    roles: dict[str, Role] = {
        name: "train" if place < 3 else "validation" if place < 5 else "unlabelled" for place, name in enumerate(names)
    }
    truth = bench.truth.of(names[:5])  # type: ignore[attr-defined]
    size = bench.pixel_size_angstrom  # type: ignore[attr-defined]
    return Dataset({name: bench.paths[name] for name in names}, roles, truth, bench.diameter_angstrom, size)  # type: ignore[attr-defined]


def moved(name: str) -> Plant:
    """Labels that must be moved by `name` to lie on particles."""
    undo = {"scale=2": "scale=0.5", "scale=4": "scale=0.25", "scale=0.5": "scale=2", "swap+flip_y": "flip_x+swap"}

    def plant(data: Dataset, _folder: Path) -> Dataset:
        shapes = {one: read_micrograph(data.paths[one]).shape for one in data.names("train", "validation")}
        if name == "swap+flip_y":  # the inverse: first flip y, then swap
            turned = move_picks(data.labels, shapes, "flip_y")
            return replace(data, labels=replace(turned, xy=turned.xy[:, ::-1].copy()))
        return replace(data, labels=move_picks(data.labels, shapes, undo.get(name, name)))

    return plant


def sized(*, diameter: float = 1.0, pixel: float | None = None, in_pixels: bool = False) -> Plant:
    """Sizes that are wrong: a factor for the diameter, a factor for the pixel size, or a diameter in pixels."""

    def plant(data: Dataset, _folder: Path) -> Dataset:
        size = data.pixel_size_angstrom or read_micrograph(next(iter(data.paths.values()))).pixel_size_angstrom or 1.0
        given = data.diameter_angstrom / size if in_pixels else data.diameter_angstrom * diameter
        return replace(
            data, diameter_angstrom=given, pixel_size_angstrom=size * pixel if pixel else data.pixel_size_angstrom
        )

    return plant


def relabelled(how: str) -> Plant:
    """Labels that are wrong.

    Args:
        how: `shuffled` between micrographs, `random`, one micrograph's `mixed_up`, some `missing`, `double`, one
            micrograph `bare`, or only a `few`.
    """

    def plant(data: Dataset, _folder: Path) -> Dataset:
        rng, names = np.random.default_rng(0), data.names("train", "validation")
        labels = data.labels
        if how == "shuffled":
            turned = dict(zip(names, (*names[1:], names[0]), strict=True))
            labels = replace(labels, micrograph=np.array([turned[str(name)] for name in labels.micrograph]))
        elif how == "random":
            labels = replace(labels, xy=rng.uniform(20, np.array(SHAPE[::-1]) - 20, labels.xy.shape))
        elif how == "mixed_up":
            here = labels.micrograph == names[0]
            xy = labels.xy.copy()
            xy[here] = np.array(SHAPE[::-1]) - 1 - xy[here]
            labels = replace(labels, xy=xy)
        elif how == "missing":
            labels = labels.rows(rng.random(len(labels)) > 0.3)
        elif how == "double":
            twin = replace(labels, xy=labels.xy + rng.normal(0, 1.0, labels.xy.shape))
            labels = Picks.concatenate([labels, twin.rows(rng.random(len(labels)) < 0.3)])
        elif how == "bare":
            labels = Picks.concatenate([labels.rows(labels.micrograph != names[1]), Picks.empty((names[1],))])
        elif how == "few":
            validation = set(data.names("validation"))
            kept = [place for place, name in enumerate(labels.micrograph) if name not in validation][:7]
            held = [place for place, name in enumerate(labels.micrograph) if name in validation]
            labels = labels.rows(np.array(sorted(kept + held)))
        return replace(data, labels=labels)

    return plant


def rewritten(role: Role, how: str, *, only_first: bool = False) -> Plant:
    """Files of one role that are spoilt: `inverted`, `bytes`, `blurred`, `constant`, `cut_off`, `nan`, `noise`."""

    def plant(data: Dataset, folder: Path) -> Dataset:
        folder.mkdir(parents=True, exist_ok=True)
        paths = dict(data.paths)
        for name in data.names(role)[: 1 if only_first else None]:
            out = folder / f"{name}.mrc"
            if how == "cut_off":
                out.write_bytes(data.paths[name].read_bytes()[:5000])
            else:
                micrograph = read_micrograph(data.paths[name])
                write_micrograph(replace(micrograph, pixels=_spoil(micrograph, how), path=None), out)
            paths[name] = out
        return replace(data, paths=paths)

    return plant


def _spoil(micrograph: Micrograph, how: str) -> np.ndarray:
    pixels, rng = micrograph.pixels, np.random.default_rng(0)
    if how == "inverted":
        return -pixels
    if how == "bytes":
        return ((pixels - pixels.mean()) / pixels.std() * 25 + 128).clip(0, 255).round().astype(np.float32)
    if how == "blurred":
        return gaussian_filter(pixels, 3).astype(np.float32)
    if how == "constant":
        return np.full_like(pixels, pixels.mean())
    if how == "nan":
        spoilt = pixels.copy()
        spoilt[100:220, 200:320] = np.nan
        return spoilt
    if how == "noise":  # as of another magnification: coarse structure, and nothing fine
        return gaussian_filter(rng.normal(size=pixels.shape), 6).astype(np.float32)
    raise ValueError(how)


def copied(to: Role, of: Role = "train", noise: float = 0.0) -> Plant:
    """One micrograph a second time, under another role; with `noise` (in deviations) as another exposure of the field."""

    def plant(data: Dataset, folder: Path) -> Dataset:
        folder.mkdir(parents=True, exist_ok=True)
        source, out = data.names(of)[0], folder / "copy.mrc"
        if noise:
            one = read_micrograph(data.paths[source])
            spread = noise * float(one.pixels.std())
            more = np.random.default_rng(0).normal(0, spread, one.pixels.shape).astype(np.float32)
            write_micrograph(replace(one, pixels=one.pixels + more, path=None), out)
        else:
            shutil.copy(data.paths[source], out)
        labels = data.labels
        if to in ("train", "validation"):
            twin = labels.on(source)
            twin = replace(twin, micrograph=np.full(len(twin), "copy"), micrographs=("copy",))
            labels = Picks.concatenate([labels, twin])
        return replace(data, paths={**data.paths, "copy": out}, roles={**data.roles, "copy": to}, labels=labels)

    return plant


def clicked(count: int) -> Plant:
    """Sparse labels: this many clicks on the training micrographs; validation stays complete."""

    def plant(data: Dataset, _folder: Path) -> Dataset:
        train = data.labels.of(data.names("train"))
        chosen = np.sort(np.random.default_rng(0).permutation(len(train))[:count])
        return replace(data, labels=Picks.concatenate([train.rows(chosen), data.labels.of(data.names("validation"))]))

    return plant
