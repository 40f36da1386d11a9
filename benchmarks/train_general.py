"""Train the general start on random molecules and put it into the package; it has never seen a real micrograph.

    CRYOGLEAN_THREADS=1 python benchmarks/train_general.py --steps 4000 --work /tmp/general

Steps and seed decide the result; `--minutes` only stops early, and the same command goes on from there. The built-in
molecules are never simulated here: they stay for tests.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cryoglean.durable import append_json_line, write_json_atomically
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.evaluate.threshold import choose_threshold
from cryoglean.learn.checkpoint import save_tensors
from cryoglean.learn.hardware import Hardware, find_hardware
from cryoglean.learn.loop import LoopPlan, fit
from cryoglean.learn.picker import Picker, build_network
from cryoglean.picks import Picks
from cryoglean.prepare.augment import vary_look
from cryoglean.prepare.junk import add_junk
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.targets import mask_border, paint_targets
from cryoglean.prepare.tiles import LearnedMicrograph, cut_crops
from cryoglean.registry import load_card
from cryoglean.settings import LearnSettings, Settings
from cryoglean.simulate.micrograph import SimulatedMicrograph, simulate_micrograph
from cryoglean.simulate.random_molecules import DIAMETERS_ANGSTROM, random_diameter, random_molecule
from cryoglean.simulate.settings import SimulationSettings
from cryoglean.simulate.views import random_views
from cryoglean.streams import add_losses

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "cryoglean" / "starts"
LOG = Path(__file__).parent / "results" / "general_training.jsonl"
POOL_MOLECULES = 24
MICROGRAPHS_PER_MOLECULE = 3
STEPS_PER_MOLECULE = 6
VIEWS = 48
SIDE_PIXELS = 352
LARGEST_PIXEL_ANGSTROM = 20.0  # of the simulator
PARTICLE_PIXELS = (17.0, 23.0)  # true diameter; users' diameters are off by as much
SIGNAL_TO_NOISE = (0.03, 1.0)  # of a picture whose particle has 20 pixels
DEFOCUS_MICROMETERS = (0.4, 3.0)
HELD_OUT = range(10_000_000, 10_000_008)


class OutOfTimeError(Exception):
    """The budget of minutes is used up."""


@dataclass(frozen=True)
class Example:
    """A prepared micrograph and its particles in rescaled pixels."""

    prepared: Prepared
    xy: np.typing.NDArray[np.float64]


def main() -> None:
    """Train, choose the threshold on molecules that were held out, write the start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, default=PACKAGE)
    arguments = parser.parse_args()
    settings = general_settings(arguments.steps, arguments.seed)
    hardware = find_hardware(settings.learn.precision)
    held = {number: make_examples(arguments.seed, number, settings, 2) for number in HELD_OUT}
    network = build_network(settings.model, arguments.seed)
    plan = LoopPlan(
        tell=_Log(arguments.seed), phase="general", checkpoint_file=arguments.work / "general.safetensors",
        resumes=True, keeps_best=False,
        validate=lambda network: _score(network, settings, hardware, [held[number] for number in HELD_OUT[:3]])[0],
    )  # fmt: skip
    try:
        fitted = fit(
            network, Pool(arguments.seed, settings, hardware, arguments.minutes), settings.learn, hardware, plan
        )
    except OutOfTimeError:
        print("out of time; the same command goes on")
        return
    write_start(arguments.out, fitted.network, settings, hardware, list(held.values()))


def general_settings(steps: int, seed: int) -> Settings:
    """The package's defaults, but longer, with larger batches."""
    learn = LearnSettings(
        start="random", steps=steps, batch=8, crop_pixels=160, ema_decay=0.998, validate_every=250, near_particles=0.6,
        checkpoint_every_seconds=30.0,
    )  # fmt: skip
    return Settings(seed=seed, learn=learn)


def make_examples(seed: int, number: int, settings: Settings, count: int) -> list[Example]:
    """Micrographs of one random molecule, each with its own microscope, ice and crowd.

    Args:
        seed: of the whole training.
        number: of the molecule; decides everything together with the seed.
        settings: how they are prepared.
        count: how many.
    """
    generator = np.random.default_rng((seed, number))
    diameter = random_diameter(generator)
    nominal = 20.0 * generator.uniform(0.95, 1.05)
    volume = random_molecule(generator, min(diameter / nominal, LARGEST_PIXEL_ANGSTROM), diameter)
    views = random_views(volume, VIEWS, int(generator.integers(2**31)))
    examples = []
    for index in range(count):
        kind = _random_kind(generator, volume.voxel_size_angstrom, views.diameter_angstrom)
        probe = kind.model_copy(
            update={"shape_pixels": (160, 160), "particles_per_micrograph": 8.0, "carbon_edge": 0.0,
                    "ice_crystals": 0.0, "aggregates": 0.0, "fragments": 0.0, "gold_beads": 0.0}
        )  # fmt: skip
        found = simulate_micrograph(probe, int(generator.integers(2**31)), "probe", views).snr
        wanted = np.exp(generator.uniform(*np.log(SIGNAL_TO_NOISE)))
        dose = float(np.clip(probe.dose_electrons_per_angstrom2 * wanted / max(found, 1e-4), 0.05, 80.0))
        kind = kind.model_copy(update={"dose_electrons_per_angstrom2": dose})
        made = simulate_micrograph(kind, int(generator.integers(2**31)), f"{number}_{index}", views)
        examples.append(_prepare(made, settings, generator))
    return examples


def _random_kind(generator: np.random.Generator, pixel_size: float, diameter: float) -> SimulationSettings:
    """Random microscope, ice, crowd and dirt."""
    defocus = float(generator.uniform(*DEFOCUS_MICROMETERS))
    spacing = float(generator.uniform(0.75, 1.2))
    most = 0.38 * (SIDE_PIXELS * pixel_size) ** 2 / (np.pi / 4 * (spacing * diameter) ** 2)
    particles = float(np.exp(generator.uniform(np.log(min(12.0, most)), np.log(most))))
    return SimulationSettings(
        views=VIEWS, shape_pixels=(SIDE_PIXELS, SIDE_PIXELS), pixel_size_angstrom=pixel_size,
        particles_per_micrograph=particles, spacing_diameters=spacing,
        overlap_share=float(generator.uniform(0.0, 0.25)), clustered_share=float(generator.uniform(0.0, 0.6)),
        voltage_kv=float(generator.choice([200.0, 300.0])),
        amplitude_contrast=float(generator.uniform(0.05, 0.14)), defocus_micrometers=(defocus, defocus),
        astigmatism_micrometers=0.05, b_factor_angstrom2=float(generator.uniform(50.0, 400.0)),
        ice_angstrom=float(generator.uniform(200.0, 900.0)), ice_gradient=float(generator.uniform(0.0, 0.5)),
        solvent_noise=float(generator.uniform(0.3, 2.0)), aggregates=float(generator.uniform(0.0, 3.0)),
        fragments=float(generator.uniform(0.0, 50.0)), ice_crystals=float(generator.uniform(0.0, 1.5)),
        carbon_edge=0.25, gold_beads=float(generator.choice([0.0, 0.0, 0.0, 1.5])),
    )  # fmt: skip


def _prepare(made: SimulatedMicrograph, settings: Settings, generator: np.random.Generator) -> Example:
    """As users' micrographs are, with a diameter that is a little off."""
    choice, pixel_size = settings.prepare, made.micrograph.pixel_size_angstrom or 1.0
    wanted = made.diameter_pixels * choice.particle_pixels / generator.uniform(*PARTICLE_PIXELS)
    preparation = Preparation(
        wanted * pixel_size, choice.particle_pixels, choice.high_pass_diameters, choice.clip, particles_are_dark=True
    )
    prepared = preparation.apply(made.micrograph)
    return Example(prepared, prepared.scale.to_rescaled(made.xy))


class Pool:
    """The objective: crops of a rolling pool of micrographs; the step alone decides what is in it."""

    def __init__(self, seed: int, settings: Settings, hardware: Hardware, minutes: float | None) -> None:
        self.seed, self.settings, self.hardware = seed, settings, hardware
        self.stride = int(load_card("models", settings.model.name).STRIDE)
        self.until = None if minutes is None else time.monotonic() + 60 * minutes
        self.molecules: dict[int, list[LearnedMicrograph]] = {}

    def __call__(self, student: nn.Module, _teacher: nn.Module, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch."""
        if self.until is not None and time.monotonic() > self.until:
            raise OutOfTimeError
        settings = self.settings
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        crops = cut_crops(self._fill(step), settings.learn, settings.augment, self.stride, generator)
        crops = add_junk(crops, settings.augment, settings.prepare.particle_pixels, self.stride, generator)
        images = vary_look(crops, settings.augment, settings.prepare.particle_pixels, generator)
        with self.hardware.precision():
            logits = student(self.hardware.send(images)).float()
        return add_losses(logits, crops.targets.to(self.hardware.device), settings.loss.terms, settings.loss)

    def _fill(self, step: int) -> list[LearnedMicrograph]:
        first = step // STEPS_PER_MOLECULE
        numbers = range(first, first + POOL_MOLECULES)
        self.molecules = {number: self.molecules.get(number) or list(self._learned(number)) for number in numbers}
        return [micrograph for number in numbers for micrograph in self.molecules[number]]

    def _learned(self, number: int) -> Iterator[LearnedMicrograph]:
        choice = self.settings.prepare
        for example in make_examples(self.seed, number, self.settings, MICROGRAPHS_PER_MOLECULE):
            prepared = example.prepared
            y, w = paint_targets(prepared, example.xy, choice.particle_pixels, self.settings.targets)
            w = mask_border(w, round(choice.border_diameters * choice.particle_pixels))
            yield LearnedMicrograph(prepared.name, prepared.image, y, w, example.xy)


class _Log:
    """Keeps one line in 50, and the validations."""

    def __init__(self, seed: int) -> None:
        self.seed, self.started = seed, time.process_time()

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] % 50:
            return
        row = {key: round(value, 5) if isinstance(value, float) else value for key, value in event.items()}
        append_json_line(LOG, {**row, "seed": self.seed, "cpu_seconds": round(time.process_time() - self.started, 1)})
        print(row, flush=True)


def _score(
    network: nn.Module, settings: Settings, hardware: Hardware, molecules: list[list[Example]], views: int = 1
) -> tuple[dict[str, float], Picks, Picks, Rules]:
    """Average precision and best F1, pooled over the molecules, in rescaled pixels."""
    choice = settings.prepare
    preparation = Preparation(1.0, choice.particle_pixels, 0.0, choice.clip, particles_are_dark=True)
    picker = Picker(network, settings.model, preparation, settings.pick, hardware)
    picks, truths = [], []
    examples = [example for molecule in molecules for example in molecule]
    for example in examples:
        found = picker.pick(example.prepared, views)
        picks.append(Picks.of_one(example.prepared.name, example.prepared.scale.to_rescaled(found.xy), found.score))
        truths.append(Picks.of_one(example.prepared.name, example.xy))
    pixels = choice.particle_pixels
    shapes = {e.prepared.name: (e.prepared.image.shape[0], e.prepared.image.shape[1]) for e in examples}
    rules = Rules(diameter_pixels=pixels, border_pixels=choice.border_diameters * pixels, shapes=shapes)
    all_picks, truth = Picks.concatenate(picks), Picks.concatenate(truths)
    found = evaluate_picks(all_picks, truth, rules)
    precision = 0.0 if found.curve is None else found.curve.average_precision
    return {"average_precision": precision or 0.0, "best_f1": found.best[0] or 0.0}, all_picks, truth, rules


def write_start(
    folder: Path, network: nn.Module, settings: Settings, hardware: Hardware, held: list[list[Example]]
) -> None:
    """The weights, and the facts about them."""
    scores, picks, truth, rules = _score(network, settings, hardware, held, views=settings.pick.views)
    chosen = choose_threshold(picks, truth, rules, rule="f1")
    save_tensors(folder / "general.safetensors", dict(network.state_dict()), {})
    molecules = (settings.learn.steps - 1) // STEPS_PER_MOLECULE + POOL_MOLECULES
    facts = {
        "name": "general", "made": datetime.now(UTC).date().isoformat(), "made_by": "benchmarks/train_general.py",
        "licence": "BSD-3-Clause", "model": {"name": settings.model.name, "widths": list(_widths(settings))},
        "prepare": settings.prepare.model_dump(mode="json"), "targets": settings.targets.model_dump(mode="json"),
        "loss": settings.loss.model_dump(mode="json"), "learn": settings.learn.model_dump(mode="json"),
        "augment": settings.augment.model_dump(mode="json"), "seed": settings.seed, "molecules": molecules,
        "micrographs": molecules * MICROGRAPHS_PER_MOLECULE, "micrograph_pixels": SIDE_PIXELS,
        "diameter_angstrom": list(DIAMETERS_ANGSTROM), "particle_pixels": list(PARTICLE_PIXELS),
        "signal_to_noise": list(SIGNAL_TO_NOISE), "defocus_micrometers": list(DEFOCUS_MICROMETERS),
        "precision": hardware.describe(), "threshold": chosen.threshold,
        "held_out_molecules": len(held), "held_out_particles": len(truth),
        "held_out_f1": chosen.f1, "held_out_average_precision": scores["average_precision"],
    }  # fmt: skip
    write_json_atomically(folder / "general.json", facts)
    print(facts)


def _widths(settings: Settings) -> tuple[int, ...]:
    return tuple(settings.model.widths or load_card("models", settings.model.name).Settings().widths)


if __name__ == "__main__":
    main()
