"""The PU losses on scikit-learn's digits, by the experiments of benchmarks/pu_digits.py (checks.md B1, B2, B3).

What was measured is in benchmarks/results/pu_digits.json. All bands are those of checks.md. The one that is nearest is
the average precision of the imbalanced risk with the sigmoid surrogate: .900 of .88.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn.datasets")

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pu_digits.py"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pu_digits", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pu_digits"] = module  # its dataclasses look their annotations up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    torch.set_num_threads(1)
    return load_script()


@pytest.fixture(scope="module")
def even(script: ModuleType) -> dict[str, Any]:
    return means_of(script, script.overfitting())


@pytest.fixture(scope="module")
def eights(script: ModuleType) -> dict[str, Any]:
    return means_of(script, script.rare_positives())


@pytest.fixture(scope="module")
def by_factor(script: ModuleType) -> dict[str, Any]:
    return means_of(script, script.misjudged_prior())


def means_of(script: ModuleType, outcomes: Any) -> dict[str, Any]:
    """By arm and measure, the mean over seeds."""
    arms = script.summarise(outcomes)
    return {arm: {key: float(np.mean(values)) for key, values in arms[arm].items()} for arm in arms}


def test_the_digits_are_dealt_out_as_said(script: ModuleType) -> None:
    digits = script.draw_digits((8,), 0)

    assert digits.labelled.shape == (50, 64)
    assert len(digits.unlabelled) + len(digits.test) == 1797
    assert digits.prior == pytest.approx(float(digits.is_positive.float().mean()))
    assert bool((digits.labelled[:, None] == digits.unlabelled[digits.is_positive]).all(2).any(1).all())
    assert 0.08 < digits.prior < 0.11


def test_the_unbiased_risk_overfits(even: dict[str, Any]) -> None:
    """B1, sigmoid: the risk falls below what is possible while the error rises again."""
    arm = even["upu_sigmoid"]

    assert arm["last_error"] - arm["least_error"] >= 0.15, even
    assert arm["risk"] < -0.2, even


def test_the_logistic_surrogate_leaves_the_unbiased_risk_without_a_bound(even: dict[str, Any]) -> None:
    """B1: thousands below zero."""
    assert even["upu_logistic"]["risk"] < -1000, even


@pytest.mark.parametrize("surrogate", ["logistic", "sigmoid"])
def test_the_non_negative_risk_does_not_overfit(even: dict[str, Any], surrogate: str) -> None:
    """B1."""
    arm = even[f"nnpu_{surrogate}"]

    assert arm["last_error"] <= 0.20, even
    assert arm["risk"] > -0.02, even
    assert arm["last_error"] < even[f"upu_{surrogate}"]["last_error"], even


@pytest.mark.parametrize("loss", ["upu", "nnpu"])
def test_the_sigmoid_surrogate_calls_everything_background_where_positives_are_rare(
    eights: dict[str, Any], loss: str
) -> None:
    """B2; the logistic one does not."""
    assert eights[f"{loss}_sigmoid"]["f1"] < 0.1, eights
    assert eights[f"{loss}_logistic"]["f1"] > 0.6, eights


@pytest.mark.parametrize("surrogate", ["logistic", "sigmoid"])
def test_pretending_that_half_are_positive_finds_rare_ones(eights: dict[str, Any], surrogate: str) -> None:
    """B2."""
    arm = eights[f"imbalanced_nnpu_{surrogate}"]

    assert arm["f1"] >= 0.75, eights
    assert arm["average_precision"] >= 0.88, eights


@pytest.mark.parametrize("factor", ["0.5", "2"])
def test_a_prior_that_is_wrong_by_two_ranks_as_well(by_factor: dict[str, Any], factor: str) -> None:
    """B3."""
    drop = by_factor["1"]["average_precision"] - by_factor[factor]["average_precision"]

    assert drop <= 0.06, by_factor


def test_the_cut_at_zero_is_best_with_the_right_prior(by_factor: dict[str, Any]) -> None:
    """B3: which is why a cut is chosen on validation or by count, and never at 0."""
    best = max(by_factor, key=lambda factor: float(by_factor[factor]["f1"]))

    assert best == "1", by_factor
    assert by_factor["0.25"]["f1"] < by_factor["1"]["f1"] - 0.3, by_factor
