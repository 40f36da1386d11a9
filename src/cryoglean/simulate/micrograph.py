"""A micrograph whose particles are known, from the molecule to the counted electrons.

All particles lie at one height, so that they share one defocus; the noise of the ice is independent of the particles.
Nothing lies over a particle: particles keep off carbon, gold, crystals and clumps, so none in the truth is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryoglean.micrograph import Micrograph
from cryoglean.simulate.ice import ice_thickness, solvent_phase, transmission
from cryoglean.simulate.junk import Junk, scatter_junk
from cryoglean.simulate.molecules import build_molecule
from cryoglean.simulate.optics import (
    Focus,
    draw_focus,
    exit_wave,
    intensity,
    interaction_per_volt_angstrom,
    wave_transfer,
)
from cryoglean.simulate.placing import check_room, place_particles
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulate.structure import read_structure
from cryoglean.simulate.views import Views, paste, random_views, turned_view
from cryoglean.simulate.volume import Volume

_VIEWS_SEED = 20


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedMicrograph:
    """A micrograph and the truth about it.

    Args:
        micrograph: electrons counted in each pixel (negated when the contrast is light).
        xy: (n, 2) float64 pixels, centres of mass of the particles whose centre is on the micrograph; (0, 0) is the
            centre of the first stored pixel, x right, y down.
        orientations: (n, 3, 3); a point r of the molecule (x, y, z) is seen at the x and y of `orientation @ r`.
        diameter_pixels: of a particle.
        focus: defocus and astigmatism.
        signal: (y, x) float32, the electrons that the particles alone add (below 0: take away), without any noise
            (negated when the contrast is light).
        snr: variance of `signal` in the discs of the particles, over the variance of the noise of counting and ice.
    """

    micrograph: Micrograph
    xy: NDArray[np.float64]
    orientations: NDArray[np.float64]
    diameter_pixels: float
    focus: Focus
    signal: NDArray[np.float32]
    snr: float

    @property
    def defocus_micrometers(self) -> float:
        """Mean defocus, in micrometers; underfocus is positive."""
        return self.focus.defocus_micrometers


def simulate_micrographs(settings: SimulationSettings, count: int, seed: int) -> Iterator[SimulatedMicrograph]:
    """Simulate micrographs one after the other, called `simulated_0000`, `simulated_0001` and so on.

    Args:
        settings: what they are made of.
        count: how many.
        seed: at least 0. Micrograph i depends on the settings, the seed and i, not on `count`.

    Raises:
        SettingsError: there is no such molecule, or the particles do not fit.
        MicrographError: the structure can't be read.
    """
    views = make_views(settings)
    for index in range(count):
        own_seed = int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0])
        yield simulate_micrograph(settings, own_seed, f"simulated_{index:04d}", views)


def make_views(settings: SimulationSettings) -> Views:
    """The molecule of the settings, projected in their number of random directions; always the same ones.

    Raises:
        SettingsError: there is no such molecule.
        MicrographError: the structure can't be read.
    """
    return random_views(load_volume(settings), settings.views, _VIEWS_SEED)


def load_volume(settings: SimulationSettings) -> Volume:
    """The molecule of the settings; see `make_views` for errors."""
    if settings.structure is not None:
        return read_structure(settings.structure, settings.pixel_size_angstrom)
    return build_molecule(settings.molecule, settings.pixel_size_angstrom)


def simulate_micrograph(
    settings: SimulationSettings, seed: int, name: str, views: Views | None = None
) -> SimulatedMicrograph:
    """Simulate one micrograph; the same settings, seed and version give the same bits.

    Args:
        settings: what it is made of.
        seed: of everything random on it, at least 0.
        name: of the micrograph.
        views: `make_views(settings)`, to make them only once for many micrographs.

    Raises:
        SettingsError: there is no such molecule, or the particles do not fit.
        MicrographError: the structure can't be read.
    """
    views = views or make_views(settings)
    check_room(settings, views.diameter_angstrom)
    rng = np.random.default_rng(seed)
    focus = draw_focus(rng, settings)
    border = views.pictures.shape[1] // 2 + 8
    scene = _build_scene(rng, settings, views, border)
    counts, signal, noise = (
        np.ascontiguousarray(_inner(picture, border, settings)) for picture in _expose(rng, settings, focus, scene)
    )
    inside = _is_inside(scene.xy - border, settings.shape_pixels)
    xy = (scene.xy - border)[inside]
    diameter = views.diameter_angstrom / settings.pixel_size_angstrom
    bare = ~_inner(scene.junk.covered, border, settings)
    return SimulatedMicrograph(
        Micrograph(name, counts if settings.contrast == "dark" else -counts, settings.pixel_size_angstrom),
        xy,
        scene.orientations[inside],
        diameter,
        focus,
        signal if settings.contrast == "dark" else -signal,
        _signal_to_noise(signal, noise[bare], xy, diameter),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What lies in the beam, on a canvas larger than the micrograph; places (n, 2), phases and thickness (y, x)."""

    xy: NDArray[np.float64]
    orientations: NDArray[np.float64]
    phase: NDArray[np.float32]
    junk: Junk
    thickness_angstrom: NDArray[np.float32]


def _build_scene(rng: np.random.Generator, settings: SimulationSettings, views: Views, border: int) -> _Scene:
    shape = _canvas_shape(settings.shape_pixels, border)
    junk = scatter_junk(rng, shape, views.diameter_angstrom, settings)
    xy, orientations, phase = _scatter_particles(rng, settings, views, junk)
    thickness = ice_thickness(rng, shape, settings.ice_angstrom, settings.ice_gradient)
    return _Scene(xy, orientations, phase, junk, thickness)


def _expose(
    rng: np.random.Generator, settings: SimulationSettings, focus: Focus, scene: _Scene
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The counted electrons, what the particles alone change, and what is neither that nor the bare ice's mean."""
    dose, pixel_size = settings.dose_electrons_per_angstrom2, settings.pixel_size_angstrom
    transfer = wave_transfer(settings, focus, scene.phase.shape)
    alone = intensity(exit_wave(scene.phase, 0.0, settings.amplitude_contrast), transfer) - 1.0
    solvent = solvent_phase(rng, scene.thickness_angstrom, pixel_size, settings.voltage_kv, dose)
    everything = scene.phase + scene.junk.phase + np.float32(settings.solvent_noise) * solvent
    seen = intensity(exit_wave(everything, scene.junk.absorption, settings.amplitude_contrast), transfer)
    flux = transmission(scene.thickness_angstrom) * np.float32(dose * pixel_size**2)
    counts = rng.poisson(seen * flux).astype(np.float32)
    signal = alone * flux
    return counts, signal, counts - flux - signal


def _inner(canvas: NDArray[Any], border: int, settings: SimulationSettings) -> NDArray[Any]:
    height, width = settings.shape_pixels
    return canvas[border : border + height, border : border + width]


def _canvas_shape(shape: tuple[int, int], border: int) -> tuple[int, int]:
    """The micrograph with a border at every side at least, quick to transform."""
    return (scipy.fft.next_fast_len(shape[0] + 2 * border), scipy.fft.next_fast_len(shape[1] + 2 * border))


def _scatter_particles(
    rng: np.random.Generator, settings: SimulationSettings, views: Views, junk: Junk
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """Places (n, 2) on the canvas, orientations (n, 3, 3), and the phase (y, x) of all particles, in radians."""
    diameter = views.diameter_angstrom / settings.pixel_size_angstrom
    free = junk.free(0.5 * diameter)
    density = settings.particles_per_micrograph / float(np.prod(settings.shape_pixels))
    places = place_particles(rng, free, diameter, int(rng.poisson(density * float(free.sum()))), settings)
    count = len(places.xy)
    which = zip(
        rng.integers(len(views.pictures), size=count),
        rng.integers(4, size=count),
        rng.integers(2, size=count),
        strict=True,
    )
    turned = [turned_view(views, int(i), int(quarters), is_mirrored=bool(flip)) for i, quarters, flip in which]
    phase = np.zeros(free.shape, np.float32)
    pictures = np.stack([picture for picture, _ in turned]) if turned else np.empty((0, 1, 1), np.float32)
    paste(phase, pictures, places.xy)
    phase *= np.float32(interaction_per_volt_angstrom(settings.voltage_kv))
    orientations = np.array([rotation for _, rotation in turned]).reshape(-1, 3, 3)
    return places.xy, orientations, phase


def _is_inside(xy: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(n,), whether a point lies between the centres of the first and the last pixel."""
    return np.asarray(((xy >= 0.0) & (xy <= np.array([shape[1] - 1, shape[0] - 1]))).all(axis=1), dtype=np.bool_)


def _signal_to_noise(
    signal: NDArray[np.float32], noise: NDArray[np.float32], xy: NDArray[np.float64], diameter_pixels: float
) -> float:
    """Variance of the signal in the particles' discs over that of the noise; 0 without particles or noise."""
    rows, columns = np.ogrid[: signal.shape[0], : signal.shape[1]]
    discs = np.zeros(signal.shape, np.bool_)
    reach = int(np.ceil(diameter_pixels / 2.0))
    for x, y in xy:
        part = (slice(max(int(y) - reach, 0), int(y) + reach + 2), slice(max(int(x) - reach, 0), int(x) + reach + 2))
        distance = (columns[:, part[1]] - x) ** 2 + (rows[part[0]] - y) ** 2
        discs[part] |= distance <= (diameter_pixels / 2.0) ** 2
    if not discs.any() or noise.size < 2:
        return 0.0
    return float(signal[discs].var() / noise.var())
