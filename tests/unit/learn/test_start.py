"""The general start: it loads, it is refused where it does not fit, and it picks without a label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cryoglean.cli.main import run
from cryoglean.errors import SettingsError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.io.micrographs import read_micrograph
from cryoglean.io.picks import read_picks
from cryoglean.learn.hardware import find_hardware
from cryoglean.learn.picker import build_network
from cryoglean.learn.start import (
    choose_start,
    general_picker,
    load_start,
    read_start_facts,
    start_names,
    start_network,
)
from cryoglean.picks import Picks
from cryoglean.settings import ModelSettings, Settings, resolve_settings
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulation import simulate_folder

FOLDER_BYTES = 4_000_000


def settings_with(*assignments: str) -> Settings:
    return resolve_settings([], assignments)


def test_the_package_holds_the_general_start_and_its_facts() -> None:
    facts = read_start_facts("general")

    assert "general" in start_names()
    assert facts["model"] == {"name": "lean", "widths": [32, 48, 64, 96]}
    assert 0 < facts["threshold"] < 1
    assert facts["licence"] == "BSD-3-Clause"


def test_it_is_small_enough_to_be_shipped() -> None:
    import cryoglean

    files = list((Path(cryoglean.__file__).parent / "starts").glob("*.safetensors"))
    assert files
    assert sum(file.stat().st_size for file in files) <= FOLDER_BYTES


def test_it_is_no_random_network_and_always_the_same() -> None:
    first, again = (load_start("general", ModelSettings()).state_dict() for _ in range(2))
    random = build_network(ModelSettings(), 0).state_dict()

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.0.0.weight"], random["stem.0.0.weight"])
    assert all(bool(torch.isfinite(tensor).all()) for tensor in first.values())


@pytest.mark.parametrize(
    ("assignments", "start"),
    [
        ((), "general"),
        (("prepare.particle_pixels=24",), "general"),
        (("prepare.particle_pixels=40",), "random"),
        (("prepare.particle_pixels=10",), "random"),
        (("model.widths=[8, 12]",), "random"),
        (("model.widths=[32, 48, 64, 96]",), "general"),
        (("model.name=unet",), "random"),
        (("learn.start=random",), "random"),
        (("prepare.particle_pixels=40", "learn.start=general"), "general"),
    ],
)
def test_auto_takes_the_general_start_where_it_fits_and_a_wish_is_obeyed(
    assignments: tuple[str, ...], start: str
) -> None:
    assert choose_start(settings_with(*assignments)) == start


@pytest.mark.parametrize("assignment", ["model.widths=[8, 12]", "model.name=unet"])
def test_a_start_that_was_asked_for_but_does_not_fit_is_refused(assignment: str) -> None:
    with pytest.raises(SettingsError, match=r"start 'general' is a lean of widths .*learn\.start=random"):
        start_network(settings_with("learn.start=general", assignment))


def test_an_unknown_start_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"there is no start 'generall'.*general"):
        load_start("generall", ModelSettings())


def test_a_random_start_depends_on_the_seed_only() -> None:
    network = start_network(settings_with("learn.start=random", "seed=3"))

    expected = build_network(ModelSettings(), 3).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("diameter", [0.0, -5.0, float("nan"), float("inf")])
def test_a_diameter_must_be_above_0(diameter: float) -> None:
    with pytest.raises(SettingsError, match="--diameter-angstrom"):
        general_picker(diameter, find_hardware())


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Picks]:
    """Two dark micrographs of a built-in molecule; the start has seen random ones only."""
    folder = tmp_path_factory.mktemp("unseen")
    settings = SimulationSettings(
        molecule="tetramer", shape_pixels=(512, 512), particles_per_micrograph=40, views=48, carbon_edge=0
    )
    return folder, simulate_folder(folder, 2, 5, settings)


def test_without_a_label_it_finds_a_molecule_that_it_has_never_seen(unseen: tuple[Path, Picks], tmp_path: Path) -> None:
    """Chance is measured by the same picks mirrored at the diagonal: as many, as crowded, but elsewhere."""
    folder, truth = unseen
    out = tmp_path / "picks.csv"

    assert run(["pick", "general", str(folder), "--diameter-angstrom", "180", "--out", str(out), "--quiet"]) == 0

    picks = read_picks(out)
    mirrored = Picks(picks.micrograph, picks.xy[:, ::-1], picks.score, micrographs=picks.micrographs)
    rules = Rules(diameter_pixels=45.0, border_pixels=22.0, shapes=dict.fromkeys(truth.micrographs, (512, 512)))
    f1, chance = (evaluate_picks(found, truth, rules).total.f1 or 0.0 for found in (picks, mirrored))
    assert f1 > 0.6
    assert f1 > chance + 0.3


def test_light_particles_are_picked_like_dark_ones_when_said_to_be_light(unseen: tuple[Path, Picks]) -> None:
    """The negated micrograph is the same micrograph of light particles."""
    micrograph = read_micrograph(next(iter(sorted(unseen[0].glob("*.mrc")))))
    negated = replace(micrograph, pixels=-micrograph.pixels)
    for_dark, threshold = general_picker(180.0, find_hardware(), views=1)
    for_light, _ = general_picker(180.0, find_hardware(), particles_are_dark=False, views=1)

    dark, light = for_dark.pick_micrograph(micrograph), for_light.pick_micrograph(negated)

    assert len(dark.above(threshold)) > 10
    np.testing.assert_allclose(dark.xy, light.xy, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["general"], "--diameter-angstrom: it is missing"),
        (["general", "--diameter-angstrom", "-3"], "--diameter-angstrom: it is -3"),
        (["no_such_run", "--diameter-angstrom", "100"], "--diameter-angstrom: a trained run knows it"),
        (["no_such_run", "--contrast", "light"], "--contrast: a trained run knows it"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(
    unseen: tuple[Path, Picks], capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], says: str
) -> None:
    source, *options = words

    code = run(["pick", source, str(unseen[0]), *options, "--out", str(tmp_path / "out.csv")])

    assert code == 2
    assert says in capsys.readouterr().err


def test_init_sets_the_start_and_set_overrules_it() -> None:
    from cryoglean.cli.train import Choice, choose_settings

    assert choose_settings(Choice(init="random")).learn.start == "random"
    assert choose_settings(Choice(init="random", effort="quick")).learn.steps == 200
    assert choose_settings(Choice(init="random", set=("learn.start=general",))).learn.start == "general"
    assert choose_settings(Choice()).learn.start == "auto"
    assert choose_settings(Choice(init="general")).learn.start == "general"
