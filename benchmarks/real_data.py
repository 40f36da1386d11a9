"""The real data sets as the benchmarks use them: micrographs in order of name, first to train, next to validate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoglean.dataset import Dataset, Role
from cryoglean.evaluate.score import Rules
from cryoglean.io.micrographs import find_micrographs, micrographs_by_name, read_micrograph_shape
from cryoglean.io.picks import read_picks
from cryoglean.picks import Picks
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder
from make_apoferritin import mix

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Bench:
    """A labelled data set and how it is scored."""

    name: str
    paths: dict[str, Path]
    truth: Picks
    diameter_angstrom: float
    pixel_size_angstrom: float
    border_pixels: float
    ignore: Picks | None = None

    @property
    def diameter_pixels(self) -> float:
        """Of the particle, in pixels of the stored micrograph."""
        return self.diameter_angstrom / self.pixel_size_angstrom

    def split(self, labelled: int) -> tuple[list[str], list[str], list[str]]:
        """Names to train on, to validate on, and to test on, in order of name.

        The first is always trained on, the second and third are always validated on; further labelled ones follow
        those, and the rest is tested. With one labelled micrograph of ten that is 1, 2 and 7.
        """
        names = sorted(self.paths)
        if labelled == 1:
            return names[:1], names[1:3], names[3:]
        return [names[0], *names[3 : 2 + labelled]], names[1:3], names[2 + labelled :]

    def dataset(self, train: Sequence[str], validation: Sequence[str]) -> Dataset:
        """Train and validation micrographs with their labels; the others are for test and carry none."""
        roles: dict[str, Role] = dict.fromkeys(self.paths, "test")
        roles |= dict.fromkeys(train, "train") | dict.fromkeys(validation, "validation")
        labels = self.truth.of([*train, *validation])
        return Dataset(self.paths, roles, labels, self.diameter_angstrom, self.pixel_size_angstrom)

    def rules(self) -> Rules:
        """0.5 diameters, the set's border."""
        shapes = {name: read_micrograph_shape(path) for name, path in self.paths.items()}
        return Rules(diameter_pixels=self.diameter_pixels, border_pixels=self.border_pixels, shapes=shapes)


def beta_galactosidase() -> Bench:
    """EMPIAR-10017, 10 micrographs."""
    folder = SHARED / "bgal_10017"
    return Bench(
        "bgal_10017",
        micrographs_by_name(find_micrographs([folder / "micrographs"])),
        read_picks(folder / "coordinates.csv"),
        40.5 * 4.72,
        4.72,
        56.0,
        read_picks(folder / "ignore_consensus_extras.csv"),
    )


def apoferritin(k: float) -> Bench:
    """EMPIAR-10146 at difficulty k, 10 micrographs, mixed into a folder of the temporary directory."""
    folder = Path(tempfile.gettempdir()) / f"cryoglean_apoferritin_{k:g}"
    if not (folder / "coordinates.csv").exists():
        mix(k, folder)
    paths = micrographs_by_name(find_micrographs([folder]))
    return Bench(f"apoferritin_k{k:g}", paths, read_picks(folder / "coordinates.csv"), 52 * 2.14, 2.14, 26.0)


def simulated(molecule: str, count: int = 10, seed: int = 1) -> Bench:
    """Ten micrographs of a built-in molecule at the simulator's defaults, in a folder of the temporary directory."""
    folder = Path(tempfile.gettempdir()) / f"cryoglean_simulated_{molecule}_{count}_{seed}"
    settings = SimulationSettings(molecule=molecule)
    if not (folder / "coordinates.csv").exists():
        simulate_folder(folder, count, seed, settings)
    truth = read_picks(folder / "coordinates.csv")
    size = settings.pixel_size_angstrom
    if truth.diameter_pixels is None:
        raise ValueError("simulated coordinates without a diameter")
    diameter = float(truth.diameter_pixels[0])
    paths = micrographs_by_name(find_micrographs([folder]))
    return Bench(f"simulated_{molecule}", paths, truth, diameter * size, size, diameter / 2)


def all_benches() -> list[Bench]:
    """Two simulated molecules, and the real sets where they are."""
    return [*real_benches(), simulated("globule"), simulated("tetramer")]


def real_benches() -> list[Bench]:
    """All real sets, or none where the folder is absent."""
    if not SHARED.exists():
        return []
    return [beta_galactosidase(), apoferritin(0.05), apoferritin(0.1)]
