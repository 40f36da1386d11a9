"""Whole micrographs: what is promised about them and about the truth."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoglean.errors import SettingsError
from cryoglean.simulate.micrograph import make_views, simulate_micrograph, simulate_micrographs
from cryoglean.simulate.settings import SimulationSettings

_SMALL = SimulationSettings(
    molecule="globule",
    shape_pixels=(256, 320),
    pixel_size_angstrom=6.0,
    particles_per_micrograph=30.0,
    views=12,
    fragments=5.0,
)


def _small(**changed: object) -> SimulationSettings:
    return SimulationSettings.model_validate({**_SMALL.model_dump(), **changed})


def test_the_micrograph_has_shape_name_pixel_size_and_counts() -> None:
    made = simulate_micrograph(_SMALL, 0, "first")

    assert made.micrograph.shape == (256, 320)
    assert made.micrograph.name == "first"
    assert made.micrograph.pixel_size_angstrom == 6.0
    assert made.micrograph.pixels.dtype == np.float32
    np.testing.assert_array_equal(made.micrograph.pixels, np.round(made.micrograph.pixels))
    assert made.micrograph.pixels.min() >= 0.0


def test_the_truth_lies_on_the_micrograph() -> None:
    for made in simulate_micrographs(_SMALL, 6, 0):
        assert len(made.xy) == len(made.orientations)
        assert made.xy.min() >= 0.0
        assert (made.xy <= [319.0, 255.0]).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = (simulate_micrograph(_SMALL, seed, "m") for seed in (5, 5, 6))

    np.testing.assert_array_equal(first.micrograph.pixels, again.micrograph.pixels)
    np.testing.assert_array_equal(first.xy, again.xy)
    assert not np.array_equal(first.micrograph.pixels, other.micrograph.pixels)


def test_a_micrograph_does_not_depend_on_how_many_there_are() -> None:
    two, four = list(simulate_micrographs(_SMALL, 2, 3)), list(simulate_micrographs(_SMALL, 4, 3))

    assert [made.micrograph.name for made in four] == [f"simulated_{i:04d}" for i in range(4)]
    np.testing.assert_array_equal(two[1].micrograph.pixels, four[1].micrograph.pixels)
    assert not np.array_equal(four[0].micrograph.pixels, four[1].micrograph.pixels)


def test_the_mean_number_of_particles_is_the_one_asked_for() -> None:
    settings = _small(aggregates=0.0, fragments=0.0, ice_crystals=0.0, carbon_edge=0.0, shape_pixels=(192, 192))
    settings = settings.model_copy(update={"particles_per_micrograph": 20.0})

    counts = [len(made.xy) for made in simulate_micrographs(settings, 40, 0)]

    assert np.mean(counts) == pytest.approx(20.0, abs=2.5)  # 3 standard errors of a Poisson number
    assert np.std(counts) == pytest.approx(20.0**0.5, rel=0.5)


def test_no_particle_wanted_is_an_empty_truth() -> None:
    made = simulate_micrograph(_small(particles_per_micrograph=0.0), 0, "empty")

    assert made.xy.shape == (0, 2)
    assert made.orientations.shape == (0, 3, 3)
    assert made.snr == 0.0
    assert np.abs(made.signal).max() < 1e-3


def test_particles_are_darker_than_ice_unless_light_is_asked_for() -> None:
    dark, light = (simulate_micrograph(_small(contrast=c), 1, "m") for c in ("dark", "light"))

    columns, rows = np.round(dark.xy).astype(int).T
    assert dark.signal[rows, columns].mean() < 0.0
    np.testing.assert_array_equal(light.micrograph.pixels, -dark.micrograph.pixels)
    np.testing.assert_array_equal(light.signal, -dark.signal)


def test_no_particle_of_the_truth_is_hidden() -> None:
    """Less the particles' own signal, the mean in each disc is that of bare ice: carbon alone would take 9 %."""
    settings = _small(
        carbon_edge=1.0, gold_beads=6.0, ice_crystals=3.0, ice_gradient=0.0, fragments=0.0, aggregates=0.0
    )
    settings = settings.model_copy(update={"dose_electrons_per_angstrom2": 100.0})
    y, x = np.mgrid[:256, :320]
    for made in simulate_micrographs(settings, 3, 1):
        bare = made.micrograph.pixels - made.signal
        for centre in made.xy:
            disc = np.hypot(x - centre[0], y - centre[1]) < 0.3 * made.diameter_pixels
            assert bare[disc].mean() == pytest.approx(100.0 * 36.0 * np.exp(-500.0 / 3220.0), rel=0.03)


def test_views_made_once_give_the_same_micrograph() -> None:
    views = make_views(_SMALL)

    np.testing.assert_array_equal(
        simulate_micrograph(_SMALL, 2, "m", views).micrograph.pixels,
        simulate_micrograph(_SMALL, 2, "m").micrograph.pixels,
    )


def test_a_structure_takes_the_place_of_the_molecule(tmp_path: Path) -> None:
    grid = np.indices((40, 40, 40)) - 20.0
    with mrcfile.new(tmp_path / "ball.mrc") as file:
        file.set_data(np.exp(-((np.sqrt((grid**2).sum(axis=0)) / 12.0) ** 8)).astype(np.float32))
        file.voxel_size = 6.0

    made = simulate_micrograph(_small(structure=tmp_path / "ball.mrc", particles_per_micrograph=10.0), 0, "m")

    assert made.diameter_pixels == pytest.approx(24.0, abs=2.0)
    assert len(made.xy) > 0


def test_mistakes_are_told_before_anything_is_made() -> None:
    with pytest.raises(SettingsError, match="Did you mean"):
        next(simulate_micrographs(_small(molecule="globul"), 1, 0))
    with pytest.raises(SettingsError, match="do not fit"):
        simulate_micrograph(_small(particles_per_micrograph=4000.0), 0, "m")
