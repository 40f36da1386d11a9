"""Put real micrographs and simulated ones of like molecules side by side, their radial power spectra below.

Run from the repository root: `python benchmarks/look_at_simulation.py --out simulation.png`. Real micrographs are read
from `../shared/data`; without them only the simulated ones are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import mrcfile
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cryoglean.simulate.micrograph import simulate_micrograph
from cryoglean.simulate.settings import SimulationSettings, simulation_settings

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_CROP_PIXELS = 512
_BGAL = {
    "molecule": "tetramer",
    "pixel_size_angstrom": 4.72,
    "particles_per_micrograph": 130,
    "dose_electrons_per_angstrom2": 20,
    "defocus_micrometers": (1.5, 2.5),
}
_APOFERRITIN = {
    "molecule": "ferritin",
    "pixel_size_angstrom": 2.14,
    "particles_per_micrograph": 60,
    "spacing_diameters": 0.95,
    "defocus_micrometers": (1.5, 2.5),
    "aggregates": 0.5,
    "fragments": 4,
}


@dataclass(frozen=True)
class Panel:
    """A picture to show.

    Args:
        title: what it is.
        pixels: (y, x).
        pixel_size_angstrom: side of a pixel.
        xy: (n, 2) true places to mark, or None.
        group: pictures of one group share the plot of spectra.
    """

    title: str
    pixels: NDArray[np.float32]
    pixel_size_angstrom: float
    group: str
    xy: NDArray[np.float64] | None = None


def panels(seed: int) -> Iterator[Panel]:
    """All pictures, real and simulated."""
    apoferritin = _DATA / "apoferritin_10146"
    yield from _real("bgal 10017", sorted((_DATA / "bgal_10017" / "micrographs").glob("*.mrc"))[:2], "bgal")
    yield _simulated("like bgal", {**_BGAL}, seed, "bgal")
    yield _low_passed(_simulated("like bgal, low-passed", {**_BGAL}, seed, "bgal"))
    yield _simulated(
        "like bgal, carbon, gold", {**_BGAL, "carbon_edge": 1.0, "gold_beads": 3.0, "ice_crystals": 2.0}, seed, "bgal"
    )
    yield from _real("apoferritin average", sorted((apoferritin / "micrographs").glob("*.mrc"))[:1], "apoferritin")
    yield _simulated("like it, 40 e/Å²", {**_APOFERRITIN, "dose_electrons_per_angstrom2": 40}, seed, "apoferritin")
    single = sorted((apoferritin / "micrographs_single_frame").glob("*.mrc"))[:1]
    yield from _real("apoferritin one frame", single, "apoferritin")
    yield _simulated("like it, 0.8 e/Å²", {**_APOFERRITIN, "dose_electrons_per_angstrom2": 0.8}, seed, "apoferritin")
    for number, molecule in enumerate(("globule", "channel", "barrel", "antibody")):
        yield _simulated(f"{molecule}, defaults", {"molecule": molecule}, seed + number, "defaults")
    yield _simulated(
        "junk", {"aggregates": 8, "ice_crystals": 4, "gold_beads": 3, "particles_per_micrograph": 40}, seed, "defaults"
    )
    for number, molecule in enumerate(("ribosome", "capsid", "rod", "tetramer")):
        few = {"molecule": molecule, "particles_per_micrograph": 30 if molecule != "tetramer" else 90}
        yield _simulated(f"{molecule}, defaults", few, seed + number, "defaults")


def radial_power(
    pixels: NDArray[np.float32], pixel_size_angstrom: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequency (1/Å) and mean power on rings, of the picture with mean 0 and deviation 1."""
    normal = (pixels - pixels.mean()) / pixels.std()
    power = np.abs(np.fft.fft2(normal * np.outer(*(np.hanning(n) for n in normal.shape)))) ** 2
    rows, columns = (np.fft.fftfreq(n) for n in normal.shape)
    ring = np.round(np.hypot(rows[:, None], columns[None, :]) * 256).astype(int)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    return np.arange(1, 128) / 256 / pixel_size_angstrom, mean[1:128]


def draw(shown: list[Panel], out: Path) -> None:
    """All pictures, four in a row, and the spectra of each group in a last row."""
    mpl.use("agg")
    from matplotlib import pyplot

    rows = -(-len(shown) // 4)
    groups = list(dict.fromkeys(panel.group for panel in shown))
    figure = pyplot.figure(figsize=(22, 5.7 * rows + 5), layout="constrained")
    grid = figure.add_gridspec(rows + 1, 12)
    for place, panel in enumerate(shown):
        axes = figure.add_subplot(grid[place // 4, 3 * (place % 4) : 3 * (place % 4) + 3], title=panel.title)
        crop = panel.pixels[:_CROP_PIXELS, :_CROP_PIXELS]
        low, high = np.percentile(crop, (0.5, 99.5))
        axes.imshow(crop, cmap="gray", vmin=low, vmax=high)
        axes.set_axis_off()
        if panel.xy is not None:
            near = panel.xy[(panel.xy < _CROP_PIXELS).all(axis=1)][::4]
            axes.scatter(*near.T, s=8, c="tab:orange")
    for place, group in enumerate(groups):
        axes = figure.add_subplot(grid[rows, 4 * place : 4 * place + 4], title=group, xlabel="1/Å", yscale="log")
        for panel in shown:
            if panel.group == group:
                style = "-" if panel.xy is None else "--"
                axes.plot(*radial_power(panel.pixels, panel.pixel_size_angstrom), style, label=panel.title)
        axes.legend(fontsize=7)
    figure.savefig(out, dpi=60)


def _real(title: str, paths: list[Path], group: str) -> Iterator[Panel]:
    for path in paths:
        with mrcfile.open(path, permissive=True) as file:
            pixels = np.asarray(file.data, dtype=np.float32)
            yield Panel(f"{title} {path.stem[-9:]}", pixels, float(file.voxel_size.x), group)


def _simulated(title: str, values: Mapping[str, object], seed: int, group: str) -> Panel:
    settings: SimulationSettings = simulation_settings(values)
    made = simulate_micrograph(settings, seed, title)
    text = f"{title}: SNR {made.snr:.2f}, {made.defocus_micrometers:.1f} µm, n {len(made.xy)}"
    return Panel(text, made.micrograph.pixels, settings.pixel_size_angstrom, group, made.xy)


def _low_passed(panel: Panel) -> Panel:
    """Roughly what the source of the β-galactosidase micrographs did to them."""
    pixels = gaussian_filter(panel.pixels, 2.0) - gaussian_filter(panel.pixels, 24.0)
    return replace(panel, pixels=pixels)


def main() -> None:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("simulation.png"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw(list(panels(arguments.seed)), arguments.out)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
