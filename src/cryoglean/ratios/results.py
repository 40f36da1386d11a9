"""What the result file of a ratio says."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoglean.environment import package_versions
from cryoglean.evaluate.gain import Gain, compare_picks
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.score import Evaluation, evaluate_picks
from cryoglean.picks import Picks
from cryoglean.ratios.method import Method
from cryoglean.registry import load_card
from cryoglean.run import Run

_SCORES = ("precision", "recall", "f1")
_PSEUDO = {
    "n_pseudo_labels": "kept", "n_offered": "offered", "avg_particle_ratio": "particle_share",
    "target_particle_ratio": "prior", "usage": "usage", "particle_usage": "particle_usage",
    "background_usage": "background_usage", "precision": "precision", "recall": "recall",
    "background_precision": "background_precision",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A training and its test.

    Args:
        run: the finished run.
        picks: on the test micrographs, down to the lowest score kept.
        found: at the threshold that was chosen on validation.
    """

    run: Run
    picks: Picks
    found: Evaluation

    @classmethod
    def judge(cls, run: Run, picks: Picks, truth: Picks, rules: Rules) -> Tested:
        """Compare picks with the truth at the run's own threshold."""
        return cls(run, picks, evaluate_picks(picks, truth, rules, threshold=run.summary()["threshold"]))

    def to_json(self) -> dict[str, Any]:
        """The test first, as that is the result; then validation, on which the threshold was chosen."""
        told, summary = self.found.to_json(), self.run.summary()
        names = (*_SCORES, "average_precision", "true_positives", "picks", "truth", "threshold", "intervals")
        validation = {name: summary["validation"][name] for name in (*_SCORES, "average_precision")}
        return {
            **{name: told[name] for name in names},
            "threshold_rule": summary["threshold_rule"],
            "validation": validation,
            "best_step": summary["best_step"],
        }


def describe_study(
    facts: Mapping[str, Any], method: Method, tested: Mapping[str, Tested], judged: tuple[Picks, Rules], out: Path
) -> dict[str, Any]:
    """Everything but who is who.

    Args:
        facts: of the ratio.
        method: how both learned.
        tested: the supervised baseline and the strategy, in this order.
        judged: the truth of the test, and the rules.
        out: the folder that paths are told from.
    """
    base, taught = tested.values()
    summary = taught.run.summary()
    options = _all_options(method)
    rounds = [
        _describe_round(told, int(facts["n_labeled"]), options.get("target") or None) for told in summary["rounds"]
    ]
    counted = [told["iteration"] for told in rounds if told["counted"]]
    content = {
        **facts,
        "strategy": method.strategy,
        "variant": method.variant,
        "seed": method.seed,
        "judged_on": "test",
        "definition": base.found.definition,
        "supervised": base.to_json(),
        "pseudolabel": taught.to_json(),
        "gain": _describe_gain(base, taught, compare_picks(base.picks, taught.picks, *judged)),
        "best_iteration": counted[-1] if counted else 0,
        "iterations": rounds,
        "unlabeled_used": summary["unlabelled"],
        "strategy_options": options,
        "options": asdict(method),
        "runs": {name: str(one.run.folder.relative_to(out)) for name, one in tested.items()},
        "findings": {name: _findings(one.run) for name, one in tested.items()},
        "seconds": {name: round(one.run.summary()["wall_seconds"], 1) for name, one in tested.items()},
        "versions": package_versions(),
    }
    return {name: _rounded(value) for name, value in content.items()}


def _rounded(value: Any) -> Any:
    """Numbers with six digits behind the point, wherever they are."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


def _describe_gain(base: Tested, taught: Tested, precision: Gain) -> dict[str, Any]:
    """With sign; in points where it is said. The one with an error of its own decides whether it is clear."""
    differences: dict[str, float | None] = {}
    for name in _SCORES:
        before, after = getattr(base.found.total, name), getattr(taught.found.total, name)
        differences[name] = None if before is None or after is None else after - before
    f1 = differences["f1"]
    return {
        **differences,
        "average_precision": precision.gain,
        "average_precision_standard_error": precision.standard_error,
        "is_clear": precision.is_clear,
        "is_harm": precision.is_harm,
        "said": "not defined" if f1 is None else f"{100 * f1:+.2f} points F1",
    }


def _all_options(method: Method) -> dict[str, Any]:
    """Of the strategy's card, those that nobody gave among them."""
    known = inspect.signature(load_card("strategies", method.strategy).recipe).parameters
    return {name: one.default for name, one in known.items()} | method.options()


def _describe_round(told: Mapping[str, Any], labelled: int, target: float | None) -> dict[str, Any]:
    """What a round brought on validation, and what its pseudo-labels were; ratios are of core pixels."""
    gain = {name: told.get(name) for name in ("average_precision_before", "average_precision_after", "gain")}
    pseudo = {name: told.get(own) for name, own in _PSEUDO.items()}
    pseudo |= {"target_particle_ratio": target} if target is not None else {}
    return {
        "iteration": told["round"],
        "counted": told["counts"],
        "counts_if": told["rule"],
        "validation": {**told.get("validation", {}), **gain, "gain_standard_error": told.get("gain_standard_error")},
        "pseudo_labels": {**pseudo, "pseudo_to_labeled_ratio": told["kept"] / labelled if "kept" in told else None},
    }


def _findings(run: Run) -> list[dict[str, Any]]:
    return list(run.read_json(run.findings_file)) if run.findings_file.exists() else []
