"""Scores of ensembles: CRPS, Brier score, reliability, ROC, rank histogram, spread and error.

A deterministic forecast is an ensemble of one member. All scores follow from sums that add: integer tables of how many
members forecast what, and float64 sums over pixels. Sources: Gneiting & Raftery (2007), JASA 102, 359-378 (CRPS);
Ferro (2014), QJRMS 140, 1917-1923 (fair scores of few members); Murphy (1973), J. Appl. Meteor. 12, 595-600 (parts of
the Brier score); Mason (1982), Aust. Met. Mag. 30, 291-303 (ROC); Fortin et al. (2014), J. Hydrometeor. 15, 1708-1713
(spread against error); Hamill (2001), Mon. Wea. Rev. 129, 550-560 (rank histogram).
"""

from typing import Any

import numpy as np
import xarray as xr

from predjax.verification.fields import (
    Scoring,
    check_members,
    describe_events,
    find_valid,
    label_leads,
    label_thresholds,
    split_cases,
)
from predjax.verification.sums import keep_labels, ratio

SUMS = ("member_error", "member_difference", "member_variance", "mean_squared_error")
BLOCK_PIXELS = 2**18  # values of all members worked on at a time, of one case at least


def ensemble_statistics(members: np.ndarray, observed: np.ndarray, scoring: Scoring) -> xr.Dataset:
    """Return the additive sums of some ensemble forecasts, by lead time and threshold.

    A pixel counts where the observation and all members have a value. An event is `value >= threshold` in the
    precision of the field. An ensemble of one member is a deterministic forecast.

    Args:
      members: (case, member, T, H, W, C), floating point, physical units, NaN = no value.
      observed: (case, T, H, W, C).
      scoring: its thresholds, units and lead times.

    Returns:
      ensemble_pairs (lead_time): int64, the pixels that count.
      member_events (lead_time, threshold, members_above): int64, how often this number of members had the event.
      member_events_observed: the same, of the times when the event was also observed.
      ranks (lead_time, rank): float64, how often the observation had this rank, which is the number of members below
      it. An observation that equals e members may have e + 1 ranks and counts for each of them as 1 / (e + 1), the mean
      over ties that are broken at random. Pixels where the observation and all members are below the smallest threshold
      do not count: there the rank tells nothing.
      rank_pixels (lead_time): int64, the pixels with a rank.
      member_error (mean of |x - y| over members), member_difference (mean of |x - x'| over pairs of different
      members), member_variance (unbiased), mean_squared_error (of the ensemble mean): (lead_time), float64 sums.

    Raises:
      ValueError: bad fields, thresholds or labels.
    """
    members, observed = check_members(members, observed)
    thresholds = scoring.thresholds
    number, steps = members.shape[1:3]
    leads = label_leads(steps, scoring)

    pairs = np.zeros(steps, np.int64)
    said = np.zeros((2, steps, len(thresholds), number + 1), np.int64)
    ranks, ranked = np.zeros((steps, number + 1)), np.zeros(steps, np.int64)
    sums = np.zeros((len(SUMS), steps))
    for lead in range(steps):
        one = members[:, :, lead]
        for part in split_cases((len(one), 1, *one.shape[1:]), BLOCK_PIXELS):
            x, y = np.moveaxis(one[part], 1, 0), observed[part, lead]
            valid = find_valid(x, y, lead + 1).all(axis=0)
            x, y = x[:, valid], y[valid]  # (member, pixel), (pixel,)
            pairs[lead] += y.size
            for j, threshold in enumerate(thresholds):
                above = np.count_nonzero(x >= x.dtype.type(threshold), axis=0)
                happened = y >= y.dtype.type(threshold)
                said[0, lead, j] += np.bincount(above, minlength=number + 1)
                said[1, lead, j] += np.bincount(above[happened], minlength=number + 1)
            counts, told = _count_ranks(x, y, thresholds[0] if thresholds else -np.inf)
            ranks[lead] += counts
            ranked[lead] += told
            sums[:, lead] += _sum_members(x.astype(np.float64), y.astype(np.float64))

    by_event = ("lead_time", "threshold", "members_above")
    variables: dict[str, Any] = {name: ("lead_time", values) for name, values in zip(SUMS, sums)}
    variables["ensemble_pairs"] = "lead_time", pairs
    variables["member_events"], variables["member_events_observed"] = (by_event, said[0]), (by_event, said[1])
    variables["ranks"], variables["rank_pixels"] = (("lead_time", "rank"), ranks), ("lead_time", ranked)
    coords = {"lead_time": leads, "threshold": label_thresholds(scoring)}
    long_names = {"members_above": "members with the event", "rank": "rank of the observation among the members"}
    for name, text in long_names.items():
        coords[name] = name, np.arange(number + 1), {"long_name": text, "units": "1"}
    return xr.Dataset(variables, coords, describe_events(scoring))


def ensemble_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores of summed statistics of ensembles of m members; undefined scores are NaN.

    Returns:
      members: m.
      crps (lead_time): fair: E|X - y| - E|X - X'| / 2 over different members; with one member the mean absolute error.
      brier (lead_time, threshold): fair: mean of (i/m - o)^2 - i (m - i) / (m^2 (m - 1)) with i members above.
      brier_reliability, brier_resolution, brier_uncertainty (lead_time, threshold): the parts of the plain Brier score,
      which is reliability - resolution + uncertainty.
      observed_frequency, forecast_share (lead_time, threshold, members_above): the reliability diagram: how often the
      event was observed when this number of members had it, and how often this number of members had it.
      roc_pod, roc_pofd (lead_time, threshold, members_above): the ROC curve: probability of detection, and of false
      detection, of the warning "at least this number of members have the event".
      roc_area (lead_time, threshold): the area below the ROC curve, by trapezia from (0, 0) to (1, 1); 0.5 is luck.
      rank_histogram (lead_time, rank): shares of the ranks 0..m; rank_pixels (lead_time): the pixels with a rank.
      spread: sqrt of the mean variance; ensemble_rmse: RMSE of the ensemble mean; spread_ratio: sqrt((m+1)/m) spread /
      ensemble_rmse, 1 when the members are as far apart as they should be.
      ensemble_pairs (lead_time): the pixels that counted.
    """
    s = statistics.variables
    number, pairs = statistics.sizes["members_above"] - 1, s["ensemble_pairs"]
    error, difference, variance, squared = (ratio(s[name], pairs) for name in SUMS)
    share = s["members_above"] / number
    said, came = (s[name].astype(np.float64) for name in ("member_events", "member_events_observed"))
    plain = ratio(((1 - share) ** 2 * came + share**2 * (said - came)).sum("members_above"), pairs)
    luck = share * (1 - share) / max(number - 1, 1)
    base, frequency = ratio(came.sum("members_above"), pairs), ratio(came, said)
    pod, pofd = (_detect(counts) for counts in (came, said - came))
    spread: Any = np.sqrt(variance.where(number > 1))
    rmse: Any = np.sqrt(squared)
    scores = {
        "members": xr.Variable((), number),
        "crps": error - difference / 2,
        "brier": plain - ratio((luck * said).sum("members_above"), pairs),
        "brier_reliability": ratio((said * (share - frequency) ** 2).sum("members_above"), pairs),
        "brier_resolution": ratio((said * (frequency - base) ** 2).sum("members_above"), pairs),
        "brier_uncertainty": base * (1 - base),
        "observed_frequency": frequency,
        "forecast_share": ratio(said, pairs),
        "roc_pod": pod,
        "roc_pofd": pofd,
        "roc_area": _find_area(pod, pofd),
        "rank_histogram": ratio(s["ranks"], s["rank_pixels"]),
        "spread": spread,
        "ensemble_rmse": rmse,
        "spread_ratio": ratio(np.sqrt((number + 1) / number) * spread, rmse),
        "rank_pixels": s["rank_pixels"],
        "ensemble_pairs": pairs,
    }
    result = keep_labels(statistics, scores)
    for name, (text, unit) in _describe(statistics.attrs.get("units", "1")).items():
        result.variables[name].attrs = {"long_name": text, "units": unit}
    return result


def sum_crps(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return the sums over points of the mean of |x - y| over members, and of |x - x'| over pairs of different members.

    x (member, point) and y (point,) are float64 without NaN; a single member has no pairs, and the second sum is 0.
    """
    return [values.sum() for values in find_crps_parts(x, y)]


def find_crps_parts(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each point the two numbers that `sum_crps` sums; x is (member, *point) and y (*point)."""
    number = len(x)
    error = np.abs(x - y).mean(axis=0)
    if number == 1:
        return error, np.zeros_like(error)
    # Over all pairs, sum |x - x'| = 2 sum_i (2i - m - 1) x_(i) with the members sorted, i = 1..m.
    weights = 2.0 * np.arange(1, number + 1) - number - 1
    return error, 2 * np.tensordot(weights, np.sort(x, axis=0), 1) / (number * (number - 1))


def _sum_members(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return the sums over pixels, in the order of SUMS, of members x (member, pixel) and observations y (pixel,)."""
    apart = (x != y).any(axis=0)  # the others add nothing, and are most of the pixels where it is dry
    x, y = x[:, apart], y[apart]
    variance = x.var(axis=0, ddof=1).sum() if len(x) > 1 else 0.0
    return [*sum_crps(x, y), variance, np.square(x.mean(axis=0) - y).sum()]


def _count_ranks(x: np.ndarray, y: np.ndarray, threshold: float) -> tuple[np.ndarray, int]:
    """Return how often y (pixel,) has each rank 0..m among the members x (member, pixel), and the number of ranks.

    Ties count in equal parts; pixels count where y or a member reaches the threshold.
    """
    number = len(x)
    told = (y >= y.dtype.type(threshold)) | (x >= x.dtype.type(threshold)).any(axis=0)
    x, y = x[:, told], y[told]
    below, equal = np.count_nonzero(x < y, axis=0), np.count_nonzero(x == y, axis=0)
    table = np.bincount(below * (number + 1) + equal, minlength=(number + 1) ** 2).reshape(number + 1, number + 1)
    first, ties, rank = np.ogrid[: number + 1, : number + 1, : number + 1]
    return np.tensordot(table, ((first <= rank) & (rank <= first + ties)) / (ties + 1.0)), int(table.sum())


def _detect(counts: xr.Variable) -> xr.Variable:
    """Return, by members_above, the share of all counts that have at least this number of members."""
    total = counts.sum("members_above")
    return ratio(total - counts.cumsum("members_above") + counts, total)


def _find_area(pod: xr.Variable, pofd: xr.Variable) -> xr.Variable:
    """Return the area below the points (pofd, pod), which begin at (1, 1), with (0, 0) as their last point."""
    higher, left = (values.shift(members_above=-1, fill_value=0) for values in (pod, pofd))
    return ((pofd - left) * (pod + higher) / 2).sum("members_above", skipna=False)


def _describe(units: str) -> dict[str, tuple[str, str]]:
    """Return the long name and the unit of every score."""
    return {
        "members": ("members of the ensemble; 1 is a deterministic forecast", "1"),
        "crps": ("continuous ranked probability score (fair)", units),
        "brier": ("Brier score (fair)", "1"),
        "brier_reliability": ("reliability part of the plain Brier score", "1"),
        "brier_resolution": ("resolution part of the plain Brier score", "1"),
        "brier_uncertainty": ("uncertainty part of the plain Brier score", "1"),
        "observed_frequency": ("observed frequency of the event when so many members say it", "1"),
        "forecast_share": ("how often so many members say the event", "1"),
        "roc_pod": ("probability of detection when so many members, or more, are a warning", "1"),
        "roc_pofd": ("probability of false detection when so many members, or more, are a warning", "1"),
        "roc_area": ("area below the ROC curve", "1"),
        "rank_histogram": ("share of the observations with this rank", "1"),
        "spread": ("ensemble spread: root of the mean variance", units),
        "ensemble_rmse": ("root mean squared error of the ensemble mean", units),
        "spread_ratio": ("spread / error, 1 is right", "1"),
        "rank_pixels": ("pixels where the observation or a member reaches the smallest threshold", "1"),
        "ensemble_pairs": ("valid pixels of the ensemble scores", "1"),
    }
