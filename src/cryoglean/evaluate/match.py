"""Which pick is which particle: one-to-one matching by distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cryoglean.errors import SettingsError
from cryoglean.evaluate.rules import MatchRule

_ROUNDING = 1e-12  # relative; keeps the tree from losing a pair that lies exactly on the tolerance


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of a pick and a particle; no pick and no particle is in two of them.

    Args:
        pick_indices: (k,) rows of the picks, rising.
        truth_indices: (k,) rows of the truth, beside `pick_indices`.
        distances_pixels: (k,) at least 0.
    """

    pick_indices: NDArray[np.intp]
    truth_indices: NDArray[np.intp]
    distances_pixels: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pick_indices)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every pick with every particle near enough, the nearest first; ties by truth row, then pick row.

    Args:
        picks: (k,) rows of the picks.
        truths: (k,) rows of the truth.
        distances: (k,) pixels, rising.
        gains: (k,) above 0, pixels squared: r² - d², what the assignment of Topaz adds up.
    """

    picks: NDArray[np.intp]
    truths: NDArray[np.intp]
    distances: NDArray[np.float64]
    gains: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.picks)

    def only(self, keeps_pick: NDArray[np.bool_]) -> Pairs:
        """The pairs whose pick is kept; `keeps_pick` is (n,) over the rows of the picks."""
        return self.at(keeps_pick[self.picks])

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Pairs:
        """The chosen pairs."""
        return Pairs(self.picks[chosen], self.truths[chosen], self.distances[chosen], self.gains[chosen])


def match_picks(
    picks_xy: NDArray[np.float64],
    truth_xy: NDArray[np.float64],
    tolerance_pixels: float | NDArray[np.float64],
    *,
    rule: MatchRule = "greedy_distance",
    strict: bool = False,
) -> Matches:
    """Pair picks with particles, one to one, on one micrograph.

    `greedy_distance` walks all pairs that are near enough in increasing distance and takes each whose pick and
    particle are both free; it needs no score (as arXiv:2608.28838 does). `hungarian` minimises the sum of
    min(d² - r², 0) over all one-to-one assignments, as Topaz does (Bepler et al. 2019,
    doi:10.1038/s41592-019-0575-8); it mostly, not always, finds as many pairs as there can be.

    Args:
        picks_xy: (n, 2) x and y, pixels.
        truth_xy: (m, 2) x and y, pixels.
        tolerance_pixels: largest distance r, above 0; one number, or (m,) one for each particle.
        rule: how pairs are chosen among those near enough.
        strict: whether d = r is too far; Topaz is strict.

    Raises:
        SettingsError: a tolerance that is not above 0, an unknown rule.

    Example:
        >>> import numpy as np
        >>> match_picks(np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 0.0]]), 3.0).pick_indices
        array([1])
    """
    return assign(find_pairs(picks_xy, truth_xy, tolerance_pixels, strict=strict), rule)


def find_pairs(
    picks_xy: NDArray[np.float64],
    truth_xy: NDArray[np.float64],
    tolerance_pixels: float | NDArray[np.float64],
    *,
    strict: bool = False,
) -> Pairs:
    """All pairs that are near enough; see `match_picks` for the arguments.

    Raises:
        SettingsError: a tolerance that is not above 0.
    """
    picks_xy = np.asarray(picks_xy, dtype=np.float64).reshape(-1, 2)
    truth_xy = np.asarray(truth_xy, dtype=np.float64).reshape(-1, 2)
    tolerance = np.broadcast_to(np.asarray(tolerance_pixels, dtype=np.float64), (len(truth_xy),))
    if not (np.isfinite(tolerance) & (tolerance > 0)).all():
        raise SettingsError("a tolerance is not above 0", where="evaluation", fix="Give a length above 0 pixels.")
    if not (len(picks_xy) and len(truth_xy)):
        none = np.empty(0, dtype=np.intp)
        return Pairs(none, none, np.empty(0), np.empty(0))
    reach = float(tolerance.max()) * (1 + _ROUNDING)
    near = cKDTree(picks_xy).sparse_distance_matrix(cKDTree(truth_xy), reach, output_type="ndarray")
    picks, truths = near["i"].astype(np.intp), near["j"].astype(np.intp)
    distances = np.hypot(*(picks_xy[picks] - truth_xy[truths]).T)
    inside = distances < tolerance[truths] if strict else distances <= tolerance[truths]
    # not strict: a pair at d = r gains a trifle, so that the assignment prefers it to none
    radius2 = tolerance[truths] ** 2 * (1.0 if strict else 1 + 1e-9)
    order = np.lexsort((picks, truths, distances))
    return Pairs(picks, truths, distances, radius2 - distances**2).at(order[inside[order]])


def assign(pairs: Pairs, rule: MatchRule) -> Matches:
    """Choose among pairs, one to one; see `match_picks` for the rules.

    Raises:
        SettingsError: an unknown rule.
    """
    if rule == "greedy_distance":
        taken = _walk_by_distance(pairs)
    elif rule == "hungarian":
        taken = _minimise_cost(pairs)
    else:
        raise SettingsError(f"there is no match rule '{rule}'", fix="Use greedy_distance or hungarian.")
    taken = taken[np.argsort(pairs.picks[taken], kind="stable")]
    return Matches(pairs.picks[taken], pairs.truths[taken], pairs.distances[taken])


def components(pairs: Pairs) -> NDArray[np.intp]:
    """The number of the cluster that each pair belongs to: (k,); picks and particles of two clusters never pair."""
    if not len(pairs):
        return np.empty(0, dtype=np.intp)
    picks = int(pairs.picks.max()) + 1
    size = picks + int(pairs.truths.max()) + 1
    edges = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs.picks, picks + pairs.truths)), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels[pairs.picks], dtype=np.intp)


def _walk_by_distance(pairs: Pairs) -> NDArray[np.intp]:
    picks_used: set[int] = set()
    truths_used: set[int] = set()
    taken = []
    for place, (pick, truth) in enumerate(zip(pairs.picks.tolist(), pairs.truths.tolist(), strict=True)):
        if pick not in picks_used and truth not in truths_used:
            picks_used.add(pick)
            truths_used.add(truth)
            taken.append(place)
    return np.array(taken, dtype=np.intp)


def _minimise_cost(pairs: Pairs) -> NDArray[np.intp]:
    """Solve cluster by cluster: a pair that is too far costs 0, so clusters don't touch each other's cost."""
    cluster = components(pairs)
    order = np.argsort(cluster, kind="stable")
    cuts = np.flatnonzero(np.diff(cluster[order])) + 1
    taken = [_minimise_cluster(pairs, places) for places in np.split(order, cuts) if len(places)]
    return np.concatenate(taken) if taken else np.empty(0, dtype=np.intp)


def _minimise_cluster(pairs: Pairs, places: NDArray[np.intp]) -> NDArray[np.intp]:
    if len(places) == 1:
        return places
    _, rows = np.unique(pairs.picks[places], return_inverse=True)
    _, columns = np.unique(pairs.truths[places], return_inverse=True)
    cost = np.zeros((rows.max() + 1, columns.max() + 1))
    cost[rows, columns] = -pairs.gains[places]
    of_cell = np.full(cost.shape, -1, dtype=np.intp)
    of_cell[rows, columns] = places
    chosen = of_cell[linear_sum_assignment(cost)]
    return np.asarray(chosen[chosen >= 0], dtype=np.intp)
