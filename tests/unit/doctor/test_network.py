"""What a network does: dead units are counted, and nothing breaks where files are gone."""

from pathlib import Path

import numpy as np
import torch

from cryoglean.dataset import Dataset
from cryoglean.doctor.network import count_dead, look_at_network
from cryoglean.io.micrographs import write_micrograph
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.picker import Picker, build_network
from cryoglean.micrograph import Micrograph
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation
from cryoglean.settings import ModelSettings, PickSettings

PREPARATION = Preparation(40.0, 20.0, 1.5, 5.0, particles_are_dark=False)


def make_picker() -> Picker:
    network, hardware = build_network(ModelSettings()).eval(), Hardware(torch.device("cpu"), half=False)
    return Picker(network, ModelSettings(), PREPARATION, PickSettings(views=1), hardware)


def micrograph(seed: int) -> Micrograph:
    return Micrograph(f"m{seed}", np.random.default_rng(seed).normal(size=(200, 220)).astype(np.float32), 2.0)


def test_units_that_say_the_same_everywhere_are_counted() -> None:
    picker = make_picker()
    prepared = PREPARATION.apply(micrograph(0))
    before, _ = count_dead(picker, prepared)
    with torch.no_grad():
        norm = picker.network.stem[1][1]  # type: ignore[index, union-attr]
        norm.weight.fill_(0.0)

    after, layer = count_dead(picker, prepared)

    assert before < 0.05
    assert after > before + 0.03
    assert layer == "stem.1.2"


def test_micrographs_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.mrc" for name in ("m1", "m2", "m3")}
    for seed in (1, 2):
        write_micrograph(micrograph(seed), paths[f"m{seed}"])
    roles = {"m1": "train", "m2": "unlabelled", "m3": "unlabelled"}
    dataset = Dataset(paths, roles, Picks.of_one("m1", np.full((3, 2), 100.0)), 40.0, None)  # type: ignore[arg-type]

    found = look_at_network(make_picker(), dataset, 0.5)

    assert found.unlabelled_micrographs == 1
    assert 0 <= found.half_difference < 0.5
    paths["m1"].unlink()
    assert look_at_network(make_picker(), dataset, 0.5).labelled_picks == 0.0
