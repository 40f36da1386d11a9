"""The training loop, the averaged network, the schedule and checkpoints."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cryoglean.errors import RunError
from cryoglean.learn.checkpoint import load_tensors, save_tensors
from cryoglean.learn.hardware import Hardware
from cryoglean.learn.loop import LoopPlan, fit
from cryoglean.learn.schedule import learning_rate
from cryoglean.learn.teacher import AveragedNetwork
from cryoglean.settings import LearnSettings

CPU = Hardware(torch.device("cpu"), half=False)
SETTINGS = LearnSettings(steps=30, validate_every=10, learning_rate=0.05, ema_decay=0.5, checkpoint_every_seconds=0.0)


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))


def objective(student: nn.Module, _teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Learn to say the negative picture."""
    generator = torch.Generator().manual_seed(micro_step)
    picture = torch.randn(4, 1, 8, 8, generator=generator)
    return {"labelled": (student(picture) + picture).square().mean()}, {"extra": float(micro_step)}


def train(settings: LearnSettings = SETTINGS, **plan: Any) -> tuple[Any, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    fitted = fit(make_network(), objective, settings, CPU, LoopPlan(events.append, **plan))
    return fitted, events


def test_the_loss_falls_and_every_step_is_told() -> None:
    _, events = train()

    assert [event["step"] for event in events] == list(range(1, 31))
    assert events[-1]["loss"] < 0.3 * events[0]["loss"]
    assert set(events[0]) >= {"loss", "extra", "gradient_norm", "learning_rate", "phase"}


def test_the_same_start_gives_the_same_weights() -> None:
    first, second = (train()[0].network.state_dict() for _ in range(2))

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_weights_of_the_best_validation_are_kept() -> None:
    scores = iter([0.2, 0.9, 0.4])

    fitted, events = train(validate=lambda _: {"average_precision": next(scores)})

    assert (fitted.best_step, fitted.best_score) == (20, 0.9)
    assert [event["is_best"] for event in events if event["event"] == "validation"] == [True, True, False]


def test_or_those_of_the_last_step() -> None:
    fitted, _ = train(validate=lambda _: {"average_precision": 0.0}, keeps_best=False)

    assert fitted.best_step == 30


@pytest.mark.parametrize("stop_after", [1, 9, 10, 17])
def test_a_training_that_stops_anywhere_is_resumed_to_the_same_weights(tmp_path: Path, stop_after: int) -> None:
    file = tmp_path / "c.safetensors"
    scores = {10: 0.5, 20: 0.9, 30: 0.6}

    class StopError(Exception):
        pass

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == stop_after + 1:
            raise StopError

    def make_plan(tell: Any, *, resumes: bool) -> LoopPlan:
        count = {"step": 0}

        def remember(event: dict[str, Any]) -> None:
            count["step"] = event["step"]
            tell(event)

        validate = lambda _: {"average_precision": scores[count["step"]]}  # noqa: E731
        return LoopPlan(remember, validate, "a", file, resumes)

    with pytest.raises(StopError):
        fit(make_network(), objective, SETTINGS, CPU, make_plan(stop, resumes=False))
    resumed = fit(make_network(), objective, SETTINGS, CPU, make_plan(lambda _: None, resumes=True))
    file.unlink()
    whole = fit(make_network(), objective, SETTINGS, CPU, make_plan(lambda _: None, resumes=False))

    assert resumed.best_step == whole.best_step == 20
    expected = whole.network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.network.state_dict().items())


def test_accumulated_micro_steps_see_different_batches() -> None:
    _, events = train(SETTINGS.model_copy(update={"accumulate": 3, "steps": 4}))

    assert [event["extra"] for event in events] == [1.0, 4.0, 7.0, 10.0]


def test_a_gradient_that_overflows_is_not_learned_from() -> None:
    """Sqrt at 0 has an infinite gradient though the loss is finite."""

    def broken(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        terms, said = objective(student, teacher, micro_step)
        loss = terms["labelled"]
        return {"labelled": loss + torch.sqrt(loss - loss.detach()) if micro_step == 3 else loss}, said

    events: list[dict[str, Any]] = []
    fitted = fit(make_network(), broken, SETTINGS, CPU, LoopPlan(lambda event: events.append(event)))

    assert len(events) == 30
    assert [event["step"] for event in events if event["gradient_norm"] == -1.0] == [4]
    assert all(bool(torch.isfinite(value).all()) for value in fitted.network.state_dict().values())


def test_a_loss_that_is_not_a_number_stops_the_training_with_advice() -> None:
    def broken(student: nn.Module, teacher: nn.Module, micro_step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        terms, said = objective(student, teacher, micro_step)
        return {"labelled": terms["labelled"] * math.nan}, said

    with pytest.raises(RunError, match=r"step 1 is not a number.*learning_rate"):
        fit(make_network(), broken, SETTINGS, CPU, LoopPlan(lambda _: None))


@pytest.mark.parametrize("schedule", ["poly", "onecycle"])
def test_the_learning_rate_rises_to_its_highest_and_falls_to_nearly_nothing(schedule: str) -> None:
    settings = LearnSettings(steps=100, learning_rate=0.01, schedule=schedule)  # type: ignore[arg-type]

    rates = [learning_rate(step, settings) for step in range(100)]

    assert max(rates) == pytest.approx(0.01, rel=0.06)
    assert rates[0] < 0.5 * max(rates)
    assert rates[-1] < 0.02 * max(rates)
    assert all(rate > 0 for rate in rates)


@pytest.mark.parametrize("step", [9, 49, 98])
def test_the_average_is_the_plain_mean_at_first(step: int) -> None:
    """checks.md U6: min(1 - 1 / (t + 1), .99) is the cumulative mean until step 99."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(step + 1, generator=generator, dtype=torch.float64)
    network = nn.Linear(1, 1, bias=False).double()
    average = AveragedNetwork(network, 0.99)
    for time, value in enumerate(values):
        network.weight.data.fill_(value)
        average.update(network, time)

    assert float(average.network.weight) == pytest.approx(float(values.mean()), abs=1e-12)


def test_the_averaged_network_has_averaged_statistics_too() -> None:
    """checks.md U7: without its buffers the average differs from the network by about 1 in evaluation."""
    network = make_network()
    average = AveragedNetwork(network, 0.9)
    for step in range(200):
        network.train()
        network(torch.randn(8, 1, 8, 8) * 3 + 5)
        average.update(network, step)
    picture = torch.randn(4, 1, 8, 8) * 3 + 5

    gap = (average.network(picture) - network.eval()(picture)).abs().mean()

    assert float(gap.detach()) < 0.05
    assert not average.network.training


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.safetensors").write_bytes(b"rubbish")

    with pytest.raises(RunError, match="not a file of cryoglean's weights"):
        load_tensors(tmp_path / "c.safetensors")
    with pytest.raises(RunError, match="missing"):
        load_tensors(tmp_path / "none.safetensors")


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    train(checkpoint_file=file)

    with pytest.raises(RunError, match="another network"):
        fit(nn.Conv2d(1, 1, 3, padding=1), objective, SETTINGS, CPU, LoopPlan(lambda _: None, None, "a", file, True))


def test_facts_are_kept_beside_the_tensors(tmp_path: Path) -> None:
    save_tensors(tmp_path / "a.safetensors", {"x": torch.arange(3)}, {"step": 4, "best": None})

    tensors, facts = load_tensors(tmp_path / "a.safetensors")

    assert facts == {"step": 4, "best": None}
    assert tensors["x"].tolist() == [0, 1, 2]
