"""A training that is watched: what is measured inside a step, and a collapse that is undone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from test_loop import CPU, SETTINGS, make_network, objective
from torch import Tensor, nn

from cryoglean.health import has_collapsed
from cryoglean.learn.inspection import UNLABELLED_WEIGHT
from cryoglean.learn.loop import LoopPlan, fit
from cryoglean.settings import MonitorSettings

WATCH = MonitorSettings(every=10, rolls_back=True)


def both(factor: float = 1.0, *, is_detached: bool = False) -> Any:
    """The labelled term, and `factor` times the same as if no person had labelled it."""

    def terms(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        said, facts = objective(student, teacher, micro_step)
        other = factor * said["labelled"]
        return {**said, "pseudo": other.detach() if is_detached else other}, facts

    return terms


def watch(chosen: Any = objective, **plan: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    fit(make_network(), chosen, SETTINGS, CPU, LoopPlan(events.append, watch=WATCH, **plan))
    return events


def looks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "monitor"]


def test_every_tenth_step_is_looked_into_layer_by_layer() -> None:
    found = looks(watch())

    assert [event["step"] for event in found] == [1, 11, 21]
    assert list(found[0]["layers"]) == ["0", "2"]
    assert all(gradient > 0 and 0 < moved < 1 for event in found for gradient, moved in event["layers"].values())


def test_without_a_wish_nothing_is_looked_into() -> None:
    events: list[dict[str, Any]] = []
    fit(make_network(), objective, SETTINGS, CPU, LoopPlan(events.append))

    assert not looks(events)


def test_a_look_changes_no_weight() -> None:
    plain, watched = (
        fit(make_network(), both(), SETTINGS, CPU, LoopPlan(lambda _: None, watch=how)).network.state_dict()
        for how in (MonitorSettings(every=0), WATCH)
    )

    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_a_layer_without_gradient_is_seen() -> None:
    network = make_network()
    network[0].weight.requires_grad_(requires_grad=False)  # type: ignore[index]
    events: list[dict[str, Any]] = []
    fit(network, objective, SETTINGS, CPU, LoopPlan(events.append, watch=WATCH))

    assert tuple(looks(events)[1]["layers"]["0"]) == (0.0, 0.0)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_pull_of_unlabelled_terms_is_their_share_of_the_gradient(factor: float) -> None:
    (first, *_) = looks(watch(both(factor)))

    assert first["unlabelled_share"] == pytest.approx(factor, rel=1e-4)
    assert first["unlabelled_cosine"] == pytest.approx(1.0, abs=1e-5)


def test_terms_that_pull_against_each_other_have_a_negative_cosine() -> None:
    (first, *_) = looks(watch(both(-0.5)))

    assert first["unlabelled_cosine"] == pytest.approx(-1.0, abs=1e-5)


def test_a_detached_term_pulls_not_at_all() -> None:
    assert all(event["unlabelled_share"] == 0.0 for event in looks(watch(both(is_detached=True))))


def test_one_kind_of_terms_alone_has_no_share() -> None:
    def guessed(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        said, facts = objective(student, teacher, micro_step)
        return {"pseudo": said["labelled"]}, facts

    assert all("unlabelled_share" not in event for chosen in (objective, guessed) for event in looks(watch(chosen)))


def validate(scores: dict[int, float], step: dict[str, int]) -> Any:
    return lambda _network: {"average_precision": scores[step["now"]]}


def train_with(scores: dict[int, float], terms: Any = None, **plan: Any) -> tuple[list[dict[str, Any]], Any]:
    events: list[dict[str, Any]] = []
    step = {"now": 0}

    def tell(event: dict[str, Any]) -> None:
        step["now"] = event["step"]
        events.append(event)

    memory = plan.pop("memory", {})
    how = LoopPlan(tell, validate(scores, step), watch=plan.pop("watch", WATCH), memory=memory, **plan)
    return events, fit(make_network(), terms or both(), SETTINGS, CPU, how)


def test_a_collapse_goes_back_to_the_best_weights_and_halves_the_unlabelled_weight() -> None:
    memory: dict[str, tuple[float, ...]] = {}
    events, fitted = train_with({10: 0.8, 20: 0.1, 30: 0.7}, memory=memory)

    (back,) = [event for event in events if event["event"] == "rolled_back"]
    assert (back["step"], back["to_step"], back["best"], back["average_precision"]) == (20, 10, 0.8, 0.1)
    assert back["unlabelled_weight"] == 0.5
    assert memory[UNLABELLED_WEIGHT] == (0.5,)
    assert fitted.best_score == 0.8


@pytest.mark.parametrize(
    ("terms", "how"),
    [(objective, WATCH), (both(), MonitorSettings(every=0, rolls_back=False))],
    ids=["labels alone", "not wished"],
)
def test_nothing_is_undone(terms: Any, how: MonitorSettings) -> None:
    events, _ = train_with({10: 0.8, 20: 0.1, 30: 0.1}, terms, watch=how)

    assert not [event for event in events if event["event"] == "rolled_back"]


def test_after_a_roll_back_a_killed_training_is_resumed_to_the_same_weights(tmp_path: Path) -> None:
    scores = {10: 0.8, 20: 0.1, 30: 0.7}

    class StopError(Exception):
        pass

    def stopping(student: nn.Module, teacher: nn.Module, micro_step: int) -> Any:
        if micro_step == 25:
            raise StopError
        return both()(student, teacher, micro_step)

    whole = train_with(scores)[1].network.state_dict()
    file = tmp_path / "c.safetensors"
    with pytest.raises(StopError):
        train_with(scores, stopping, checkpoint_file=file)
    memory: dict[str, tuple[float, ...]] = {}
    resumed = train_with(scores, checkpoint_file=file, resumes=True, memory=memory)[1].network.state_dict()

    assert memory[UNLABELLED_WEIGHT] == (0.5,)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.8, 0.7, 0.75], False), ([0.8, 0.5], False), ([0.8, 0.5, 0.5], True), ([0.8, 0.3], True),
        ([0.05, 0.01], False), ([], False), ([0.8, 0.5, 0.6], False),
    ],
)  # fmt: skip
def test_a_collapse_is_half_at_once_or_a_third_twice(scores: list[float], *, expected: bool) -> None:
    assert has_collapsed(scores) is expected


def test_an_overflow_in_a_step_that_is_looked_into_is_told_and_written_as_json() -> None:
    def broken(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        said, facts = both()(student, teacher, micro_step)
        loss = said["labelled"]
        return {**said, "labelled": loss + torch.sqrt(loss - loss.detach()) if micro_step == 10 else loss}, facts

    found = looks(watch(broken))

    json.dumps(found, allow_nan=False)
    assert all(gradient == -1.0 for gradient, _ in found[1]["layers"].values())
    assert "unlabelled_share" not in found[1]
    assert found[2]["layers"]["0"][0] > 0


def test_what_only_some_micro_steps_tell_is_averaged_over_those() -> None:
    def telling(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        said, facts = objective(student, teacher, micro_step)
        return said, {**facts, **({"now_and_then": 0.8} if micro_step % 10 == 0 else {})}

    events: list[dict[str, Any]] = []
    settings = SETTINGS.model_copy(update={"accumulate": 4, "steps": 10})
    fit(make_network(), telling, settings, CPU, LoopPlan(events.append))

    told = [event["now_and_then"] for event in events if "now_and_then" in event]
    assert told == pytest.approx([0.8] * 4)


def test_a_second_collapse_is_undone_too_and_guesses_of_the_first_are_forgotten() -> None:
    memory: dict[str, tuple[float, ...]] = {"labeller.0": (3.0,)}

    events, fitted = train_with({10: 0.8, 20: 0.05, 30: 0.05}, memory=memory)

    assert [event["unlabelled_weight"] for event in events if event["event"] == "rolled_back"] == [0.5, 0.25]
    assert memory == {UNLABELLED_WEIGHT: (0.25,)}
    assert fitted.unlabelled_weight == 0.25
