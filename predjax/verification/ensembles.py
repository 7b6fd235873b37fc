"""Scores of ensembles: CRPS, Brier score, reliability, rank histogram, spread and error.

All follow from sums that add: integer tables of how many members forecast what, and float64 sums over pixels. Sources:
Gneiting & Raftery (2007), JASA 102, 359-378 (CRPS); Ferro (2014), QJRMS 140, 1917-1923 (fair scores of few members);
Murphy (1973), J. Appl. Meteor. 12, 595-600 (parts of the Brier score); Fortin et al. (2014), J. Hydrometeor. 15,
1708-1713 (spread against error); Hamill (2001), Mon. Wea. Rev. 129, 550-560 (rank histogram).
"""

from typing import Any

import numpy as np
import xarray as xr

from predjax.verification.fields import (
    Scoring,
    check_field,
    describe_events,
    find_valid,
    label_leads,
    label_thresholds,
    split_cases,
)
from predjax.verification.sums import keep_labels, ratio

SUMS = ("member_error", "member_difference", "member_variance", "mean_squared_error")
BLOCK_PIXELS = 2**20  # values of all members worked on at a time


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
      ranks (lead_time, members_below, members_equal): int64, how often this number of members was below the observation
      and this number equal to it.
      member_error (mean of |x - y| over members), member_difference (mean of |x - x'| over pairs of different
      members), member_variance (unbiased), mean_squared_error (of the ensemble mean): (lead_time), float64 sums.

    Raises:
      ValueError: bad fields, thresholds or labels.
    """
    members = check_field("members", members, ("case", "member", "T", "H", "W", "C"))
    observed = check_field("observed", observed)
    if members.shape[:1] + members.shape[2:] != observed.shape:
        raise ValueError(f"members has the shape {members.shape} but observed has {observed.shape}")
    thresholds = scoring.thresholds
    number, steps = members.shape[1:3]
    leads = label_leads(steps, scoring)

    pairs = np.zeros(steps, np.int64)
    said = np.zeros((2, steps, len(thresholds), number + 1), np.int64)
    ranks = np.zeros((steps, number + 1, number + 1), np.int64)
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
            x, y = x.astype(np.float64), y.astype(np.float64)
            place = np.count_nonzero(x < y, axis=0) * (number + 1) + np.count_nonzero(x == y, axis=0)
            ranks[lead] += np.bincount(place, minlength=(number + 1) ** 2).reshape(ranks.shape[1:])
            sums[:, lead] += _sum_members(x, y)

    by_event = ("lead_time", "threshold", "members_above")
    variables: dict[str, Any] = {name: ("lead_time", values) for name, values in zip(SUMS, sums)}
    variables["ensemble_pairs"] = "lead_time", pairs
    variables["member_events"], variables["member_events_observed"] = (by_event, said[0]), (by_event, said[1])
    variables["ranks"] = ("lead_time", "members_below", "members_equal"), ranks
    count = np.arange(number + 1)
    coords = {"lead_time": leads, "threshold": label_thresholds(scoring)}
    for name in ("members_above", "members_below", "members_equal"):
        coords[name] = name, count, {"long_name": name.replace("_", " "), "units": "1"}
    return xr.Dataset(variables, coords, describe_events(scoring))


def ensemble_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores of summed statistics of ensembles of m members; undefined scores are NaN.

    Returns:
      crps (lead_time): fair: E|X - y| - E|X - X'| / 2 over different members; with one member the mean absolute error.
      brier (lead_time, threshold): fair: mean of (i/m - o)^2 - i (m - i) / (m^2 (m - 1)) with i members above.
      brier_reliability, brier_resolution, brier_uncertainty (lead_time, threshold): the parts of the plain Brier score,
      which is reliability - resolution + uncertainty.
      observed_frequency, forecast_share (lead_time, threshold, members_above): the reliability diagram: how often the
      event was observed when this number of members had it, and how often this number of members had it.
      rank_histogram (lead_time, rank): shares of the ranks 0..m; an observation that equals some members counts in
      equal parts for all ranks that it may have.
      spread: sqrt of the mean variance; ensemble_rmse: RMSE of the ensemble mean; spread_ratio: sqrt((m+1)/m) spread /
      ensemble_rmse, 1 when the members are as far apart as they should be.
      ensemble_pairs (lead_time): the pixels that counted.
    """
    s = statistics
    number = s.sizes["members_above"] - 1
    error, difference, variance, squared = (ratio(s[name], s.ensemble_pairs) for name in SUMS)
    share = s.members_above.drop_attrs() / number
    said, came = s.member_events.astype(np.float64), s.member_events_observed.astype(np.float64)
    pairs = s.ensemble_pairs
    plain = ratio(((1 - share) ** 2 * came + share**2 * (said - came)).sum("members_above"), pairs)
    luck = share * (1 - share) / max(number - 1, 1)
    base, frequency = ratio(came.sum("members_above"), pairs), ratio(came, said)
    spread: Any = np.sqrt(variance.where(number > 1))
    rmse: Any = np.sqrt(squared)
    scores = {
        "crps": error - difference / 2,
        "brier": plain - ratio((luck * said).sum("members_above"), pairs),
        "brier_reliability": ratio((said * (share - frequency) ** 2).sum("members_above"), pairs),
        "brier_resolution": ratio((said * (frequency - base) ** 2).sum("members_above"), pairs),
        "brier_uncertainty": base * (1 - base),
        "observed_frequency": frequency,
        "forecast_share": ratio(said, pairs),
        "rank_histogram": ratio(_share_ranks(s.ranks), pairs),
        "spread": spread,
        "ensemble_rmse": rmse,
        "spread_ratio": ratio(np.sqrt((number + 1) / number) * spread, rmse),
        "ensemble_pairs": pairs,
    }
    result = keep_labels(s, xr.Dataset(scores)).assign_attrs(members=number)
    for name, (text, unit) in _describe(s.attrs.get("units", "1")).items():
        result[name].attrs = {"long_name": text, "units": unit}
    result["rank"].attrs = {"long_name": "rank of the observation among the members", "units": "1"}
    return result


def _sum_members(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return the sums over pixels, in the order of SUMS, of members x (member, pixel) and observations y (pixel,)."""
    number, errors = len(x), x - y
    squared = errors.mean(axis=0) ** 2
    if number == 1:
        return [np.abs(errors).sum(), 0.0, 0.0, squared.sum()]
    # Over all pairs, sum |x - x'| = 2 sum_i (2i - m - 1) x_(i) with the members sorted, i = 1..m.
    weights = 2.0 * np.arange(1, number + 1) - number - 1
    difference = 2 * (weights @ np.sort(x, axis=0)).sum() / (number * (number - 1))
    return [np.abs(errors).mean(axis=0).sum(), difference, errors.var(axis=0, ddof=1).sum(), squared.sum()]


def _share_ranks(ranks: xr.DataArray) -> xr.DataArray:
    """Return the counts of ranks (..., rank).

    An observation above b members and equal to e members counts in equal parts for the ranks b to b + e.
    """
    number = ranks.sizes["members_below"] - 1
    below, equal, rank = np.ogrid[: number + 1, : number + 1, : number + 1]
    parts = ((below <= rank) & (rank <= below + equal)) / (equal + 1.0)
    dims = ("members_below", "members_equal", "rank")
    return xr.dot(ranks, xr.DataArray(parts, {"rank": rank.ravel()}, dims), dim=dims[:2])


def _describe(units: str) -> dict[str, tuple[str, str]]:
    """Return the long name and the unit of every score."""
    return {
        "crps": ("continuous ranked probability score (fair)", units),
        "brier": ("Brier score (fair)", "1"),
        "brier_reliability": ("reliability part of the plain Brier score", "1"),
        "brier_resolution": ("resolution part of the plain Brier score", "1"),
        "brier_uncertainty": ("uncertainty part of the plain Brier score", "1"),
        "observed_frequency": ("observed frequency of the event when so many members say it", "1"),
        "forecast_share": ("how often so many members say the event", "1"),
        "rank_histogram": ("share of the observations with this rank", "1"),
        "spread": ("ensemble spread: root of the mean variance", units),
        "ensemble_rmse": ("root mean squared error of the ensemble mean", units),
        "spread_ratio": ("spread / error, 1 is right", "1"),
        "ensemble_pairs": ("valid pixels of the ensemble scores", "1"),
    }
