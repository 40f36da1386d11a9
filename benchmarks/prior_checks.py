"""Estimates of the share of particles against the truth (checks.md S3 to S6), and how often they say "can't be told".

    python benchmarks/prior_checks.py --draws 60 --out benchmarks/results/prior_checks.json
    python benchmarks/prior_checks.py --write benchmarks/results/prior_checks.json

The second puts the tables into docs/explain/priors.md. The limits of `cryoglean.prior.best_bin` were chosen on draws 0
to 59; this uses draws from 1000 on. Scores are out of fold. Needs scikit-learn. About ten minutes with one thread.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cryoglean.durable import write_json_atomically
from cryoglean.evaluate.pu import correct_auc, positive_unlabelled_auc
from cryoglean.prior.best_bin import estimate_best_bin
from cryoglean.prior.elkan_noto import estimate_elkan_noto
from cryoglean.prior.estimate import Estimate
from cryoglean.prior.particle_count import Candidates, CountEstimate, HeldOut, estimate_count

Scores = NDArray[np.float64]
Case = Callable[[float, int], tuple[Scores, Scores]]
SHARES = (0.04, 0.1, 0.2, 0.5)
FIRST_DRAW = 1000
PAGE = Path(__file__).parents[1] / "docs" / "explain" / "priors.md"


def out_of_fold(positive: Scores, unlabelled: Scores, model: ClassifierMixin, seed: int) -> tuple[Scores, Scores]:
    """The probability of being labelled, from five models that did not see what they score."""
    x = np.concatenate([positive, unlabelled])
    is_labelled = np.repeat([1, 0], [len(positive), len(unlabelled)])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    said = cross_val_predict(model, x, is_labelled, cv=folds, method="predict_proba")[:, 1]
    return said[: len(positive)], said[len(positive) :]


def logistic() -> ClassifierMixin:
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def gaussians(distance: float, labelled: int) -> Case:
    """Two Gaussians in the plane, 4,000 unlabelled."""

    def draw(share: float, seed: int) -> tuple[Scores, Scores]:
        random = np.random.default_rng(seed)
        centre, particles = np.array([distance, 0.0]), random.binomial(4000, share)
        unlabelled = random.normal(size=(4000, 2))
        unlabelled[:particles] += centre
        return out_of_fold(random.normal(size=(labelled, 2)) + centre, unlabelled, logistic(), seed)

    return draw


def from_set(load: Callable[[], Any], is_positive: Callable[[Any], Any], sizes: tuple[int, int], model: Any) -> Case:
    """Labelled and unlabelled things drawn from a set of scikit-learn without replacement."""
    bunch = load()
    sides = bunch.data[is_positive(bunch.target)], bunch.data[~is_positive(bunch.target)]

    def draw(share: float, seed: int) -> tuple[Scores, Scores]:
        random = np.random.default_rng(seed)
        positive, negative = (side[random.permutation(len(side))] for side in sides)
        labelled, particles = sizes[0], round(share * sizes[1])
        hidden = positive[labelled : labelled + particles]
        return out_of_fold(
            positive[:labelled], np.concatenate([hidden, negative[: sizes[1] - particles]]), model(), seed
        )

    return draw


def cases() -> dict[str, Case]:
    """S3's three sets, S6's overlap, what lies between, and 20 labels."""
    return {
        "gaussians d=3": gaussians(3, 300),
        "breast cancer": from_set(load_breast_cancer, lambda target: target == 0, (60, 250), logistic),
        "digits even": from_set(
            load_digits, lambda target: target % 2 == 0, (150, 700), lambda: HistGradientBoostingClassifier(max_iter=60)
        ),
        "gaussians d=1": gaussians(1, 300),
        "gaussians d=1.5": gaussians(1.5, 300),
        "gaussians d=2": gaussians(2, 300),
        "gaussians d=3, 20 labels": gaussians(3, 20),
        "gaussians d=1, 20 labels": gaussians(1, 20),
    }


def match_histograms(positive: Scores, unlabelled: Scores) -> float:
    """The least ratio of bin shares, unlabelled to labelled, over ten equal bins with 1 added to each count.

    What pulearn 0.2.0 calls histogram matching; here only to show why it is not used (S5).
    """
    counts = [np.histogram(side, np.linspace(0, 1, 11))[0] + 1.0 for side in (positive, unlabelled)]
    return float(min(1.0, ((counts[1] / counts[1].sum()) / (counts[0] / counts[0].sum())).min()))


def fall_within_bin(positive: Scores, unlabelled: Scores, cut: float) -> float:
    """How surely the ratio falls within the best bin: (lower half - upper half) in standard errors of its logarithm.

    A criterion that was tried and does not work: it can't tell the overlap of S6 from S3.
    """
    top = np.sort(positive[positive >= cut])
    middle = top[len(top) // 2]
    counts = np.array(
        [[(one < middle).sum(), (one >= middle).sum()] for one in (top, unlabelled[unlabelled >= cut])]
    ) + 0.5  # fmt: skip
    logs = np.log(counts[1]) - np.log(counts[0])
    return float((logs[0] - logs[1]) / np.sqrt((1 / counts).sum()))


def measure(case: Case, share: float, draws: int) -> dict[str, Any]:
    """All estimates of a case over the draws."""
    found: list[Estimate] = []
    others: list[tuple[float, float, float, float]] = []
    for draw in range(FIRST_DRAW, FIRST_DRAW + draws):
        positive, unlabelled = case(share, draw)
        estimate = estimate_best_bin(positive, unlabelled)
        found.append(estimate)
        said = estimate_elkan_noto(np.maximum(positive, 1e-9), len(unlabelled)).ratio
        fall = fall_within_bin(positive, unlabelled, estimate.evidence.cut if estimate.evidence else np.nan)
        auc = correct_auc(positive_unlabelled_auc(positive, unlabelled), share)
        others.append((said, match_histograms(positive, unlabelled), fall, auc))
    columns = np.array(others).T
    ratios = np.array([one.ratio for one in found])
    is_told = np.array([one.is_identifiable for one in found])
    is_off = np.abs(ratios - share) > (0.05 if share < 0.5 else 0.08)
    told = [one for one in found if one.is_identifiable]
    return {
        "truth": share, "draws": draws,
        "best_bin": mean(ratios), "best_bin_sd": round(float(ratios.std()), 4),
        "off_by_more_than_accepted": mean(is_off),
        "identifiable": mean(is_told), "off_though_identifiable": mean(is_told & is_off),
        "interval_holds_truth": mean(np.array([one.low <= share <= one.high for one in told])) if told else None,
        "interval": [mean(np.array([getattr(one, end) for one in told])) for end in ("low", "high")] if told else None,
        "bound_holds": mean(np.array([share <= one.high for one in found])),
        "separation": mean(np.array([one.evidence.separation for one in found if one.evidence])),
        "elkan_noto": mean(columns[0]), "histogram_match": mean(columns[1]),
        "says_identifiable_by_fall": mean(columns[2] < 1.64), "corrected_auc": mean(columns[3]),
    }  # fmt: skip


def mean(values: NDArray[Any]) -> float:
    """Rounded."""
    return round(float(np.mean(values)), 4)


def count_particles(random: np.random.Generator, distance: float, share_found: float) -> CountEstimate:
    """Peaks of made-up maps: 40 micrographs, about 20 particles each, 150 other peaks, 10 micrographs labelled."""
    rows: dict[bool, list[tuple[Scores, Scores, str]]] = {True: [], False: []}
    for number in range(50):
        particles = random.poisson(random.gamma(4, 5))
        shift = random.normal(0, 0.3)
        found = random.random(particles) < share_found
        heights, other = random.normal(distance + shift, 1, particles), random.normal(shift, 1, 150)
        peaks = heights if number < 10 else np.concatenate([heights[found], other])
        rows[number < 10].append((peaks, found, f"m{number}"))
    heights, found = (np.concatenate([row[i] for row in rows[True]]) for i in (0, 1))
    names = {side: np.repeat([row[2] for row in rows[side]], [len(row[0]) for row in rows[side]]) for side in rows}
    candidates = Candidates(
        np.concatenate([row[0] for row in rows[False]]), names[False], [row[2] for row in rows[False]]
    )
    return estimate_count(candidates, HeldOut(heights, found.astype(bool), names[True]))


def measure_counts(draws: int) -> list[dict[str, Any]]:
    """Twenty particles a micrograph is the truth."""
    rows = []
    for distance, share_found in ((4, 1.0), (4, 0.8), (3, 0.8), (1, 0.8)):
        random = np.random.default_rng(FIRST_DRAW)
        found = [count_particles(random, distance, share_found) for _ in range(draws)]
        told = [one for one in found if one.value is not None]
        raw = [one.share_of_candidates * one.candidates_per_micrograph / one.share_found for one in found]
        row = {
            "distance": distance, "share_found": share_found, "draws": draws, "truth": 20,
            "formula": mean(np.array(raw)), "formula_sd": round(float(np.std(raw)), 3),
            "identifiable": len(told) / len(found),
            "interval_holds_truth": mean(np.array([one.low <= 20 <= one.high for one in told])) if told else None,
            "interval": [mean(np.array([getattr(one, end) for one in told])) for end in ("low", "high")]
            if told
            else None,
        }  # fmt: skip
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(value: float | None) -> str:
    """Whole per cent, or a dash."""
    return "–" if value is None else f"{100 * value:.0f} %"


def write_page(results: dict[str, list[dict[str, Any]]]) -> None:
    """Put the tables between the marks in docs/explain/priors.md."""
    head = ["scores", "truth", "best bin (sd)", "identifiable", "off, though identifiable", "interval holds truth"]
    head += ["mean interval", "upper end holds truth", "Elkan-Noto", "histograms", "ratio does not fall"]
    shares = [
        [row["case"], f"{row['truth']:g}", f"{row['best_bin']:.3f} ({row['best_bin_sd']:.3f})",
         percent(row["identifiable"]), percent(row["off_though_identifiable"]), percent(row["interval_holds_truth"]),
         "–" if row["interval"] is None else f"{row['interval'][0]:.3f}–{row['interval'][1]:.3f}",
         percent(row["bound_holds"]), f"{row['elkan_noto']:.3f}", f"{row['histogram_match']:.3f}",
         percent(row["says_identifiable_by_fall"])]
        for row in results["shares"]
    ]  # fmt: skip
    counts = [
        [f"{row['distance']:g}", percent(row["share_found"]), f"{row['formula']:.1f} ({row['formula_sd']:.1f})",
         percent(row["identifiable"]), percent(row["interval_holds_truth"]),
         "–" if row["interval"] is None else f"{row['interval'][0]:.1f}–{row['interval'][1]:.1f}"]
        for row in results["counts"]
    ]  # fmt: skip
    count_head = [
        "distance",
        "particles that are peaks",
        "formula (sd)",
        "identifiable",
        "interval holds 20",
        "interval",
    ]
    text = PAGE.read_text(encoding="utf-8")
    for mark, made in (("shares", table(head, shares)), ("counts", table(count_head, counts))):
        before, rest = text.split(f"<!-- {mark} -->\n", maxsplit=1)
        text = f"{before}<!-- {mark} -->\n{made}\n<!-- end -->{rest.split('<!-- end -->', maxsplit=1)[1]}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure every case, or write what was measured into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.write:
        write_page(json.loads(arguments.write.read_text(encoding="utf-8")))
    if arguments.out is None:
        return
    rows = []
    for name, case in cases().items():
        for share in SHARES:
            rows.append({"case": name, **measure(case, share, arguments.draws)})
            print(json.dumps(rows[-1]), flush=True)
    write_json_atomically(arguments.out, {"shares": rows, "counts": measure_counts(arguments.draws)})


if __name__ == "__main__":
    main()
