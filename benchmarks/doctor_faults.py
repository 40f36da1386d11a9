"""Faults planted on purpose, and sound data and trainings: what does the doctor say of each?

    python benchmarks/doctor_faults.py [--only data|training|healthy|notes|fix] [--worker 0 --workers 1]     # resumable
    python benchmarks/write_doctor.py                                                                   # docs/doctor.md

A fault counts as found if one of the checks named for it reports it above a note. A sound case is a false alarm if
anything is reported above a note. `fix` trains with the fault, applies what `cryoglean doctor --fix` writes, trains again,
and compares the average precision on test micrographs with that of the sound training of the same strategy.
"""

# ruff: noqa: E501 (rows of tables)
from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

import cryoglean.phases
import cryoglean.streams
from cryoglean.dataset import Dataset
from cryoglean.doctor.diagnosis import diagnose_data, diagnose_run
from cryoglean.doctor.fixing import mend_settings
from cryoglean.durable import append_json_line, read_json_lines
from cryoglean.errors import CryogleanError
from cryoglean.evaluate.score import Rules, evaluate_picks
from cryoglean.finding import Finding
from cryoglean.io.micrographs import read_micrograph
from cryoglean.learn.checkpoint import load_tensors, save_tensors
from cryoglean.picking import load_picker
from cryoglean.picks import Picks
from cryoglean.pipeline import train
from cryoglean.run import Run
from cryoglean.settings import Settings, choose_settings
from doctor_data import Plant, clicked, copied, from_real, moved, relabelled, rewritten, sized, sound
from real_data import apoferritin, beta_galactosidase, real_benches

RESULTS = Path(__file__).parent / "results" / "doctor.jsonl"
Row = dict[str, Any]
Sabotage = Callable[[], contextlib.AbstractContextManager[object]]

FAST = (
    "learn.steps=150", "learn.crop_pixels=128", "learn.validate_every=25", "monitor.every=10", "pick.views=2",
    "learn.start=random", "strategy=supervised",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A fault, or none.

    Args:
        name: in the table.
        group: as the checks have it, or `healthy`.
        expected: checks that may find it; none for sound cases.
        data: molecule, or a real set.
        plant: what is done to the data.
        settings: beside `FAST`.
        sabotage: what is done to the program while it trains.
        after: what is done to the finished run.
        trains: whether anything is trained, or only data looked at.
        preset: in place of `FAST`.
    """

    name: str
    group: str
    expected: tuple[str, ...] = ()
    data: str = "tetramer"
    plant: Plant | None = None
    settings: tuple[str, ...] = ()
    sabotage: Sabotage = contextlib.nullcontext
    after: Callable[[Run], None] | None = None
    trains: bool = False
    preset: str | None = None

    def choose(self) -> Settings:
        """All of its settings; a preset stands alone."""
        if self.preset is not None:
            return choose_settings(preset=self.preset, assignments=self.settings)
        return choose_settings(assignments=(*FAST, *self.settings))


# -- sabotage ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """The first layers never learn."""
    start = cryoglean.phases.start_network

    def make(settings: Settings) -> nn.Module:
        network = start(settings)
        for each in network.stem.parameters():
            each.requires_grad_(requires_grad=False)
        return network

    with mock.patch.object(cryoglean.phases, "start_network", make):
        yield


def turned(turn: Callable[[Tensor], Tensor]) -> Sabotage:
    """Unlabelled crops are turned, and their targets are not."""

    @contextlib.contextmanager
    def change() -> Iterator[None]:
        see = cryoglean.streams._see

        def wrong(*words: Any) -> Any:
            images, targets = see(*words)
            return turn(images), targets

        with mock.patch.object(cryoglean.streams, "_see", wrong):
            yield

    return change


@contextlib.contextmanager
def detached() -> Iterator[None]:
    """The unlabelled loss has no gradient, as in a widely used benchmark's Mean Teacher."""
    add = cryoglean.streams.add_losses

    def cut(logits: Tensor, targets: Any, losses: Any, settings: Any) -> Any:
        return add(logits if losses != ("bce",) else logits.detach(), targets, losses, settings)

    with mock.patch.object(cryoglean.streams, "add_losses", cut):
        yield


@contextlib.contextmanager
def overflowing() -> Iterator[None]:
    """Every tenth gradient is infinite though the loss is finite: the root of 0."""
    join = cryoglean.phases.join_streams

    def make(*words: Any) -> Any:
        objective = join(*words)

        def broken(student: nn.Module, teacher: nn.Module, step: int) -> Any:
            terms, facts = objective(student, teacher, step)
            if step % 10 == 3:
                name = next(iter(terms))
                terms[name] = terms[name] + torch.sqrt(terms[name] - terms[name].detach())
            return terms, facts

        return broken

    with mock.patch.object(cryoglean.phases, "join_streams", make):
        yield


def kill_units(run: Run) -> None:
    """Half of the units of every level always say 0."""
    tensors, facts = load_tensors(run.weights_file)
    for name, value in tensors.items():
        if name.endswith(".1.weight") or name.endswith(".1.bias"):
            value[: len(value) // 2] = 0.0
    save_tensors(run.weights_file, tensors, facts)


def blow_up(run: Run) -> None:
    """The last layer's weights grow a hundredfold, so that eight bits are too few."""
    tensors, facts = load_tensors(run.weights_file)
    for name, value in tensors.items():
        if name.startswith("fine.1."):
            value *= 100
    save_tensors(run.weights_file, tensors, facts)


# -- cases ---------------------------------------------------------------------------------------------------------

TURNED, SPARSE = ("orientation", "outside"), ("labels.kind=sparse", "strategy=nnpu")
SEMI = ("learn.steps=100", "learn.start=general", "strategy=recommended")


def _data(name: str, expected: tuple[str, ...], plant: Plant, *settings: str, **more: Any) -> Case:
    return Case(name, "data", expected, plant=plant, settings=settings, **more)


def _trained(name: str, group: str, expected: tuple[str, ...], *settings: str, **more: Any) -> Case:
    return Case(name, group, expected, settings=settings, trains=True, **more)


DATA = (
    _data("y counted from the other edge", ("orientation",), moved("flip_y")),
    _data("x counted from the other edge", ("orientation",), moved("flip_x")),
    _data("x and y swapped", TURNED, moved("swap")),
    _data("x and y swapped, y from the other edge", TURNED, moved("swap+flip_y")),
    _data("turned by half a circle", ("orientation",), moved("flip_x+flip_y")),
    _data("coordinates of micrographs binned by 2", ("orientation",), moved("scale=2")),
    _data("coordinates of micrographs binned by 4", ("orientation",), moved("scale=4")),
    _data("coordinates of unbinned micrographs", TURNED, moved("scale=0.5")),
    _data("diameter in pixels instead of angstrom", ("diameter",), sized(in_pixels=True)),
    _data("diameter three times too large", ("diameter", "density"), sized(diameter=3.0)),
    _data("diameter a third", ("diameter",), sized(diameter=1 / 3)),
    _data("pixel size twice that of the header", ("pixel_size",), sized(pixel=2.0)),
    _data("pixel size in nanometres", ("pixel_size", "unreadable"), sized(pixel=0.02)),
    _data("labels shuffled between micrographs", ("on_nothing",), relabelled("shuffled")),
    _data("labels at random", ("on_nothing",), relabelled("random")),
    _data("labels of one micrograph mixed up", ("some_on_nothing",), relabelled("mixed_up")),
    _data("validation inverted", ("contrast",), rewritten("validation", "inverted")),
    _data("one labelled micrograph inverted", ("contrast",), rewritten("train", "inverted", only_first=True)),
    _data("unlabelled inverted", ("contrast",), rewritten("unlabelled", "inverted")),
    _data("prepare.contrast set wrongly", ("contrast",), lambda data, _: data, "prepare.contrast=light"),
    _data("validation stored as bytes", ("processing",), rewritten("validation", "bytes")),
    _data("unlabelled denoised", ("processing",), rewritten("unlabelled", "blurred")),
    _data("an unlabelled micrograph without contrast", ("unreadable",), rewritten("unlabelled", "constant", only_first=True)),
    _data("a labelled file cut off", ("unreadable",), rewritten("train", "cut_off", only_first=True)),
    _data("pixels that are no numbers", ("missing_pixels",), rewritten("train", "nan", only_first=True)),
    _data("a test micrograph in train", ("duplicates",), copied("test")),
    _data("a validation micrograph in train", ("duplicates",), copied("validation")),
    _data("another exposure of a train field in test", ("duplicates",), copied("test", noise=0.5)),
    _data("labels twice, with a jitter", ("double_labels",), relabelled("double")),
    _data("a labelled micrograph nobody looked at", ("empty_micrographs",), relabelled("bare")),
    _data("seven labels", ("few_labels",), relabelled("few")),
    _data("a labelled micrograph of another magnification", ("odd_micrographs", "some_on_nothing"),
          rewritten("train", "noise", only_first=True)),
    _data("number of particles x 4", ("prior",), clicked(60), *SPARSE, "labels.per_micrograph=180"),
    _data("number of particles x 0.25", ("prior",), clicked(60), *SPARSE, "labels.per_micrograph=11"),
    _data("the notes' prior of .197", ("prior",), clicked(60), *SPARSE, "loss.prior=0.197"),
    _data("β-galactosidase upside down", ("orientation",), moved("flip_y"), data="bgal"),
    _data("β-galactosidase, x and y swapped", ("orientation",), moved("swap"), data="bgal"),
    _data("apoferritin k = 0.05 upside down", TURNED, moved("flip_y"), data="apoferritin_k0.05"),
    _data("apoferritin k = 0.05, binned by 2", ("orientation",), moved("scale=2"), data="apoferritin_k0.05"),
    _data("apoferritin k = 0.1, shuffled", ("on_nothing", "some_on_nothing"), relabelled("shuffled"),
          data="apoferritin_k0.1"),
)  # fmt: skip

NAIVE = ("strategy=fixmatch_naive", "options.weight=12", "monitor.rolls_back=false", "learn.start=random")
TRAINING = (
    _trained("learning rate x 1000", "training", ("learning_rate",), "learn.learning_rate=5"),
    _trained("learning rate / 1000", "training", ("learning_rate",), "learn.learning_rate=5e-6"),
    _trained("first layers frozen", "training", ("frozen_layer",), sabotage=frozen),
    _trained("gradients overflow", "training", ("not_a_number",), sabotage=overflowing),
    _trained("averaged weights too slow", "training", ("slow_average",), "learn.ema_decay=0.9995"),
    _trained("batches of one crop", "training", ("small_batches",), "learn.batch=1"),
    _trained("too few steps", "training", ("few_steps", "nothing_found"), "learn.steps=40", "learn.validate_every=20"),
    _trained("dead units", "training", ("dead_units",), after=kill_units),
    _trained("weights too large for bfloat16", "training", ("precision",), after=blow_up),
    _trained("30 % of the labels missing", "labels", ("incomplete_labels",), "learn.start=general",
             plant=relabelled("missing")),
    _trained("unlabelled crops mirrored, targets not", "pseudo-labels", ("misaligned_views",), *SEMI,
             sabotage=turned(lambda images: images.flip(-1))),
    _trained("unlabelled crops turned, targets not", "pseudo-labels", ("misaligned_views",), *SEMI,
             sabotage=turned(lambda images: torch.rot90(images, 1, (-2, -1)))),
    _trained("unlabelled loss detached", "pseudo-labels", ("unlabelled_gradient",), *SEMI, sabotage=detached),
    _trained("unlabelled weight x 100", "pseudo-labels", ("unlabelled_gradient",), *SEMI, "unlabelled.weight=100",
             "monitor.rolls_back=false"),
    _trained("threshold .95, network never that sure", "pseudo-labels", ("class_usage",), "strategy=fixmatch",
             "options.variant=notes", "options.trust_above=0.95", "learn.learning_rate=3e-4", "learn.steps=100"),
    _trained("particle only above .98", "pseudo-labels", ("pseudo_share", "class_usage"), *SEMI, "strategy=low_threshold",
             "options.particle_above=0.98", "learn.start=random"),
    _trained("particle from .02 on", "pseudo-labels", ("pseudo_share", "pseudo_quality"), *SEMI, "strategy=low_threshold",
             "options.particle_above=0.02", "learn.start=random"),
    _trained("0.70 / 0.70 with background fill", "pseudo-labels", ("pseudo_share", "collapse", "class_usage"), *NAIVE),
    _trained("validation of other micrographs", "outcome", ("nothing_found", "some_on_nothing", "on_nothing"),
             "learn.start=general", plant=lambda data, _: _shuffle_validation(data)),
    _trained("unlabelled blurred, network blind there", "outcome", ("fewer_on_unlabelled", "processing"), "learn.start=general",
             plant=rewritten("unlabelled", "blurred")),
)  # fmt: skip

HEALTHY = (
    *(Case(f"{molecule}, before training", "healthy", data=molecule)
      for molecule in ("tetramer", "globule", "channel", "ferritin", "antibody", "ribosome")),
    *(Case(f"{data}, before training", "healthy", data=data)
      for data in ("bgal", "apoferritin_k0.05", "apoferritin_k0.1")),
    Case("tetramer, clicks and a number", "healthy", plant=clicked(60), settings=(*SPARSE, "labels.per_micrograph=40")),
    *(Case(f"{molecule}, supervised from a random start", "healthy", data=molecule, trains=True)
      for molecule in ("tetramer", "globule", "channel", "ferritin")),
    Case("tetramer, supervised from the general start", "healthy", trains=True, settings=("learn.start=general",)),
    *(Case(f"tetramer, {strategy}", "healthy", trains=True, settings=(*SEMI, f"strategy={strategy}"))
      for strategy in ("recommended", "fixmatch", "mean_teacher", "pseudo_label", "class_balanced", "prior_teacher")),
    Case("globule, recommended", "healthy", data="globule", trains=True, settings=SEMI),
    Case("bgal, supervised", "healthy", data="bgal", trains=True, settings=("learn.start=general",)),
    Case("apoferritin_k0.1, recommended", "healthy", data="apoferritin_k0.1", trains=True, settings=SEMI),
    Case("tetramer, nnpu from clicks", "healthy", trains=True, plant=clicked(60),
         settings=(*SEMI, "labels.kind=sparse", "strategy=nnpu")),
    Case("tetramer, pu_pseudo from clicks", "healthy", trains=True, plant=clicked(60),
         settings=(*SEMI, "labels.kind=sparse", "strategy=pu_pseudo")),
)  # fmt: skip

PATCHES = (
    "model.name=small_cnn_patch", "learn.steps=150", "learn.batch=32", "unlabelled.batch=32", "learn.validate_every=50",
    "monitor.every=10", "pick.views=2",
)  # fmt: skip
NOTES = (
    _trained("seed 003 before its \"critical fix\": labels and trust both at 0.70, the rest is background; pseudo-labels weigh 12 times",
             "notes", ("pseudo_share", "recall_collapse", "collapse"), *NAIVE),
    _trained("the same on apoferritin k = 0.05", "notes", ("recall_collapse", "collapse", "pseudo_share"), *NAIVE, "learn.steps=200",
             "learn.validate_every=50", data="apoferritin_k0.05"),
    _trained("seed 003 after it: labels at 0.50, trust at 0.70; the student teaches itself; weight 12",
             "notes", ("pseudo_share", "recall_collapse", "collapse"), "strategy=fixmatch", "options.variant=notes", "unlabelled.weight=12",
             "monitor.rolls_back=false"),
    _trained("seed 004, configs/fixmatch_pu_debugged.yaml (prior .197, threshold .75, rate 5e-5), small CNN, 150 steps",
             "notes", ("learning_rate", "prior"), *PATCHES, plant=clicked(60), preset="fixmatch_pu_debugged"),
    _trained("seed 004, configs/fixmatch_pu_fixed_v2.yaml (rate 1e-5), small CNN, 150 steps",
             "notes", ("learning_rate", "prior"), *PATCHES, plant=clicked(60), preset="fixmatch_pu_fixed_v2"),
)  # fmt: skip
"""The source notes' own settings, on sound data."""

RANDOM = ()
FIX = {
    "learning rate x 1000": RANDOM,
    "learning rate / 1000": RANDOM,
    "averaged weights too slow": RANDOM,
    "batches of one crop": RANDOM,
    "too few steps": RANDOM,
    "30 % of the labels missing": ("learn.start=general",),
    "unlabelled weight x 100": SEMI,
    "particle only above .98": (*SEMI, "learn.start=random"),
    "particle from .02 on": (*SEMI, "learn.start=random"),
    "0.70 / 0.70 with background fill": ("strategy=recommended",),
    "prepare.contrast set wrongly": RANDOM,
    "number of particles x 4": (*SPARSE,),
}
"""Faults that settings can mend, and the settings of the sound training that each is compared with."""


def _shuffle_validation(data: Dataset) -> Dataset:
    names = data.names("validation")
    turn = {names[0]: names[1], names[1]: names[0]}
    moved_names = [turn.get(str(name), str(name)) for name in data.labels.micrograph]
    return replace(data, labels=replace(data.labels, micrograph=np.array(moved_names)))


def make_data(case: Case, folder: Path) -> tuple[Dataset, Picks]:
    """The data of a case with its fault, and all true particles."""
    if case.data == "bgal" or case.data.startswith("apoferritin"):
        bench = (
            beta_galactosidase() if case.data == "bgal" else apoferritin(float(case.data.removeprefix("apoferritin_k")))
        )
        data, truth = from_real(bench), bench.truth
    else:
        data, truth = sound(case.data)
    return (data if case.plant is None else case.plant(data, folder)), truth


def diagnose(case: Case, folder: Path) -> tuple[tuple[Finding, ...], Run | None]:
    """What the doctor says of a case."""
    data, _ = make_data(case, folder / "files")
    settings = case.choose()
    if not case.trains:
        return diagnose_data(data, settings)[0], None
    run = Run(folder / "run")
    with case.sabotage(), contextlib.suppress(CryogleanError):
        train(data, settings, run)
    if case.after is not None:
        case.after(run)
    return diagnose_run(run), run


def run_case(case: Case) -> Row:
    """One row of the table."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        findings, _ = diagnose(case, Path(folder))
    serious = {one.check: one.severity for one in findings if one.severity != "note"}
    is_found = any(name in serious for name in case.expected) if case.expected else not serious
    return {
        "case": case.name, "group": case.group, "expected": list(case.expected), "is_right": is_found,
        "findings": serious, "notes": [one.check for one in findings if one.severity == "note"],
        "all": [one.to_json() for one in findings if one.severity != "note"] if case.group == "notes" else [],
        "symptom": next((one.symptom for one in findings if one.check in (case.expected or serious)), ""),
        "cpu_seconds": round(time.process_time() - started, 1),
    }  # fmt: skip


def run_fix(case: Case, sound_settings: tuple[str, ...]) -> Row:
    """Train with the fault, mend, train again; and the sound training."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, truth = make_data(case, folder / "files")
        settings = case.choose()
        run = Run(folder / "run")
        with case.sabotage(), contextlib.suppress(CryogleanError):
            train(data, settings, run)
        has_trained = run.is_finished
        findings = diagnose_run(run) if run.settings_file.exists() else diagnose_data(data, settings)[0]
        mended, reasons = mend_settings(settings, findings)
        again, whole = Run(folder / "again"), Run(folder / "sound")
        train(data, mended, again)
        clean, _ = make_data(case if case.settings[:1] == SPARSE[:1] else replace(case, plant=None), folder / "clean")
        train(clean, choose_settings(assignments=(*FAST, *sound_settings)), whole)
        scores = [test(one, data, truth) for one in ([run] if has_trained else []) + [again, whole]]
    before = scores[0] if has_trained else None
    return {
        "case": case.name, "group": "fix", "changed": reasons, "before": before, "mended": scores[-2], "sound": scores[-1],
        "is_right": scores[-2]["average_precision"] >= scores[-1]["average_precision"] - 0.02,
    }  # fmt: skip


def test(run: Run, data: Dataset, truth: Picks) -> dict[str, float]:
    """F1 and average precision on the test micrographs."""
    picker, threshold = load_picker(run)
    names = data.names("test")
    micrographs = [read_micrograph(data.paths[name], data.pixel_size_angstrom) for name in names if name != "copy"]
    picks = Picks.concatenate(picker.pick_micrograph(one) for one in micrographs)
    assert truth.diameter_pixels is not None
    diameter = float(truth.diameter_pixels[0])
    shapes = {one.name: one.shape for one in micrographs}
    rules = Rules(diameter_pixels=diameter, border_pixels=diameter / 2, shapes=shapes)
    found = evaluate_picks(picks, truth.of(shapes), rules, threshold=threshold).to_json()
    return {"f1": round(found["f1"] or 0.0, 4), "average_precision": round(found["average_precision"] or 0.0, 4)}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("data", "training", "healthy", "notes", "fix"))
    parser.add_argument("--again", nargs="*", default=[], help="cases to run although there is a row")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker", type=int, default=0)
    arguments = parser.parse_args()
    kinds = {"data": DATA, "training": TRAINING, "healthy": HEALTHY, "notes": NOTES}
    done = {(row["case"], row["group"]) for row in read_json_lines(RESULTS)}
    work: list[tuple[Case, Callable[[], Row]]] = [
        (case, lambda case=case: run_case(case))  # type: ignore[misc]
        for kind, cases in kinds.items() if arguments.only in (None, kind)
        for case in cases if (case.name, case.group) not in done or case.name in arguments.again
    ]  # fmt: skip
    if arguments.only in (None, "fix"):
        known = {case.name: case for case in (*DATA, *TRAINING)}
        work += [
            (known[name], lambda name=name, sound_settings=sound_settings: run_fix(known[name], sound_settings))  # type: ignore[misc]
            for name, sound_settings in FIX.items() if (name, "fix") not in done or name in arguments.again
        ]  # fmt: skip
    has_real = bool(real_benches())
    for place, (case, make) in enumerate(work):
        is_real = case.data == "bgal" or case.data.startswith("apoferritin")
        if place % arguments.workers != arguments.worker or (is_real and not has_real):
            continue
        row = make()
        append_json_line(RESULTS, row)
        print(
            {
                key: row[key]
                for key in ("case", "is_right", "findings", "changed", "before", "mended", "sound")
                if key in row
            },
            flush=True,
        )


if __name__ == "__main__":
    main()
