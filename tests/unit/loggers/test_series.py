"""Events, summaries and settings as loggers are told them."""

import math

import pytest

from cryoglean.series import numbers_of_event, numbers_of_summary, parameters_of
from cryoglean.settings import choose_settings


@pytest.mark.parametrize(
    ("event", "step", "values"),
    [
        ({"event": "step", "phase": "final", "step": 3, "loss": 0.5}, 3, {"final/loss": 0.5}),
        (
            {"event": "validation", "phase": "fold-1", "step": 8, "best_f1": 0.9, "auc": None, "is_best": True},
            8, {"fold-1/validation/best_f1": 0.9, "fold-1/validation/is_best": 1.0},
        ),
        (
            {"event": "monitor", "phase": "final", "step": 1, "update_ratio": 0.01, "layers": {"stem": [1.0, 2.0]}},
            1, {"final/monitor/update_ratio": 0.01},
        ),
        (
            {"event": "round", "round": 2, "counts": False, "rule": "gain", "recall": 0.7, "validation": {"f1": 0.8},
             "particles": {"a": 1}},
            2, {"round/counts": 0.0, "round/recall": 0.7, "round/validation/f1": 0.8},
        ),
        ({"event": "gate", "auc": 0.8, "measured_on": "clicks"}, 0, {"gate/auc": 0.8}),
        ({"event": "step", "phase": "final", "step": 1, "täuschung: a/b": 1}, 1, {"final/t_uschung_ a_b": 1.0}),
        ({"event": "phase", "phase": "final", "steps": 60}, 0, {}),
    ],
)  # fmt: skip
def test_numbers_of_an_event(event: dict[str, object], step: int, values: dict[str, float]) -> None:
    assert numbers_of_event(event) == (step, values)


def test_numbers_of_a_summary_hold_nothing_by_micrograph() -> None:
    summary = {
        "threshold": 0.4, "strategy": "supervised", "rounds": [{"round": 1}], "gate": None,
        "validation": {"f1": 0.9, "definition": {"border_pixels": 3}},
        "clicks": {"clicks": 20, "picks_per_micrograph": {"a": 3}},
    }  # fmt: skip

    assert numbers_of_summary(summary) == {
        "summary/threshold": 0.4, "summary/validation/f1": 0.9, "summary/clicks/clicks": 20.0
    }  # fmt: skip


def test_all_settings_are_parameters_under_their_own_names() -> None:
    from cryoglean.settings import setting_names

    told = parameters_of(choose_settings("quick", assignments=["learn.steps=7"]))

    assert told["learn.steps"] == 7
    assert {name.split(".")[0] for name in told} == {name.split(".")[0] for name in setting_names()}
    assert all(isinstance(value, str) or math.isfinite(value) for value in told.values())
