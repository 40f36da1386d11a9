"""The field's definitions by name, so that a published number can be compared with one of the same kind.

The peers know neither ignore points nor micrographs annotated as empty in the way `default` does; a border, if the
rules have one, is taken off picks and truth beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoglean.errors import SettingsError, did_you_mean
from cryoglean.evaluate.calibration import label_scores
from cryoglean.evaluate.curves import Curve, Tally, tally
from cryoglean.evaluate.overlap import box_overlap, draw_discs
from cryoglean.evaluate.rules import Rules
from cryoglean.evaluate.score import evaluate_picks, macro_mean
from cryoglean.evaluate.zones import inside_border, rows_by_micrograph, set_scenes, shape_of
from cryoglean.picks import Picks

Result = dict[str, Any]
Definition = Callable[[Picks, Picks, Rules, float | None], Result]


def evaluate_by(
    definition: str,
    picks: Picks,
    truth: Picks,
    rules: Rules,
    *,
    threshold: float | None = None,
    ignore: Picks | None = None,
) -> Result:
    """Score picks by one of the field's definitions.

    Args:
        definition: a name of `DEFINITIONS`.
        picks: what a picker found.
        truth: the particles.
        rules: tolerance, diameter, border and shapes; each definition says which it uses.
        threshold: picks with a lower score are left out; None takes all.
        ignore: points where an unmatched pick neither helps nor hurts; only `default` knows such.

    Returns:
        Plain values without nan: f1, precision, recall, threshold, definition and what else the definition knows.

    Raises:
        SettingsError: there is no such definition, it knows no ignore points, or a length it needs is not known.
        PicksError: scores or shapes that it needs are missing.
    """
    if definition not in DEFINITIONS:
        raise SettingsError(
            f"there is no definition '{definition}'", where="evaluation", fix=did_you_mean(definition, [*DEFINITIONS])
        )
    if definition == "default":
        return evaluate_picks(picks, truth, rules, threshold=threshold, ignore=ignore).to_json()
    if ignore is not None:
        raise SettingsError(f"{definition} knows no ignore points", where="evaluation", fix="Leave them out.")
    summary, function = DEFINITIONS[definition]
    threshold = None if picks.score is None else threshold
    result = function(picks, truth, rules, threshold)
    return {**result, "threshold": threshold, "definition": f"{definition}: {summary}"}


def _default(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    return evaluate_picks(picks, truth, rules, threshold=threshold).to_json()


def _topaz(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    """As Topaz (doi:10.1038/s41592-019-0575-8): one assignment of all picks; thresholds only cut its list."""
    scenes = set_scenes(*_cropped(picks, truth, rules), replace(rules, border_pixels=0, rule="hungarian", strict=True))
    total = sum((tally(scene) for scene in scenes.each), Tally(0, 0, 0))
    if not scenes.has_scores:
        return _of(total) | {"average_precision": None, "best_f1": total.f1}
    curve = _list_curve(*label_scores(scenes.each), scenes.truth)
    kept = curve.thresholds >= (-np.inf if threshold is None else threshold)
    at = int(kept.sum()) - 1
    cut = Tally(int(curve.true_positives[at]), int(curve.false_positives[at]), curve.truth) if at >= 0 else None
    best, best_threshold = curve.best or (None, None)
    return _of(cut or Tally(0, 0, scenes.truth)) | {
        "average_precision": curve.average_precision,
        "best_f1": best,
        "best_f1_threshold": best_threshold,
    }


def _rapick(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    """As ReconAwarePick (arXiv:2608.28838): d <= diameter / 2, the nearest first; mean over micrographs."""
    _diameter(truth, rules)
    own = replace(
        rules, tolerance_pixels=None, tolerance_diameters=0.5, border_pixels=0, rule="greedy_distance", strict=False
    )
    scenes = set_scenes(*_cropped(_above(picks, threshold), truth, rules), own)
    tallies = [tally(scene) for scene in scenes.each]
    return {**macro_mean(tallies), "micro": _of(sum(tallies, Tally(0, 0, 0)))}


def _coco(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    """As COCO (arXiv:1405.0312): AP at IoU 0.5, precision made falling and read at 101 recalls."""
    side = _diameter(truth, rules)
    picks, truth = _cropped(picks, truth, rules)
    score = np.zeros(len(picks)) if picks.score is None else picks.score
    is_true = _match_boxes(picks, truth, score, side)
    taken = score >= (-np.inf if threshold is None else threshold)
    true = int(is_true[taken].sum())
    scored = picks.score is not None and len(truth) > 0
    return _of(Tally(true, int(taken.sum()) - true, len(truth))) | {
        "average_precision": _read_at_101(score, is_true, len(truth)) if scored else None,
    }


def _cryo_emmae(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    """As Cryo-EMMAE (azamanos/Cryo-EMMAE, utils/evaluation_utils.py at 136ba90): the nearest pick, IoU > 0.6.

    Several particles may take the same pick, so precision can pass 1.
    """
    side = _diameter(truth, rules)
    picks, truth = _cropped(_above(picks, threshold), truth, rules)
    pick_rows, truth_rows = rows_by_micrograph(picks), rows_by_micrograph(truth)
    found = counted = 0
    for name in truth.micrographs:
        rows = pick_rows.get(name, np.empty(0, dtype=np.intp))
        counted += len(rows)
        if len(rows) and name in truth_rows:
            real = truth.xy[truth_rows[name]]
            nearest = picks.xy[rows[cKDTree(picks.xy[rows]).query(real)[1]]]
            found += int((box_overlap(nearest, real, side) > 0.6).sum())
    precision = found / counted if counted else None
    recall = found / len(truth) if len(truth) else None
    return {
        "f1": _f_beta(precision, recall, 1),
        "precision": precision,
        "recall": recall,
        "f3": _f_beta(precision, recall, 3),
    }


def _pixel(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    tallies = _disc_pixels(picks, truth, rules, threshold)
    return _of(sum(tallies, Tally(0, 0, 0)))


def _cryosegnet(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> Result:
    """As CryoSegNet (its utils/precision_recall.py); the flaw is kept, so that its numbers can be reproduced."""
    tallies = _disc_pixels(picks, truth, rules, threshold)
    precision = max((one.precision or 0.0 for one in tallies), default=None)
    recall = max((one.recall or 0.0 for one in tallies), default=None)
    return {
        "f1": _f_beta(precision, recall, 1),
        "precision": precision,
        "recall": recall,
        "flaw": "The best precision and the best recall of any micrograph, not of one and the same, stand for all.",
    }


DEFINITIONS: dict[str, tuple[str, Definition]] = {
    "default": ("centres, one-to-one, nearest first, pooled; the border left out", _default),
    "topaz": ("centres, one-to-one by least cost, d < r, one assignment of all picks, pooled", _topaz),
    "rapick": ("centres, one-to-one, nearest first, d <= diameter / 2, mean over micrographs", _rapick),
    "coco": ("boxes, greedy by score, IoU >= 0.5, AP50 at 101 recalls, no limit of detections", _coco),
    "cryo_emmae": ("boxes, each particle takes its nearest pick, IoU > 0.6, not one-to-one", _cryo_emmae),
    "pixel": ("pixels of drawn discs, pooled", _pixel),
    "cryosegnet": ("pixels of drawn discs, the maximum over micrographs (flawed: far too high)", _cryosegnet),
}


def _of(counts: Tally) -> Result:
    return {
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "true_positives": counts.true_positives,
        "picks": counts.picks,
        "truth": counts.truth,
    }


def _above(picks: Picks, threshold: float | None) -> Picks:
    return picks if threshold is None else picks.above(threshold)


def _diameter(truth: Picks, rules: Rules) -> float:
    diameter = rules.typical_diameter(truth)
    if diameter is None:
        raise SettingsError("the diameter is not known", where="evaluation", fix="Give the particle's diameter.")
    return diameter


def _cropped(picks: Picks, truth: Picks, rules: Rules) -> tuple[Picks, Picks]:
    """Both without the border and without the micrographs that the truth does not list."""
    picks = picks.of(truth.micrographs)
    return _without_border(picks, rules), _without_border(truth, rules)


def _without_border(picks: Picks, rules: Rules) -> Picks:
    kept = np.ones(len(picks), dtype=np.bool_)
    for name, rows in rows_by_micrograph(picks).items():
        kept[rows] = inside_border(picks.xy[rows], name, rules)
    return picks.rows(kept)


def _list_curve(scores: NDArray[np.float64], is_true: NDArray[np.bool_], truth: int) -> Curve:
    """The curve of picks that are true or false whatever the threshold; one row for each distinct score."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)[: len(order)]
    true = is_true[order].cumsum()[last]
    return Curve(scores[order][last], true, last + 1 - true, truth)


def _match_boxes(picks: Picks, truth: Picks, score: NDArray[np.float64], side: float) -> NDArray[np.bool_]:
    """Whether each pick is true: the surest first takes the free box that it covers best."""
    pick_rows, truth_rows = rows_by_micrograph(picks), rows_by_micrograph(truth)
    is_true = np.zeros(len(picks), dtype=np.bool_)
    for name, real in truth_rows.items():
        rows = pick_rows.get(name, np.empty(0, dtype=np.intp))
        free = set(real.tolist())
        tree = cKDTree(truth.xy[real])
        for row in rows[np.argsort(-score[rows], kind="stable")].tolist():
            near = real[tree.query_ball_point(picks.xy[row], side)]
            overlap = box_overlap(picks.xy[row], truth.xy[near], side)
            wanted = [(-value, int(at)) for value, at in zip(overlap, near, strict=True) if value >= 0.5 and at in free]
            if wanted:
                free.discard(min(wanted)[1])
                is_true[row] = True
    return is_true


def _read_at_101(score: NDArray[np.float64], is_true: NDArray[np.bool_], truth: int) -> float:
    true = is_true[np.argsort(-score, kind="stable")].cumsum()
    precision = np.maximum.accumulate((true / np.arange(1, len(true) + 1))[::-1])[::-1]
    place = np.searchsorted(true / truth, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[place].mean())


def _disc_pixels(picks: Picks, truth: Picks, rules: Rules, threshold: float | None) -> list[Tally]:
    radius = _diameter(truth, rules) / 2
    picks, truth = _cropped(_above(picks, threshold), truth, rules)
    pick_rows, truth_rows = rows_by_micrograph(picks), rows_by_micrograph(truth)
    none = np.empty(0, dtype=np.intp)
    tallies = []
    for name in truth.micrographs:
        shape = shape_of(name, rules)
        drawn = draw_discs(picks.xy[pick_rows.get(name, none)], shape, radius)
        real = draw_discs(truth.xy[truth_rows.get(name, none)], shape, radius)
        both = int((drawn & real).sum())
        tallies.append(Tally(both, int(drawn.sum()) - both, int(real.sum())))
    return tallies


def _f_beta(precision: float | None, recall: float | None, beta: float) -> float | None:
    if precision is None or recall is None:
        return 0.0 if precision is not None or recall is not None else None
    below = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / below if below else 0.0
