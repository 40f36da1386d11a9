"""Tasks in this process: order, dependencies, retries, and a stream that is read no further than needed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cryoglean.engine.run import run_tasks
from cryoglean.engine.tasks import EngineChoice, Outcome, Task
from cryoglean.errors import SettingsError

HERE = EngineChoice()


def by_key(outcomes: Iterator[Outcome]) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in outcomes}


def test_tasks_end_in_order_with_their_values() -> None:
    from engine_work import double

    outcomes = list(run_tasks([Task("a", 1), Task("b", 2)], double, HERE))

    assert [(outcome.key, outcome.value, outcome.state, outcome.attempts) for outcome in outcomes] == [
        ("a", 2, "done", 1), ("b", 4, "done", 1),
    ]  # fmt: skip


def test_a_task_waits_for_those_it_needs_wherever_they_stand() -> None:
    order: list[str] = []
    tasks = [Task("sum", "sum", after=("a", "b")), Task("a", "a"), Task("last", "last", after=("sum",)), Task("b", "b")]

    assert all(outcome.is_done for outcome in run_tasks(tasks, order.append, HERE))
    assert order == ["a", "b", "sum", "last"]


def test_what_waits_for_a_failed_task_is_skipped_and_told(tmp_path: Path) -> None:
    from engine_work import act

    tasks = [
        Task("bad", ("refuse", tmp_path)), Task("next", ("x", tmp_path), after=("bad",)),
        Task("after next", ("y", tmp_path), after=("next",)), Task("good", ("z", tmp_path)),
    ]  # fmt: skip
    found = by_key(run_tasks(tasks, act, HERE))

    assert {key: outcome.state for key, outcome in found.items()} == {
        "bad": "refused", "next": "skipped", "after next": "skipped", "good": "done",
    }  # fmt: skip
    assert "bad" in found["next"].error
    assert {file.name[0] for file in tmp_path.iterdir()} == {"r", "z"}


def test_a_task_held_back_before_the_failure_is_skipped_too(tmp_path: Path) -> None:
    from engine_work import act

    tasks = [Task("next", ("x", tmp_path), after=("bad", "good")), Task("good", ("z", tmp_path)),
             Task("bad", ("refuse", tmp_path))]  # fmt: skip

    assert by_key(run_tasks(tasks, act, HERE))["next"].state == "skipped"


def test_tasks_that_wait_for_nobody_or_for_each_other_are_told() -> None:
    tasks = [Task("a", 0, after=("b",)), Task("b", 0, after=("a",)), Task("c", 0, after=("typo",)), Task("d", 0)]

    found = by_key(run_tasks(tasks, str, HERE))

    assert found["d"].is_done
    assert {found[key].state for key in "abc"} == {"skipped"}
    assert "no task typo" in found["c"].error
    assert "each other" in found["a"].error


def test_our_errors_are_final_and_others_are_tried_three_times(tmp_path: Path) -> None:
    from engine_work import act

    words = ("refuse", "fail", "fail once")
    found = by_key(run_tasks((Task(word, (word, tmp_path)) for word in words), act, HERE))

    assert [(found[word].state, found[word].attempts) for word in words] == [("refused", 1), ("failed", 3), ("done", 2)]
    assert found["refuse"].error == "a.mrc: it is empty."
    assert "ValueError: no such thing (engine_work.py, line" in found["fail"].error


def test_two_tasks_with_one_key_are_refused() -> None:
    with pytest.raises(SettingsError, match="two tasks have the key 'a'"):
        list(run_tasks([Task("a", 1), Task("a", 2)], str, HERE))


def test_a_stream_is_read_only_as_needed() -> None:
    read: list[int] = []

    def stream() -> Iterator[Task]:
        for number in range(1000):
            read.append(number)
            yield Task(str(number), number)

    outcomes = run_tasks(stream(), str, HERE)
    for _ in range(3):
        next(outcomes)

    assert len(read) == 3


def test_no_workers_at_all_is_refused() -> None:
    with pytest.raises(SettingsError, match="--workers"):
        run_tasks([], str, EngineChoice(0))
