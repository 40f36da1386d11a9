"""The PU losses on scikit-learn's digits: what each does where the positives are few, rare, or their share misjudged.

    python benchmarks/pu_digits.py

Three minutes on one core. Writes results/pu_digits.json; tests/behaviour/test_pu_digits.py measures the same anew and
holds it against the ranges of the checks (B1, B2, B3). A digit stands for a crop of 1 x 1 pixels. Of 1,797 digits a
third is for test; U is the rest, and 50 positives of it are labelled. P and U are dealt out into ten batches an epoch.

The eights need two hidden layers: with one of 100 units the same losses reach F1 .74 to .76 and an average precision
of .86 to .90 (three seeds), with two of 100 what is in the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, f1_score
from torch import Tensor, nn

from cryoglean.durable import write_json_atomically
from cryoglean.registry import load_card
from cryoglean.settings import LossSettings
from cryoglean.targets import Targets

RESULTS = Path(__file__).parent / "results" / "pu_digits.json"
SEEDS = (0, 1, 2)
LABELLED = 50
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

Surrogate = Literal["logistic", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Arm:
    """How one network is trained.

    Args:
        loss: a loss card.
        surrogate: of the PU losses.
        factor: what the true prior is multiplied by before it is told.
        hidden: width of each hidden layer.
        epochs: passes over U.
    """

    loss: str
    surrogate: Surrogate = "logistic"
    factor: float = 1.0
    hidden: tuple[int, ...] = (200, 200)
    epochs: int = 150


SURROGATES: tuple[Surrogate, ...] = ("logistic", "sigmoid")
EIGHTS = Arm("nnpu", hidden=(100, 100), epochs=100)


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """What is learned from and what it is tested on: pictures (n, 64) in [0, 1], and which are positive, (n,) bool.

    `prior` is the share of positives in U.
    """

    labelled: Tensor
    unlabelled: Tensor
    is_positive: Tensor
    test: Tensor
    truth: NDArray[np.bool_]
    prior: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: errors on the test digits by epoch, the unbiased risk on P and U, F1 at 0, average precision."""

    errors: tuple[float, ...]
    risk: float
    f1: float
    average_precision: float


Outcomes = Mapping[str, tuple[Outcome, ...]]
"""By arm, an outcome for each seed."""


def draw_digits(positives: Sequence[int], seed: int) -> Digits:
    """Digits of which some are called positive; U is all that is not for test, the labelled ones too."""
    random = np.random.default_rng(seed)
    pictures, digits = load_digits(return_X_y=True)
    order = random.permutation(len(digits))
    x = torch.from_numpy((pictures[order] / 16).astype(np.float32))
    y = np.isin(digits[order], positives)
    held = len(y) // 3
    labelled = held + random.choice(np.flatnonzero(y[held:]), LABELLED, replace=False)
    is_positive = torch.from_numpy(y[held:])
    return Digits(x[labelled], x[held:], is_positive, x[:held], y[:held], float(is_positive.float().mean()))


def train_arm(arm: Arm, digits: Digits, seed: int, shown: Digits | None = None) -> Outcome:
    """Train one network with Adam, and test it after each epoch; it learns from `shown`, by default from `digits`."""
    shown = shown or digits
    torch.manual_seed(seed)
    network = build(arm.hidden)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    settings = settings_of(arm, digits)
    errors = []
    for _ in range(arm.epochs):
        for positive, unlabelled in zip(parts(shown.labelled), parts(shown.unlabelled), strict=True):
            optimiser.zero_grad()
            risk_of(arm.loss, network, positive, unlabelled, settings).backward()
            optimiser.step()
        errors.append(float(np.mean((score(network, digits.test) > 0) != digits.truth)))
    said = score(network, digits.test)
    with torch.no_grad():
        risk = risk_of("upu", network, digits.labelled, digits.unlabelled, settings)
    f1 = float(f1_score(digits.truth, said > 0, zero_division=0.0))
    return Outcome(tuple(errors), float(risk), f1, float(average_precision_score(digits.truth, said)))


def build(hidden: Sequence[int]) -> nn.Sequential:
    """A perceptron from 64 pixels to one logit."""
    layers: list[nn.Module] = []
    width = 64
    for units in hidden:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, 1))


def settings_of(arm: Arm, digits: Digits) -> LossSettings:
    """The prior as told, and BCE without a weight."""
    return LossSettings(prior=arm.factor * digits.prior, surrogate=arm.surrogate, positive_weight=1.0)


def parts(pictures: Tensor, batches: int = 10) -> tuple[Tensor, ...]:
    """The pictures shuffled, in batches of nearly the same size, so that P and U run out together."""
    return pictures[torch.randperm(len(pictures))].tensor_split(batches)


def risk_of(loss: str, network: nn.Module, positive: Tensor, unlabelled: Tensor, settings: LossSettings) -> Tensor:
    """A loss card on digits, each as a crop of one pixel."""
    y = torch.cat([torch.ones(len(positive)), torch.zeros(len(unlabelled))]).view(-1, 1, 1, 1)
    logits = network(torch.cat([positive, unlabelled])).view_as(y)
    value: Tensor = load_card("losses", loss).loss(logits, Targets(y, torch.ones_like(y)), settings).mean()
    return value


def score(network: nn.Module, pictures: Tensor) -> NDArray[np.float32]:
    """Logits (n,)."""
    with torch.no_grad():
        return network(pictures)[:, 0].numpy()


def with_all_labels(digits: Digits) -> Digits:
    """The same with the truth of U known: its positives are labelled, and what is left is background."""
    everything, positive = digits.unlabelled, digits.is_positive
    return replace(digits, labelled=everything[positive], unlabelled=everything[~positive])


def overfitting(seeds: Sequence[int] = SEEDS) -> Outcomes:
    """B1: even against odd digits; the unbiased risk learns the labelled ones by heart, the non-negative does not."""
    arms = {f"{loss}_{side}": Arm(loss, side) for loss in ("upu", "nnpu") for side in SURROGATES}
    return run_arms(arms, range(0, 10, 2), seeds)


def rare_positives(seeds: Sequence[int] = SEEDS) -> Outcomes:
    """B2: eights against the rest; which losses call everything background."""
    kinds = ("upu", "nnpu", "imbalanced_nnpu")
    arms = {f"{loss}_{side}": replace(EIGHTS, loss=loss, surrogate=side) for loss in kinds for side in SURROGATES}
    return run_arms(arms, (8,), seeds)


def other_criteria(seeds: Sequence[int] = SEEDS) -> Outcomes:
    """The same eights with the losses that are no risks, and with U taken for background."""
    losses = {"ge_binomial": "ge_binomial", "ge_kl": "ge_kl", "dist_pu": "dist_pu", "unlabelled_as_background": "bce"}
    return run_arms({name: replace(EIGHTS, loss=loss) for name, loss in losses.items()}, (8,), seeds)


def with_labels_of_all(seeds: Sequence[int] = SEEDS) -> Outcomes:
    """What the labels of all digits would give, for both tasks."""
    outcomes = {}
    for name, arm, positives in (("even", Arm("bce"), range(0, 10, 2)), ("eights", replace(EIGHTS, loss="bce"), (8,))):
        drawn = [(draw_digits(positives, seed), seed) for seed in seeds]
        outcomes[name] = tuple(train_arm(arm, digits, seed, with_all_labels(digits)) for digits, seed in drawn)
    return outcomes


def misjudged_prior(seeds: Sequence[int] = SEEDS) -> Outcomes:
    """B3: eights against the rest with logistic nnPU, told a wrong prior."""
    return run_arms({f"{factor:g}": replace(EIGHTS, factor=factor) for factor in FACTORS}, (8,), seeds)


def run_arms(arms: Mapping[str, Arm], positives: Sequence[int], seeds: Sequence[int]) -> Outcomes:
    """Every arm on the digits of every seed, an outcome for each seed."""
    drawn = [(draw_digits(positives, seed), seed) for seed in seeds]
    return {name: tuple(train_arm(arm, digits, seed) for digits, seed in drawn) for name, arm in arms.items()}


def summarise(outcomes: Outcomes) -> dict[str, dict[str, list[float]]]:
    """By arm, each measure with a value for each seed."""
    return {
        name: {
            "least_error": [round(min(each.errors), 4) for each in seeds],
            "last_error": [round(each.errors[-1], 4) for each in seeds],
            "risk": [round(each.risk, 4) for each in seeds],
            "f1": [round(each.f1, 4) for each in seeds],
            "average_precision": [round(each.average_precision, 4) for each in seeds],
        }
        for name, seeds in outcomes.items()
    }


MEASURES = (overfitting, rare_positives, misjudged_prior, other_criteria, with_labels_of_all)


def main() -> None:
    """Measure everything, print the means, write the results."""
    torch.set_num_threads(1)
    found: dict[str, object] = {"torch": torch.__version__, "seeds": SEEDS, "labelled": LABELLED}
    for measure in MEASURES:
        arms = summarise(measure())
        found[measure.__name__] = arms
        for name, values in arms.items():
            means = "  ".join(f"{key} {np.mean(value):.3f}" for key, value in values.items())
            print(f"{measure.__name__:20} {name:26} {means}")
    write_json_atomically(RESULTS, found)


if __name__ == "__main__":
    main()
