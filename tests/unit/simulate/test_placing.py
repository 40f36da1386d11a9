"""Where particles lie: on free ground, apart, and some of them upon another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from cryoglean.errors import SettingsError
from cryoglean.simulate.placing import check_room, place_particles
from cryoglean.simulate.settings import SimulationSettings

_DIAMETER = 20.0


def test_particles_keep_their_distance() -> None:
    settings = SimulationSettings(overlap_share=0.0, spacing_diameters=1.1)

    places = place_particles(np.random.default_rng(0), np.ones((400, 300), bool), _DIAMETER, 60, settings)

    assert len(places.xy) == 60
    assert pdist(places.xy).min() >= 22.0


def test_the_overlap_share_is_respected() -> None:
    settings = SimulationSettings(overlap_share=0.2, spacing_diameters=1.0)

    places = place_particles(np.random.default_rng(1), np.ones((1500, 1500), bool), _DIAMETER, 1000, settings)

    close = np.triu(squareform(pdist(places.xy)) < _DIAMETER, 1)
    assert close.sum() == (places.host >= 0).sum()
    assert (places.host >= 0).mean() == pytest.approx(0.2, abs=0.04)
    upon = np.flatnonzero(places.host >= 0)
    apart = np.linalg.norm(places.xy[upon] - places.xy[places.host[upon]], axis=1) / _DIAMETER
    assert 0.45 <= apart.min() <= apart.max() <= 0.85


def test_no_centre_lies_where_it_may_not() -> None:
    free = np.zeros((200, 300), bool)
    free[50:150, 100:250] = True

    xy = place_particles(np.random.default_rng(2), free, 10.0, 40, SimulationSettings()).xy

    columns, rows = np.round(xy).astype(int).T
    assert free[rows, columns].all()


def test_clusters_bring_neighbours_nearer() -> None:
    def mean_nearest(share: float) -> float:
        settings = SimulationSettings(overlap_share=0.0, clustered_share=share)
        xy = place_particles(np.random.default_rng(3), np.ones((900, 900), bool), _DIAMETER, 150, settings).xy
        distance = squareform(pdist(xy)) + 1e9 * np.eye(len(xy))
        return float(distance.min(axis=1).mean())

    assert mean_nearest(0.9) < 0.75 * mean_nearest(0.0)


def test_places_are_between_the_pixels_and_even() -> None:
    settings = SimulationSettings(overlap_share=0.0, clustered_share=0.0, spacing_diameters=0.2)
    xy = place_particles(np.random.default_rng(4), np.ones((400, 400), bool), 1.0, 4000, settings).xy

    assert np.mod(xy, 1.0).std() == pytest.approx(12**-0.5, abs=0.01)
    assert xy.mean() == pytest.approx(199.5, abs=5.0)


def test_nothing_free_means_no_particle() -> None:
    places = place_particles(np.random.default_rng(5), np.zeros((64, 64), bool), 10.0, 5, SimulationSettings())

    assert places.xy.shape == (0, 2)


def test_more_than_fits_is_refused_with_the_number_that_does() -> None:
    settings = SimulationSettings(particles_per_micrograph=5000.0)

    with pytest.raises(SettingsError, match="at most") as caught:
        check_room(settings, 180.0)
    most = int(caught.value.fix.split("at most ")[1].split(",")[0])
    check_room(SimulationSettings(particles_per_micrograph=most), 180.0)
