"""CRPS of amounts of rain: of the means over areas at each lead time, and of the accumulations over all lead times.

Users decide on amounts on an area or in a time, and an ensemble whose pixels are right one by one may be wrong there:
the members of an area differ as much as the observation only where their errors belong together in space and in time.
"""

from typing import Any

import numpy as np
import xarray as xr

from predjax.units import dbz_to_rain_rate
from predjax.verification.ensembles import sum_crps
from predjax.verification.fields import Scoring, check_members, label_leads
from predjax.verification.sums import keep_labels, ratio

SIDE = 16  # pixels of an area
MIN_COVERAGE = 0.5  # the least valid part of an area that counts


def amount_statistics(members: np.ndarray, observed: np.ndarray, scoring: Scoring) -> xr.Dataset:
    """Return the additive sums behind the CRPS of amounts, for some cases.

    Reflectivity becomes a rain rate first, because a mean of dBZ is no amount. An area is a square of SIDE x SIDE
    pixels; the squares stand side by side from the first pixel on, and pixels beyond the last whole square are left
    out. Its amount is the mean over the pixels where the observation and all members have a value; areas with fewer
    than half of such pixels do not count. The accumulation of a pixel is the sum of its rain rates times the time since
    the lead time before; pixels without a value at one of the lead times do not count.

    Args and errors: as for `ensembles.ensemble_statistics`.

    Returns:
      areas (lead_time): int64, how many counted; area_error, area_difference (lead_time): float64, as `sum_crps`.
      Of rain whose lead times are in minutes also accumulations, accumulation_error, accumulation_difference.
    """
    members, observed = check_members(members, observed)
    steps = observed.shape[1]
    leads = label_leads(steps, scoring)
    is_rain = scoring.units in ("mm/h", "dBZ") and leads[2]["units"] == "minutes"
    hours = np.diff(leads[1], prepend=0) / 60

    areas, sums = np.zeros(steps, np.int64), np.zeros((2, steps))
    pixels, total_sums = 0, np.zeros(2)
    for x, y in zip(members, observed):
        totals: Any = 0
        for lead in range(steps):
            fields = np.concatenate([x[:, lead], y[None, lead]]).astype(np.float64)  # (member + 1, H, W, C)
            if scoring.units == "dBZ":
                fields = dbz_to_rain_rate(fields)
            totals = totals + fields * hours[lead]
            means = _average_areas(fields)
            areas[lead] += means.shape[1]
            sums[:, lead] += sum_crps(means[:-1], means[-1])
        if is_rain:
            totals = totals[:, np.isfinite(totals).all(axis=0)]
            pixels += totals.shape[1]
            total_sums += sum_crps(totals[:-1], totals[-1])
    variables: dict[str, Any] = {"areas": ("lead_time", areas)}
    variables |= {f"area_{name}": ("lead_time", values) for name, values in zip(("error", "difference"), sums)}
    if is_rain:
        variables |= {"accumulations": ((), pixels)}
        variables |= {f"accumulation_{name}": ((), v) for name, v in zip(("error", "difference"), total_sums)}
    return xr.Dataset(variables, {"lead_time": leads}, {"units": scoring.units})


def amount_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the fair CRPS of amounts from summed statistics; with one member it is the mean absolute error.

    Returns:
      crps_area (lead_time): of means over areas, NaN without areas; areas (lead_time): the number that counted.
      For rain alone also crps_accumulation, of accumulations over all lead times, in mm; and accumulations, the number
      of pixels that counted.
    """
    s, units = statistics.variables, statistics.attrs.get("units", "1")
    units = "mm/h" if units == "dBZ" else units
    scores: dict[str, xr.Variable] = {}
    attrs: dict[str, dict[str, str]] = {}
    kinds = {"area": (f"means over {SIDE} x {SIDE} pixels", units), "accumulation": ("accumulations", "mm")}
    for kind, (text, unit) in kinds.items():
        if f"{kind}s" in s:
            error, difference = (ratio(s[f"{kind}_{name}"], s[f"{kind}s"]) for name in ("error", "difference"))
            scores |= {f"crps_{kind}": error - difference / 2, f"{kind}s": s[f"{kind}s"]}
            attrs[f"crps_{kind}"] = {"long_name": f"CRPS (fair) of {text}", "units": unit}
            attrs[f"{kind}s"] = {"long_name": f"{text} that counted", "units": "1"}
    result = keep_labels(statistics, scores)
    for name, own in attrs.items():
        result[name].attrs = own
    return result


def _average_areas(fields: np.ndarray) -> np.ndarray:
    """Return the means (member, area) of fields (member, H, W, C) over the areas that count."""
    rows, columns = (size // SIDE for size in fields.shape[1:3])
    whole = fields[:, : rows * SIDE, : columns * SIDE]
    valid = np.isfinite(whole).all(axis=0)
    squares = (rows, SIDE, columns, SIDE, fields.shape[3])
    counts = valid.reshape(squares).sum(axis=(1, 3))
    sums = np.where(valid, whole, 0).reshape(len(fields), *squares).sum(axis=(2, 4))
    counted = counts >= MIN_COVERAGE * SIDE**2
    return sums[:, counted] / counts[counted]
