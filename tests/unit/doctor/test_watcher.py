"""The doctor listens to a training: what its events show is said at once, and once."""

from typing import Any

from cryoglean.doctor.diagnosis import Watcher
from cryoglean.doctor.examine import live_checks
from cryoglean.settings import Settings
from doctor.making import dataset, monitor, step, validation


def listen(*events: dict[str, Any]) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    watcher = Watcher(Settings(), dataset(), heard.append)
    for event in events:
        watcher(event)
    return heard


def test_everything_is_passed_on() -> None:
    events = [step(1), monitor(1), validation(1, 0.5)]

    assert listen(*events) == events


def test_a_finding_is_told_right_after_the_look_that_shows_it_and_only_once() -> None:
    heard = listen(step(1), monitor(1, update_ratio=1.8), step(2), monitor(2, update_ratio=1.7))

    kinds = [(event["event"], event.get("check")) for event in heard]
    assert kinds == [
        ("step", None), ("monitor", None), ("finding", "learning_rate"), ("step", None), ("monitor", None),
    ]  # fmt: skip


def test_only_checks_that_need_events_alone_are_asked_while_it_runs() -> None:
    names = live_checks()

    assert {"learning_rate", "frozen_layer", "pseudo_share", "misaligned_views", "class_usage"} <= set(names)
    assert not {"few_steps", "unreadable", "dead_units", "loss_stuck"} & set(names)
