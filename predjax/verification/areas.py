"""Scores of rain on areas: bias, CRPS and Brier score of the totals from the init time to each lead time.

A total is the mean over an area of the rain that has fallen, in mm (`radar.areas`). Scores pool all areas and cases,
and each area counts as much as any other; some are also given for each area on its own.
"""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.areas.place import PlacedAreas
from predjax.radar.areas.rain import accumulate, find_rates
from predjax.units import ZR_A, ZR_B, dbz_to_rain_rate
from predjax.verification.ensembles import find_crps_parts
from predjax.verification.fields import EVENT_RULE, Scoring, check_members, label_leads
from predjax.verification.sums import keep_labels, ratio

SUMS = ("areal_forecast", "areal_observed", "areal_crps_sum")


class AreaScoring(NamedTuple):
    """The areas on the grid of some cases, and the rules by which their rain is scored."""

    placed: PlacedAreas
    least: float  # the least share of an area where the observation and all members have a value
    totals: tuple[float, ...] = ()  # thresholds of totals in mm
    relation: tuple[float, float] = (ZR_A, ZR_B)  # between dBZ and rain: a and b of Z = a R^b


def area_statistics(members: np.ndarray, observed: np.ndarray, scoring: Scoring) -> xr.Dataset:
    """Return the additive sums behind the scores of totals on areas; no variables if `scoring.areas` is None.

    A total counts where at each of its lead times the observation and all members have a value on a large enough part
    of the area; it is the total of this part, which is the same for forecast and observation.

    Args and errors: as for `ensembles.ensemble_statistics`.

    Returns:
      areal_totals_by_area (area, lead_time): int64, the number of totals that counted.
      areal_forecast (of the ensemble mean), areal_observed, areal_crps_sum (fair): (area, lead_time), sums in mm.
      areal_events (areal_threshold, lead_time): int64, the number of observed totals that reached the threshold.
      areal_brier_sum (areal_threshold, lead_time): of the fair Brier score.
    """
    areas: AreaScoring | None = scoring.areas
    if areas is None:
        return xr.Dataset()
    members, observed = check_members(members, observed)
    number, steps = members.shape[1:3]
    label = label_leads(steps, scoring)
    count = np.zeros((len(areas.placed.names), steps), np.int64)
    sums = np.zeros((len(SUMS), *count.shape))
    events, brier = np.zeros((len(areas.totals), steps), np.int64), np.zeros((len(areas.totals), steps))
    for x, y in zip(members, observed):
        rates = []
        for lead in range(steps):
            fields = np.concatenate([x[:, lead, ..., 0], y[None, lead, ..., 0]])
            fields = dbz_to_rain_rate(fields, *areas.relation) if scoring.units == "dBZ" else fields
            rates.append(find_rates(fields, areas.placed, areas.least).mean)
        totals = accumulate(np.stack(rates, axis=-1), label[1])["accumulation"]
        valid = np.isfinite(totals).all(axis=0)  # (area, lead_time)
        count += valid
        sums[0] += np.where(valid, totals[:-1].mean(axis=0), 0)
        sums[1] += np.where(valid, totals[-1], 0)
        error, difference = find_crps_parts(totals[:-1], totals[-1])
        sums[2] += np.where(valid, error - difference / 2, 0)
        for row, threshold in enumerate(areas.totals):
            reached = totals.astype(np.float32) >= np.float32(threshold)  # ten times 0.1 mm reach 1 mm
            above, happened = reached[:-1].sum(axis=0), reached[-1]
            score = (above / number - happened) ** 2 - above * (number - above) / (number**2 * max(number - 1, 1))
            events[row] += (valid & happened).sum(axis=0)
            brier[row] += np.where(valid, score, 0).sum(axis=0)
    by_area = ("area", "lead_time")
    variables: dict[str, Any] = {name: (by_area, values) for name, values in zip(SUMS, sums)}
    variables["areal_totals_by_area"] = by_area, count
    variables["areal_events"] = ("areal_threshold", "lead_time"), events
    variables["areal_brier_sum"] = ("areal_threshold", "lead_time"), brier
    about = {"long_name": "least total of the event", "units": "mm", "event_rule": EVENT_RULE}
    coords: dict[str, Any] = {"lead_time": label}
    coords["area"] = "area", np.array(areas.placed.names, object), {"long_name": "name of the area"}
    coords["areal_threshold"] = "areal_threshold", np.array(areas.totals, float), about
    return xr.Dataset(variables, coords)


def area_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the scores of totals on areas from summed statistics; no variables if the sums have no areas.

    Returns:
      areal_crps (lead_time): fair CRPS in mm, with one member the mean absolute error.
      areal_bias (lead_time): sum of the forecast totals (ensemble means) / sum of the observed ones.
      areal_mean_error (lead_time): forecast - observed, in mm.
      areal_brier, areal_events (areal_threshold, lead_time): fair Brier score, and the number of observed events.
      areal_totals (lead_time): the number of totals that counted.
      areal_crps_by_area, areal_bias_by_area, areal_totals_by_area (area, lead_time): the same for each area.
    """
    if "areal_totals_by_area" not in statistics:
        return xr.Dataset()
    s = statistics.variables
    forecast, observed, crps, by_area = (s[name] for name in (*SUMS, "areal_totals_by_area"))
    count = by_area.sum("area")
    texts = {
        "areal_crps": (ratio(crps.sum("area"), count), "CRPS (fair) of totals on areas", "mm"),
        "areal_bias": (ratio(forecast.sum("area"), observed.sum("area")), "forecast / observed totals on areas", "1"),
        "areal_mean_error": (ratio((forecast - observed).sum("area"), count), "mean error of totals on areas", "mm"),
        "areal_brier": (ratio(s["areal_brier_sum"], count), "Brier score (fair) of totals on areas", "1"),
        "areal_events": (s["areal_events"], "observed totals on areas that reach the threshold", "1"),
        "areal_totals": (count, "totals on areas that counted", "1"),
        "areal_crps_by_area": (ratio(crps, by_area), "CRPS (fair) of totals on the area", "mm"),
        "areal_bias_by_area": (ratio(forecast, observed), "forecast / observed totals on the area", "1"),
        "areal_totals_by_area": (by_area, "totals on the area that counted", "1"),
    }
    result = keep_labels(statistics, {name: values for name, (values, _, _) in texts.items()})
    for name, (_, text, unit) in texts.items():
        result[name].attrs = {"long_name": text, "units": unit}
    return result
