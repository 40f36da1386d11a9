"""The gate: what the first network must show before anybody is taught by it, and what is told of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cryoglean.judging import Gate, measure_auc, measure_gate, validate_on
from cryoglean.learn.hardware import find_hardware
from cryoglean.picks import Picks
from cryoglean.prepare.normalize import Preparation, Prepared
from cryoglean.prepare.rescale import Scale
from cryoglean.prepare.split import Region, Split
from cryoglean.recipe import Recipe, Round, run_recipe
from cryoglean.report.wording import gate_checks, say_gate
from cryoglean.settings import resolve_settings
from cryoglean.streams import labelled
from cryoglean.task import Task

SIDE = 160
XY = np.array([[40.0, 40.0], [80.0, 120.0], [120.0, 60.0]])
FAST = (
    "labels.kind=sparse", "learn.steps=2", "learn.crop_pixels=49", "learn.batch=2", "unlabelled.batch=2",
    "learn.precision=float32", "learn.start=random", "model.name=small_cnn_patch", "pick.views=1",
)  # fmt: skip


class Says(nn.Module):
    """Logits that are the picture's own brightness, or its darkness."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, image: Tensor) -> Tensor:
        return self.sign * image[..., ::4, ::4]


def picture(name: str, *, discs: bool = True) -> Prepared:
    """Noise with bright discs at the particles, radius 6 of 20 pixels."""
    image = np.random.default_rng(0).normal(0, 0.1, (SIDE, SIDE))
    y, x = np.mgrid[:SIDE, :SIDE]
    for column, row in XY if discs else ():
        image[np.hypot(y - row, x - column) <= 6] += 2.0
    valid = torch.ones((SIDE, SIDE), dtype=torch.bool)
    return Prepared(name, torch.from_numpy(image.astype(np.float32)), valid, Scale(1.0, 1.0), (SIDE, SIDE))


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """One clicked micrograph, and one held out if asked for."""

    def make(*assignments: str, held: bool = True, tell: Callable[[dict[str, Any]], None] | None = None) -> Task:
        names = ("clicked", "held") if held else ("clicked",)
        return Task(
            resolve_settings([], [*FAST, *assignments]), find_hardware("float32"),
            Preparation(20.0, 20.0, 1.5, 5.0, particles_are_dark=False), {name: picture(name) for name in names},
            Picks.concatenate(Picks.of_one(name, XY) for name in names), Split(("clicked",), names[1:]),
            tell=tell or (lambda _event: None), density=3 / SIDE**2,
        )  # fmt: skip

    return make


HELD = (Region("held"),)


def test_a_network_that_sees_particles_has_an_area_of_one_and_its_opposite_none(
    make_task: Callable[..., Task],
) -> None:
    task = make_task()

    assert measure_auc(task, Says(), HELD) == pytest.approx(1.0)
    assert measure_auc(task, Says(-1.0), HELD) == pytest.approx(0.0)
    assert measure_auc(task, Says(0.0), HELD) == pytest.approx(0.5)


def test_the_ring_and_the_edge_count_for_neither_side(make_task: Callable[..., Task]) -> None:
    """Bright rings and a bright edge change nothing."""
    task = make_task()
    y, x = np.mgrid[:SIDE, :SIDE]
    nearest = np.min([np.hypot(y - row, x - column) for column, row in XY], axis=0)
    is_free = ((nearest > 6) & (nearest <= 10)) | (np.minimum(y, x) < 10)
    image = task.prepared["held"].image + 50 * torch.from_numpy(is_free.astype(np.float32))
    changed = replace(task, prepared={**task.prepared, "held": replace(task.prepared["held"], image=image)})

    assert measure_auc(changed, Says(), HELD) == pytest.approx(1.0)


def test_gaussian_targets_are_judged_by_the_same_discs(make_task: Callable[..., Task]) -> None:
    assert measure_auc(make_task("targets.shape=gaussian"), Says(), HELD) == pytest.approx(1.0)


def test_without_anything_held_out_the_clicks_are_asked_and_it_is_said(make_task: Callable[..., Task]) -> None:
    gate = measure_gate(make_task(held=False), [Says()], [()], 0.6)

    assert gate.measured_on == "clicks"
    assert gate.auc == pytest.approx(1.0)
    assert gate.has_passed


def test_an_unclicked_particle_costs_a_ranking_nothing_on_the_average(make_task: Callable[..., Task]) -> None:
    """Two of three are clicked: what is not corrected is below one by half the third one's share (Menon 2015)."""
    task = make_task(held=False)
    fewer = replace(task, labels=Picks.of_one("clicked", XY[:2]))

    auc = measure_gate(fewer, [Says()], [()], 0.6).auc

    assert auc is not None
    assert auc == pytest.approx(1.0, abs=0.01)


def test_where_nothing_can_be_measured_it_is_not_checked_and_passes(make_task: Callable[..., Task]) -> None:
    task = replace(make_task(held=False), labels=Picks.empty(["clicked"]))

    gate = measure_gate(task, [Says()], [()], 0.6)

    assert (gate.auc, gate.measured_on, gate.has_passed) == (None, "nothing", True)


@pytest.mark.parametrize(("auc", "passes"), [(0.61, True), (0.6, False), (0.2, False)])
def test_it_must_be_above_the_least(auc: float, passes: bool) -> None:  # noqa: FBT001
    gate = Gate(auc, 0.6, "validation")

    assert gate.has_passed == passes
    assert gate.to_json() == {"auc": auc, "least": 0.6, "passed": passes, "measured_on": "validation"}


def test_the_mean_over_folds_is_taken(make_task: Callable[..., Task]) -> None:
    gate = measure_gate(make_task(), [Says(), Says(0.0)], [HELD, HELD], 0.6)

    assert gate.auc == pytest.approx(0.75)


def test_a_validation_tells_the_area_only_where_asked(make_task: Callable[..., Task]) -> None:
    task = make_task()

    plain, more = (validate_on(task, HELD, tells_auc=each)(Says()) for each in (False, True))

    assert set(plain) == {"average_precision", "best_f1"}
    assert more == {**plain, "auc": pytest.approx(1.0)}


@pytest.mark.parametrize(("least", "rounds"), [(0.0, 1), (1.0, 0), (None, 1)])
def test_no_round_begins_behind_a_closed_gate(least: float | None, rounds: int, make_task: Callable[..., Task]) -> None:
    told: list[dict[str, Any]] = []
    recipe = Recipe("toy", "", (labelled(),), (Round(None, (labelled(),), "always"),), least_auc=least)

    trained = run_recipe(recipe, make_task(tell=told.append))

    gates = [event for event in told if event["event"] == "gate"]
    assert len(trained.rounds) == rounds
    assert [event["passed"] for event in gates] == ([] if least is None else [bool(rounds)])
    assert trained.gate == (
        None if least is None else {key: value for key, value in gates[0].items() if key != "event"}
    )
    validations = [event for event in told if event["event"] == "validation"]
    assert all(("auc" in event) == (least is not None) for event in validations)


def summary(auc: float | None, measured_on: str, **more: object) -> dict[str, Any]:
    return {"gate": Gate(auc, 0.6, measured_on).to_json(), **more}


def test_a_closed_gate_says_in_words_what_to_check() -> None:
    said = say_gate(summary(0.52, "validation"))
    checks = " ".join(gate_checks(summary(0.52, "validation")))

    assert said.startswith("The first network does not rank particles above the rest: AUC 0.52 on validation, 0.60 is")
    for word in ("cryoglean show patches MICRO", "--pixel-size-angstrom", "contrast", "number of labels"):
        assert word in checks


def test_of_a_file_of_patches_other_things_are_to_be_checked() -> None:
    shut = summary(0.52, "validation", patches={"positive": 9})
    checks = " ".join(gate_checks(shut))

    assert "AUC 0.52 on held-out patches" in say_gate(shut)
    assert "cryoglean show patches PATCHES" in checks
    assert "number of positive patches" in checks
    assert "MICROGRAPHS" not in checks


def test_an_open_gate_says_where_it_was_measured_and_an_unchecked_one_that_it_was_not() -> None:
    assert "flatters" in say_gate(summary(0.9, "clicks"))
    assert "not checked" in say_gate(summary(None, "nothing"))


@pytest.mark.parametrize("told", [summary(0.9, "validation"), summary(None, "nothing"), {"gate": None}, {}])
def test_where_no_gate_stayed_shut_there_is_nothing_to_check(told: dict[str, Any]) -> None:
    assert gate_checks(told) == ()


@pytest.mark.parametrize("told", [{"gate": None}, {}])
def test_without_a_gate_nothing_is_said(told: dict[str, Any]) -> None:
    assert say_gate(told) == ""
