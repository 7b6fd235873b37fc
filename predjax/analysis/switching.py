"""The modes of a slow signal, such as the mixture weights of TiDHy, and their score against true modes."""

from typing import NamedTuple

import numpy as np
from scipy.cluster.vq import ClusterError, kmeans2, vq
from scipy.optimize import linear_sum_assignment

MOST_MODES = 8  # where no count is given
STARTS = 10  # of k-means; the best is kept


class Switches(NamedTuple):
    """The modes of a signal."""

    modes: np.ndarray  # (..., T) integers from 0; modes are numbered in the order in which they first appear
    switches: np.ndarray  # (..., T) bool, true at the first step of a new mode, never at step 0
    centres: np.ndarray  # (count, K), the mean of the signal in each mode

    @property
    def times(self) -> np.ndarray:
        """The steps of the switches, one series after the other."""
        return np.nonzero(self.switches)[-1]


class SwitchScore(NamedTuple):
    """Scores of the found modes against the true modes."""

    accuracy: float  # fraction of the steps in the right mode, after the labels are matched so that it is largest
    recall: float  # fraction of the true switches that were found; NaN if there are none
    precision: float  # fraction of the found switches that are true; NaN if none were found


def find_switches(
    values: np.ndarray, count: int | None = None, *, window: int = 1, least_dwell: int = 1, seed: int = 0
) -> Switches:
    """Find the modes of a signal `(T, K)` by k-means clustering, and the steps at which they change.

    Series that share their modes are clustered together, as `(..., T, K)`. First, the signal is averaged over `window`
    steps, an odd number, around each step. Then k-means (Lloyd 1982, Least squares quantization in PCM) clusters the
    averages from several random starts, and the best result is kept. Last, each mode that lasts fewer than
    `least_dwell` steps is merged with the mode before or after it, the one with the nearer centre, beginning with the
    shortest. A feature weighs as much as its variance, so features of different units should be standardised.

    `count` is the number of modes. None chooses the number from 2 to 8 that has the largest ratio of the variance
    between clusters to the variance within them (Calinski & Harabasz 1974, A dendrite method for cluster analysis); a
    signal without clusters gets many modes.

    Raises:
      ValueError: values that are not `(..., T, K)` or not finite, fewer different values than modes, a count below 1,
        an even window, a least_dwell below 1.
    """
    values = np.asarray(values, np.float64)
    if values.ndim < 2 or 0 in values.shape:
        raise ValueError(f"values must be (..., T, K), found the shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, found {np.sum(~np.isfinite(values))} that are not")
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window {window} must be odd and at least 1")
    if least_dwell < 1:
        raise ValueError(f"least_dwell {least_dwell} must be at least 1")
    smooth = _average(values, window)
    points = smooth.reshape(-1, values.shape[-1])
    different = len(np.unique(points, axis=0))
    if count is not None and not 1 <= count <= different:
        raise ValueError(f"the count of modes must be within 1 to {different}, the different values, found {count}")
    rng = np.random.default_rng(seed)
    centres = _choose_clusters(points, different, rng) if count is None else _cluster(points, count, rng)[0]
    series = smooth.reshape(-1, *values.shape[-2:])
    modes = np.stack([_drop_short(vq(one, centres)[0], one, centres, least_dwell) for one in series])
    _, first, modes = np.unique(modes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    modes = np.argsort(order)[modes].reshape(values.shape[:-1])
    means = [values[modes == mode].mean(axis=0) for mode in range(len(order))]
    return Switches(modes, find_changes(modes), np.stack(means))


def find_changes(modes: np.ndarray) -> np.ndarray:
    """Mark the steps at which modes `(..., T)` differ from the step before; step 0 is never marked."""
    modes = np.asarray(modes)
    return np.concatenate([np.zeros_like(modes[..., :1], bool), modes[..., 1:] != modes[..., :-1]], axis=-1)


def score_switches(found_modes: np.ndarray, true_modes: np.ndarray, tolerance: int = 5) -> SwitchScore:
    """Score found modes `(..., T)`, whose labels are arbitrary, against true modes of the same shape.

    Labels are matched by `match_labels`; a found label without a partner is wrong. A found and a true switch of a
    series that are at most `tolerance` steps apart can be a pair; each switch is in one pair at most, and there are as
    many pairs as possible. Errors: ValueError for shapes that differ or have no step, and for a negative tolerance.
    """
    found, true = np.asarray(found_modes), np.asarray(true_modes)
    if found.shape != true.shape or found.ndim < 1 or found.size == 0:
        raise ValueError(f"found and true modes must be (..., T) alike, found shapes {found.shape}, {true.shape}")
    if tolerance < 0:
        raise ValueError(f"tolerance {tolerance} must be at least 0")
    accuracy = (match_labels(found, true) == true).mean()
    length = found.shape[-1]
    found_changes, true_changes = (find_changes(modes).reshape(-1, length) for modes in (found, true))
    pairs = sum(
        _count_pairs(np.flatnonzero(ours), np.flatnonzero(theirs), tolerance)
        for ours, theirs in zip(found_changes, true_changes)
    )
    recall, precision = (
        float(pairs / changes.sum()) if changes.any() else float("nan") for changes in (true_changes, found_changes)
    )
    return SwitchScore(float(accuracy), recall, precision)


def match_labels(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Relabel found modes with the labels of the true modes, one to one, so that most steps agree.

    Modes without a partner get new labels. Kuhn (1955), The Hungarian method for the assignment problem.
    """
    found_labels, rows = np.unique(found, return_inverse=True)
    true_labels, columns = np.unique(true, return_inverse=True)
    together = np.zeros((len(found_labels), len(true_labels)), int)
    np.add.at(together, (rows.ravel(), columns.ravel()), 1)
    labels = true_labels.max() + 1 + np.arange(len(found_labels))
    matched = linear_sum_assignment(together, maximize=True)
    labels[matched[0]] = true_labels[matched[1]]
    return labels[rows].reshape(np.shape(found))


def _count_pairs(found: np.ndarray, true: np.ndarray, tolerance: int) -> int:
    """Return the largest number of pairs (found, true) of increasing times that differ by at most `tolerance`.

    The earliest times that match are paired, which leaves the most times for later pairs.
    """
    pairs = i = j = 0
    while i < len(found) and j < len(true):
        if abs(found[i] - true[j]) <= tolerance:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return pairs


def _average(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean over the `window` steps around each step, fewer at the ends."""
    length, half = values.shape[-2], window // 2
    sums = np.concatenate([np.zeros_like(values[..., :1, :]), values.cumsum(axis=-2)], axis=-2)
    start = np.maximum(np.arange(length) - half, 0)
    end = np.minimum(np.arange(length) + half + 1, length)
    return values if half == 0 else (sums[..., end, :] - sums[..., start, :]) / (end - start)[:, None]


def _choose_clusters(points: np.ndarray, different: int, rng: np.random.Generator) -> np.ndarray:
    """Return the centres with the largest index of Calinski & Harabasz; one centre where all points are the same."""
    total = ((points - points.mean(axis=0)) ** 2).sum()
    best, chosen = -np.inf, points[:1]
    for count in range(2, min(MOST_MODES, different, len(points) - 1) + 1):
        centres, within = _cluster(points, count, rng)
        index = (total - within) / (count - 1) / max(within / (len(points) - count), np.finfo(float).tiny)
        if index > best:
            best, chosen = index, centres
    return chosen


def _cluster(points: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return the centres `(count, K)` of k-means and the sum of squared distances to them."""
    best, chosen = np.inf, points[:count]
    for _ in range(STARTS):
        start = _spread_out(points, count, rng)
        try:
            centres, _ = kmeans2(points, start, iter=100, minit="matrix", missing="raise")
        except ClusterError:  # a cluster lost its last point: keep the start
            centres = start
        within = (vq(points, centres)[1] ** 2).sum()
        if within < best:
            best, chosen = within, centres
    return chosen, best


def _spread_out(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` points far apart: each with a probability by its squared distance to the points drawn before.

    Arthur & Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA.
    """
    centres = points[rng.integers(len(points))][None]
    while len(centres) < count:
        chances = ((points[:, None] - centres) ** 2).sum(-1).min(axis=1)
        centres = np.append(centres, points[rng.choice(len(points), p=chances / chances.sum())][None], axis=0)
    return centres


def _drop_short(modes: np.ndarray, values: np.ndarray, centres: np.ndarray, least_dwell: int) -> np.ndarray:
    """Return the modes `(T,)` after each run of fewer than `least_dwell` steps has joined one of its neighbours."""
    modes = modes.copy()
    while True:
        edges = np.concatenate([[0], np.flatnonzero(np.diff(modes)) + 1, [len(modes)]])
        lengths = np.diff(edges)
        shortest = lengths.argmin()
        if len(lengths) == 1 or lengths[shortest] >= least_dwell:
            return modes
        start, end = edges[shortest : shortest + 2]
        neighbours = [modes[step] for step in (start - 1, end) if 0 <= step < len(modes)]
        distances = [((values[start:end] - centres[mode]) ** 2).sum() for mode in neighbours]
        modes[start:end] = neighbours[int(np.argmin(distances))]
